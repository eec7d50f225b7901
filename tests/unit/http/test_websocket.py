"""The server's WebSockets: bounded in memory, patient with a busy caller, strict at the door."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from deployments.http import websocket
from deployments.http.connection import Accepted
from deployments.http.server import Listener
from deployments.http.websocket import WebSocket
from deployments.serve.ports import free_port
from tests.support.sockets import HOST, end, opened, raw, until

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)
READ_BYTES = 256 << 10  # that come at once, and are answered together


class Taking:
    """An application that takes messages, and answers requests, when it is let."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.may_take = asyncio.Event()
        self.may_take.set()
        self.has_request = asyncio.Event()
        self.sends: list[str] = []
        self.left: dict[str, Any] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.has_request.set()
            await self.may_take.wait()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return
        await receive()
        await send({"type": "websocket.accept"})
        for text in self.sends:
            await send({"type": "websocket.send", "text": text})
        while True:
            await self.may_take.wait()
            message = await receive()
            if message["type"] == "websocket.disconnect":
                self.left = dict(message)
                return
            self.taken.append(message.get("text") or message.get("bytes"))


class Served:
    def __init__(self, app: Taking, url: str, state: Accepted) -> None:
        self.app, self.url, self.state = app, url, state


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving_state() as here:
        yield here


@asynccontextmanager
async def serving_state() -> AsyncIterator[Served]:
    app, port = Taking(), free_port()
    listener = Listener(app, HOST, port, 60)
    listener.start()
    try:
        yield Served(app, f"ws://{HOST}:{port}/", listener._state)
    finally:
        app.may_take.set()
        await end(listener)


def frame(data: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


async def ended_by(socket: ClientConnection, size: int) -> None:
    """Send a message of that size, on which the server closes the connection."""
    with suppress(ConnectionClosed):  # it may be closed before all is sent
        await socket.send("x" * size)
    with pytest.raises(ConnectionClosed):
        await socket.recv()


def only(served: Served) -> WebSocket:
    """The server's end of the one connection."""
    (connection,) = served.state.connections
    assert isinstance(connection, WebSocket)
    return connection


async def another_is_served(served: Served) -> None:
    """Let the server do what it would do: it answers another caller meanwhile."""
    async with connect(served.url):
        pass


async def raw_socket(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = served.url.replace("ws", "http")
    reader, writer = await opened(url, HANDSHAKE + b"\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    return reader, writer


async def test_a_message_in_many_pieces_takes_little_more_than_its_bytes(served: Served) -> None:
    _, writer = await raw_socket(served)
    pieces = [frame(b"x", Opcode.CONT, fin=False) for _ in range(20_000)]
    writer.write(frame(b"", fin=False) + b"".join(pieces) + frame(b"", Opcode.CONT))
    await until(lambda: bool(served.app.taken))
    assert served.app.taken == ["x" * 20_000]
    assert only(served).frames == []
    writer.close()


@pytest.mark.parametrize("text", ["x" * 200_000, "é" * 100_000], ids=["ASCII", "UTF-8"])
async def test_what_is_held_is_counted_and_given_back(served: Served, text: str) -> None:
    served.app.may_take.clear()
    async with connect(served.url) as socket:
        await socket.send(text)
        await until(lambda: served.state.held_bytes == 200_000)
        served.app.may_take.set()
        await until(lambda: served.state.held_bytes == 0)


async def test_what_the_application_works_on_is_counted(served: Served) -> None:
    class OneAtATime(list[Any]):
        def append(self, taken: Any) -> None:
            super().append(taken)
            served.app.may_take.clear()

    served.app.taken = OneAtATime()
    async with connect(served.url) as socket:
        await socket.send("x" * 200_000)
        await until(lambda: bool(served.app.taken))
        assert served.state.held_bytes == 200_000
        served.app.may_take.set()
        await until(lambda: served.state.held_bytes == 0)


async def test_little_waits_in_the_kernel_so_that_pings_are_not_far_behind(served: Served) -> None:
    async with connect(served.url):
        found = only(served).transport.get_extra_info("socket")
        bound = found.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert bound <= 2 * websocket.RECEIVE_BUFFER_BYTES  # the kernel doubles it


async def test_who_takes_what_is_left_is_waited_for_at_the_end(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_S", 3600.0)
    async with connect(served.url):
        connection = only(served)
        left = iter([100, 50, 50])
        aborted: list[bool] = []

        class Transport:
            def get_write_buffer_size(self) -> int:
                return next(left)

            def abort(self) -> None:
                aborted.append(True)

        real, connection.transport = connection.transport, Transport()  # type: ignore[assignment]
        connection._end(200, 6)
        assert not aborted
        connection._end(50, 5)
        assert aborted
        connection.transport = real


async def test_beyond_the_bound_of_all_a_connection_is_closed_with_a_reason(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAX_HELD_BYTES", 1 << 20)
    served.app.may_take.clear()
    monkeypatch.setattr(websocket, "FAIR_BYTES", 1 << 16)
    async with (
        connect(served.url) as one,
        connect(served.url) as other,
        connect(served.url) as modest,
    ):
        await one.send("x" * 700_000)
        await until(lambda: served.state.held_bytes >= 700_000)
        await ended_by(other, 700_000)
        assert other.close_code == 1013
        assert one.close_code is None
        monkeypatch.setattr(websocket, "MAX_HELD_BYTES", 1 << 10)
        await modest.send("little")
        await until(lambda: served.state.held_bytes > 700_000)
        await another_is_served(served)
        assert modest.close_code is None
        served.app.may_take.set()


async def test_a_message_over_the_bound_closes_its_connection(served: Served) -> None:
    async with connect(served.url) as socket:
        await ended_by(socket, websocket.MAX_MESSAGE_BYTES + 1)
        assert socket.close_code == 1009


async def test_nothing_more_is_read_while_the_application_is_busy(served: Served) -> None:
    served.app.may_take.clear()
    _, writer = await raw_socket(served)
    for _ in range(64):
        writer.write(frame(os.urandom(1 << 16), Opcode.BINARY))
    connection = only(served)
    await until(lambda: connection.read_paused)
    await another_is_served(served)
    assert served.state.held_bytes < 1 << 20  # of 4 MiB
    served.app.may_take.set()
    await until(lambda: len(served.app.taken) == 64)
    writer.close()


async def test_pings_of_a_caller_that_reads_nothing_are_not_answered_for_ever(
    served: Served,
) -> None:
    reader, writer = await raw_socket(served)
    writer.transport.set_write_buffer_limits(1 << 22)
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    connection = only(served)
    ping = frame(b"p" * 125, Opcode.PING)
    for _ in range(60):
        writer.write(ping * 1_000)
        await writer.drain()
        await asyncio.sleep(0)
    await another_is_served(served)
    waiting = connection.transport.get_write_buffer_size()
    assert waiting <= websocket.MAX_PONG_BYTES + READ_BYTES
    writer.transport.abort()


async def test_a_caller_that_is_gone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.http.server.PING_S", 0.1)
    async with serving_state() as served:
        _, writer = await raw_socket(served)
        await until(lambda: served.app.left is not None or not served.state.connections)
        writer.close()


async def test_a_caller_that_answers_no_ping_and_sends_nothing_is_gone(served: Served) -> None:
    _, writer = await raw_socket(served)
    connection = only(served)
    connection.send_keepalive_ping()
    connection.keepalive_timeout()
    await until(lambda: served.app.left is not None)
    writer.close()


async def test_a_caller_that_sends_is_there_though_it_answers_no_ping(served: Served) -> None:
    _, writer = await raw_socket(served)
    connection = only(served)
    connection.send_keepalive_ping()
    writer.write(frame(b"a"))
    await until(lambda: served.app.taken == ["a"])
    connection.keepalive_timeout()
    assert not connection.close_sent
    assert connection.ping_timer is not None  # it is asked again
    writer.close()


async def test_a_caller_whose_answer_waits_behind_its_audio_is_there(served: Served) -> None:
    served.app.may_take.clear()
    _, writer = await raw_socket(served)
    connection = only(served)
    writer.write(frame(b"a"))
    await until(lambda: connection.read_paused)
    connection.send_keepalive_ping()
    connection.keepalive_timeout()
    assert not connection.close_sent
    assert connection.ping_timer is not None
    writer.close()


async def test_a_handshake_behind_an_open_request_is_refused(served: Served) -> None:
    url = served.url.replace("ws", "http")
    first = b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n"
    served.app.may_take.clear()
    answering = asyncio.ensure_future(raw(url, first + HANDSHAKE + b"\r\n"))
    await served.app.has_request.wait()
    await another_is_served(served)
    served.app.may_take.set()
    answer = await answering
    assert b" 101 " not in answer


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HANDSHAKE.replace(b"Key: MDEyMzQ1Njc4OWFiY2RlZg==", b"Key: short"), b"400"),
        (HANDSHAKE.replace(b"Version: 13", b"Version: 8"), b"400"),
        (HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X-Key"), b"400"),
        (HANDSHAKE + b"X: 1\r\n" * 300, b"400"),
        (HANDSHAKE + b"X: " + b"1" * 9_000 + b"\r\n", b"431"),
    ],
    ids=["key", "version", "no key", "headers", "long header"],
)
async def test_a_wrong_handshake_is_refused_over_http(
    served: Served, head: bytes, status: bytes
) -> None:
    answer = await raw(served.url.replace("ws", "http"), head + b"\r\n")
    assert answer.split(b" ")[1] == status


async def test_damaged_frames_end_only_their_connection(served: Served) -> None:
    async with connect(served.url) as well:
        for sent in (b"\xff" * 64, frame(b"\xff\xfe"), frame(b"x", Opcode.CONT), b"\x81\x05hello"):
            reader, writer = await raw_socket(served)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), 5) is not None
            writer.close()
        await well.send("still here")
        await until(lambda: "still here" in served.app.taken)
