"""The listener on real sockets: a shared port, callers who leave, an end in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from deployments.http.connection import MAX_HEAD_BYTES
from deployments.http.middleware.admission import Admission
from deployments.http.server import Listener, listening_socket
from deployments.serve.ports import free_port
from tests.support.sockets import HOST, gated, hello, raw, serving, until


async def test_it_answers_with_the_request_id() -> None:
    async with serving(gated(hello)) as url, httpx.AsyncClient() as http:
        answer = await http.post(url, content=b"12345", headers={"x-request-id": "mine"})
    assert (answer.text, answer.headers["x-request-id"]) == ("hello 5", "mine")


async def test_a_chunked_body_over_the_limit_is_refused() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield b"x" * 100

    app = gated(hello, max_body_bytes=300)
    async with serving(app) as url, httpx.AsyncClient() as http:
        assert (await http.post(url, content=pieces())).status_code == 413


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nhost: h"],
    ids=["nothing", "half a head"],
)
async def test_a_head_that_does_not_come_is_not_waited_for_without_end(sent: bytes) -> None:
    async with serving(gated(hello), keep_alive_timeout_s=1) as url:
        assert await asyncio.wait_for(raw(url, sent), 10) == b""


async def test_two_replicas_share_a_port() -> None:
    port = free_port()
    async with serving(gated(hello), port) as url:
        async with serving(gated(hello), port):
            pass
        async with httpx.AsyncClient() as http:
            assert (await http.get(url)).status_code == 200


async def test_a_stop_takes_no_connections_and_lets_live_ones_end_in_order() -> None:
    admission, url = Admission(8), f"{HOST}:{free_port()}"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with admission.lasting():
            await receive()
            await send({"type": "websocket.accept"})
            await admission.stopping.wait()
            await send({"type": "websocket.send", "text": "what was said"})
            await send({"type": "websocket.close", "code": 1012})

    listener = Listener(app, HOST, int(url.rsplit(":", 1)[1]), 60)
    listener.start()
    async with connect(f"ws://{url}/") as talk:
        ending = asyncio.create_task(listener.stop(admission, 10.0))
        assert await talk.recv() == "what was said"
        with pytest.raises(OSError, match="onnect"):
            await connect(f"ws://{url}/")
        listener.check()
        with pytest.raises(ConnectionClosed):
            await talk.recv()
        assert talk.close_code == 1012
    await ending


def test_a_port_of_a_stranger_is_not_shared() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            listening_socket(HOST, taken.getsockname()[1])


async def test_a_request_over_its_time_is_answered() -> None:
    async def slow(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody ends the wait")

    app = gated(slow, request_timeout_s=0.01)
    async with serving(app) as url, httpx.AsyncClient(timeout=30) as http:
        answer = await http.get(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_passed")


def listener_of_hello() -> Listener:
    return Listener(gated(hello), HOST, free_port(), keep_alive_timeout_s=60)


def test_a_listener_that_was_not_started_is_not_healthy() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        listener_of_hello().check()


async def test_a_listener_is_healthy_until_it_does_not_listen() -> None:
    listener = listener_of_hello()
    listener.start()
    assert listener._socket is not None
    await until(lambda: listener._server.started)
    listener.check()
    asyncio.get_running_loop().remove_reader(listener._socket)
    listener._socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(RuntimeError, match="does not listen"):
        listener.check()
    await listener.stop(Admission(8), 10.0)
    listener.check()  # it stopped as it was told to


async def test_a_listener_that_accepts_nobody_is_not_healthy() -> None:
    listener = listener_of_hello()
    listener.start()
    await until(lambda: listener._server.started)
    assert listener._socket is not None
    asyncio.get_running_loop().remove_reader(listener._socket)
    with socket.create_connection(listener._socket.getsockname()):
        listener.check()  # it may be about to
        with pytest.raises(RuntimeError, match="none is accepted"):
            listener.check()
    await listener.stop(Admission(8), 10.0)


async def test_a_listener_whose_server_has_ended_is_not_healthy() -> None:
    listener = listener_of_hello()
    listener.start()
    assert listener._serving is not None
    listener._serving.cancel()
    await until(listener._serving.done)
    with pytest.raises(RuntimeError, match="ended"):
        listener.check()
    assert listener._socket is not None
    listener._socket.close()


async def test_what_runs_is_answered_before_it_stops() -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def gated_hello(request: Request) -> Response:
        running.set()
        await go_on.wait()
        return await hello(request)

    port = free_port()
    listener = Listener(gated(gated_hello), HOST, port, keep_alive_timeout_s=60)
    listener.start()
    async with httpx.AsyncClient() as http:
        answer = asyncio.create_task(http.get(f"http://{HOST}:{port}/"))
        await running.wait()
        stopping = asyncio.create_task(listener.stop(Admission(8), 10.0))
        go_on.set()
        assert (await answer).text == "hello 0"
    await stopping


MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "a head without an end": b"GET / HTTP/1.1\r\nx: " + b"y" * MAX_HEAD_BYTES,
    "two lengths": b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_malformed_is_refused(sent: bytes) -> None:
    async with serving(gated(hello)) as url:
        assert (await raw(url, sent)).startswith(b"HTTP/1.1 400 ")
