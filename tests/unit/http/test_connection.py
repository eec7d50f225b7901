"""What a caller may send beside bodies: how much, and for how long."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from deployments.http import connection
from deployments.http.connection import (
    FREE_CHUNKS,
    MAX_FRAMING_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_WAITING,
)
from deployments.http.middleware.admission import Admission
from deployments.http.server import Listener
from deployments.serve.ports import free_port
from tests.support.sockets import HOST, gated, hello, opened, raw, serving, until

POST = b"POST / HTTP/1.1\r\nhost: h\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
ONE_CHUNK = CHUNKED + b"1\r\nx\r\n"
CLOSE = b"connection: close\r\n"
LONG = b"y" * (1 << 20)
TINY = b"a:b\r\n"
# A request whose end comes in a piece with the begin of the next, whatever the size of a piece is.
LARGE = POST + b"content-length: 400000\r\n\r\n" + b"x" * 400_000

REFUSED = {
    "a long trailer": ONE_CHUNK + b"0\r\nx: " + LONG,
    "a trailer of many headers": ONE_CHUNK + b"0\r\n" + TINY * (MAX_HEADERS + 2),
    "a trailer that ends, and is long": ONE_CHUNK + b"0\r\n" + (b"x: %s\r\n" % (b"y" * 30_000)) * 9,
    "a long header": POST + b"x: " + LONG,
    "a whole head that is long": POST + b"x: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n",
    "many headers": POST + TINY * MAX_HEADERS + b"\r\n",
    "many headers without an end": POST + TINY * (MAX_HEADERS + 1),
    "a long path": b"GET /" + LONG,
    "a long method": b"G" * (1 << 20),
    "line ends": b"\r\n" * MAX_HEAD_BYTES,
    "a long extension": CHUNKED + b"1;" + LONG,
    "a long length": CHUNKED + LONG.replace(b"y", b"0"),
    "many long extensions": CHUNKED + (b"1;%s\r\nx\r\n" % (b"y" * 30_000)) * 40,
    "many tiny chunks": CHUNKED + b"1\r\nx\r\n" * (FREE_CHUNKS + FREE_CHUNKS // 200),
}


@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
async def test_what_has_no_end_is_refused(sent: bytes) -> None:
    async with serving(gated(hello)) as url:
        assert await is_refused(url, sent)


async def is_refused(url: str, sent: bytes) -> bool:
    """Whether the server says so, or closes before it has read all."""
    try:
        return (await raw(url, sent)).startswith(b"HTTP/1.1 400 ")
    except ConnectionError:
        return True


async def test_extensions_are_bounded_over_a_whole_body() -> None:
    chunk = b"1;%s\r\nx\r\n" % (b"y" * 20_000)
    async with serving(gated(hello)) as url:
        reader, writer = await opened(url, CHUNKED)
        with suppress(ConnectionError):
            for _ in range(MAX_FRAMING_BYTES // len(chunk) + 2):
                writer.write(chunk)
                await writer.drain()
                await asyncio.sleep(0.001)
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


@pytest.mark.parametrize("behind", [b"x: " + LONG, TINY * 300], ids=["long", "many headers"])
async def test_a_head_behind_another_request_is_bounded(behind: bytes) -> None:
    async with serving(gated(hello)) as url:
        with suppress(ConnectionError):
            assert b"hello 0" not in await raw(url, LARGE + POST + behind)


async def test_requests_that_wait_are_bounded() -> None:
    go_on = asyncio.Event()

    async def slow(request: Request) -> Response:
        await go_on.wait()
        return PlainTextResponse("")

    sent = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n" * (MAX_WAITING + 2)
    async with serving(gated(slow)) as url:
        assert await raw(url, sent) == b""


TAKEN = {
    "a trailer": (ONE_CHUNK + b"0\r\nx: " + b"y" * 50_000 + b"\r\n\r\n", 1),
    "extensions": (CHUNKED + b"10;a=%s\r\n%s\r\n" % (b"b" * 80, b"x" * 16) + b"0\r\n\r\n", 16),
    "many chunks": (CHUNKED + b"a\r\n0123456789\r\n" * 30_000 + b"0\r\n\r\n", 300_000),
    "large chunks": (CHUNKED + (b"8000\r\n%s\r\n" % bytes(32_768)) * 90 + b"0\r\n\r\n", 2_949_120),
    "a large head": (POST + b"x: " + b"y" * 60_000 + b"\r\n\r\n", 0),
}


@pytest.mark.parametrize(("sent", "length"), TAKEN.values(), ids=TAKEN)
async def test_what_is_within_the_bounds_is_taken(sent: bytes, length: int) -> None:
    async with serving(gated(hello)) as url:
        answer = await raw(url, sent.replace(b"host: h\r\n", b"host: h\r\n" + CLOSE, 1))
    assert answer.endswith(b"hello %d" % length)


async def test_bodies_of_requests_sent_in_a_row_are_no_heads() -> None:
    last = POST + CLOSE + b"x: " + b"y" * 50_000 + b"\r\n\r\n"
    async with serving(gated(hello)) as url:
        answer = await raw(url, LARGE * 3 + last)
    assert (answer.count(b"hello 400000"), answer.count(b"hello 0")) == (3, 1)


async def test_a_trailer_adds_no_header_to_the_request() -> None:
    async def headers(request: Request) -> Response:
        await request.body()
        return PlainTextResponse(",".join(request.headers.getlist("x")))

    sent = CHUNKED.replace(b"host: h", b"host: h\r\nconnection: close\r\nx: mine")
    async with serving(gated(headers)) as url:
        answer = await raw(url, sent + b"1\r\nx\r\n0\r\nx: other\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nmine")


async def test_a_body_that_was_answered_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGER_S", 0.01)
    sent = POST + b"content-length: 1000\r\n\r\n" + b"x" * 100
    async with serving(gated(hello, max_body_bytes=500)) as url:
        assert (await raw(url, sent)).startswith(b"HTTP/1.1 413 ")


async def test_a_connection_lives_on_behind_a_body_that_was_refused() -> None:
    refused = POST + b"content-length: 1000\r\n\r\n" + b"x" * 1000
    async with serving(gated(hello, max_body_bytes=500)) as url:
        answer = await raw(url, refused + POST + CLOSE + b"content-length: 2\r\n\r\nxx")
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b"hello 2")


async def test_an_answer_that_nobody_takes_is_given_up() -> None:
    async def long(request: Request) -> Response:
        return PlainTextResponse(bytes(40 << 20))

    gone = asyncio.Event()
    lost = connection.Connection.connection_lost

    def noting(self: connection.Connection, exc: Exception | None) -> None:
        lost(self, exc)
        gone.set()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection.Connection, "connection_lost", noting)
        async with serving(gated(long), keep_alive_timeout_s=1) as url:
            _, writer = await asyncio.open_connection(HOST, httpx.URL(url).port, limit=1024)
            writer.write(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
            async with asyncio.timeout(20):
                await gone.wait()
            writer.transport.abort()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", id="no body"),
        pytest.param(LARGE, id="a large body"),
    ],
)
@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_caller_who_leaves_ends_the_request(sent: bytes, how: str) -> None:
    running, ended = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        running.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError("nobody ends the wait")

    async with serving(gated(slow)) as url:
        _, writer = await opened(url, sent)
        await running.wait()
        getattr(writer.transport, how)()
        await until(ended.is_set)


async def test_connections_leave_files_for_the_process() -> None:
    listener = Listener(gated(hello), HOST, free_port(), keep_alive_timeout_s=60)
    listener._state.most = 1
    listener.start()
    assert listener._socket is not None
    host, port = listener._socket.getsockname()
    _, first = await asyncio.open_connection(host, port)
    await until(lambda: listener._state.accepted == 1)
    refused, second = await asyncio.open_connection(host, port)
    with suppress(ConnectionError):
        assert await refused.read() == b""
    for writer in (first, second):
        writer.transport.abort()
    await listener.stop(Admission(8), 10.0)
