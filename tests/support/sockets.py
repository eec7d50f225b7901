"""An application behind the server's own listener, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from deployments.config.schema import Limits
from deployments.http.middleware.admission import Admission
from deployments.http.middleware.stack import guarded
from deployments.http.server import Listener
from deployments.serve.ports import free_port

HOST = "127.0.0.1"
Handler = Callable[[Request], Awaitable[Response]]


def gated(handler: Handler, **limits: Any) -> ASGIApp:
    only = [Route("/", handler, methods=["GET", "POST"])]
    return guarded(Router(only), Limits(**limits), Admission(8))


async def hello(request: Request) -> Response:
    return PlainTextResponse(f"hello {len(await request.body())}")


@asynccontextmanager
async def serving(
    app: ASGIApp, port: int | None = None, keep_alive_timeout_s: int = 60
) -> AsyncIterator[str]:
    port = port or free_port()
    listener = Listener(app, HOST, port, keep_alive_timeout_s)
    listener.start()
    try:
        yield f"http://{HOST}:{port}/"
    finally:
        await end(listener)


async def end(listener: Listener) -> None:
    """Stop at once what ``Listener.stop`` ends in order, which takes it 0.2 s."""
    assert listener._serving is not None
    assert listener._socket is not None
    await until(lambda: listener._server.started)
    for server in listener._server.servers:
        server.close()
    for connection in list(listener._state.connections):
        connection.transport.abort()
    await until(lambda: not listener._state.connections and not listener._state.tasks)
    listener._serving.cancel()
    await asyncio.wait([listener._serving])
    listener._socket.close()


async def raw(url: str, sent: bytes) -> bytes:
    """What comes back for these bytes until the server closes the connection."""
    reader, writer = await asyncio.open_connection(HOST, httpx.URL(url).port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


async def opened(url: str, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which these bytes were sent."""
    reader, writer = await asyncio.open_connection(HOST, httpx.URL(url).port)
    writer.write(sent)
    await writer.drain()
    return reader, writer


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until it is so."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
