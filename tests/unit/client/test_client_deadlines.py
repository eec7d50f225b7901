"""A call ends at its timeout, however slowly a server takes and gives: sync and async alike."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from dragoman_client import AsyncClient, Client, Retry, errors
from tests.support import certificates

WITHIN_S = 0.3
PACE_S = 0.02  # a byte each: far below the timeout of a single read
BYTES = 1000  # of a dripped answer: it would take 20 s, and then end well
ONCE = Retry(attempts=1)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ncontent-length: 1000\r\n\r\n"


@dataclass
class SlowServer:
    """Serves one caller in one way, and counts the bytes that it moved slowly."""

    serve: Callable[[SlowServer, socket.socket], None]
    ended: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    slow_bytes: int = 0

    def drip(self, connection: socket.socket, data: bytes) -> None:
        """Send byte by byte until the caller has left."""
        for number in range(len(data)):
            if self.ended.wait(PACE_S):
                return
            connection.sendall(data[number : number + 1])
            self.slow_bytes += 1

    def drips_its_head(self, connection: socket.socket) -> None:
        connection.recv(1 << 16)
        filler = b"\r\nx-filler: " + b"a" * BYTES + b"\r\n\r\n"
        self.drip(connection, HEAD.replace(b"\r\n\r\n", filler))

    def drips_its_body(self, connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(HEAD)
        self.drip(connection, bytes(BYTES))

    def stops_in_its_body(self, connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(HEAD + b"RIFF")
        self.ended.wait(60)

    def says_nothing(self, connection: socket.socket) -> None:
        self.ended.wait(60)

    def takes_an_upload_slowly(self, connection: socket.socket) -> None:
        while not self.ended.wait(PACE_S) and (taken := connection.recv(1 << 18)):
            self.slow_bytes += len(taken)


@contextmanager
def serving(
    serve: Callable[[SlowServer, socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[SlowServer]:
    server = SlowServer(serve)

    def run() -> None:
        with suppress(OSError):  # the caller has left
            connection, _ = listening.accept()
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
            with closing(connection):
                serve(server, connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        scheme = "https" if tls else "http"
        server.url = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            thread.join()


Ask: TypeAlias = Callable[..., Awaitable[Any]]


async def ask_sync(url: str, method: str, *args: Any) -> Any:
    with Client(url, timeout=WITHIN_S, retry=ONCE) as client:
        return await asyncio.to_thread(getattr(client, method), *args)


async def ask_async(url: str, method: str, *args: Any) -> Any:
    async with AsyncClient(url, timeout=WITHIN_S, retry=ONCE) as client:
        return await getattr(client, method)(*args)


@pytest.fixture(params=[pytest.param(ask_sync, id="sync"), pytest.param(ask_async, id="async")])
def ask(request: pytest.FixtureRequest) -> Ask:
    colour: Ask = request.param
    return colour


DRIPPING = {
    "head": SlowServer.drips_its_head,
    "body": SlowServer.drips_its_body,
}


@pytest.mark.parametrize("serve", DRIPPING.values(), ids=DRIPPING)
async def test_a_call_ends_while_its_answer_still_comes(
    ask: Ask, serve: Callable[[SlowServer, socket.socket], None]
) -> None:
    with serving(serve) as server:
        with pytest.raises(errors.TimeoutError):
            await ask(server.url, "voices")
        assert server.slow_bytes < BYTES


async def test_a_call_ends_while_its_upload_is_still_taken(ask: Ask) -> None:
    size = 40_000_000  # taken in 3 s or more
    with serving(SlowServer.takes_an_upload_slowly) as server:
        with pytest.raises(errors.TimeoutError):
            await ask(server.url, "transcribe", bytes(size))
        assert server.slow_bytes < size


async def test_a_call_ends_without_any_answer(ask: Ask) -> None:
    with serving(SlowServer.says_nothing) as server, pytest.raises(errors.TimeoutError):
        await ask(server.url, "voices")


def voices_by(transport: httpx.HTTPTransport, url: str) -> None:
    with Client(url, timeout=WITHIN_S, retry=ONCE, transport=transport) as client:
        client.voices()


async def test_a_transport_of_the_users_own_is_bound_as_well() -> None:
    with serving(SlowServer.drips_its_head) as server, pytest.raises(errors.TimeoutError):
        await asyncio.to_thread(voices_by, httpx.HTTPTransport(), server.url)


async def test_a_call_over_tls_ends_as_well(tmp_path: Path) -> None:
    files = certificates.made(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(files.certificate, files.key)
    trusting = httpx.HTTPTransport(verify=False)
    with serving(SlowServer.drips_its_body, tls) as server:
        with pytest.raises(errors.TimeoutError):
            await asyncio.to_thread(voices_by, trusting, server.url)
        assert server.slow_bytes < BYTES


# ---- streams ------------------------------------------------------------------------------


async def first_bytes_sync(url: str, count: int, within_s: float) -> int:
    def run() -> int:
        with (
            Client(url, timeout=within_s, retry=ONCE) as client,
            closing(client.stream_speech("Hi.", voice="v")) as pieces,
        ):
            return sum(len(piece) for piece, _ in zip(pieces, range(count), strict=False))

    return await asyncio.to_thread(run)


async def first_bytes_async(url: str, count: int, within_s: float) -> int:
    size = 0
    async with (
        AsyncClient(url, timeout=within_s, retry=ONCE) as client,
        aclosing(client.stream_speech("Hi.", voice="v")) as pieces,
    ):
        async for piece in pieces:
            size += len(piece)
            count -= 1
            if not count:
                break
    return size


FirstBytes: TypeAlias = Callable[[str, int, float], Awaitable[int]]
STREAMS = [pytest.param(first_bytes_sync, id="sync"), pytest.param(first_bytes_async, id="async")]


@pytest.mark.parametrize("first_bytes", STREAMS)
async def test_a_stream_may_take_longer_than_its_timeout(first_bytes: FirstBytes) -> None:
    with serving(SlowServer.drips_its_body) as server:
        assert await first_bytes(server.url, 50, 0.5) >= 50  # of which each takes PACE_S


@pytest.mark.parametrize("first_bytes", STREAMS)
@pytest.mark.parametrize(
    "serve",
    [SlowServer.drips_its_head, SlowServer.stops_in_its_body],
    ids=["first piece", "further piece"],
)
async def test_each_piece_of_a_stream_is_bound(
    first_bytes: FirstBytes, serve: Callable[[SlowServer, socket.socket], None]
) -> None:
    with serving(serve) as server, pytest.raises(errors.TimeoutError):
        await first_bytes(server.url, BYTES, WITHIN_S)
