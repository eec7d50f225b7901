"""A call ends with its time, however slowly a server takes and gives: both colours alike."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, closing, contextmanager, suppress
from typing import Any, TypeAlias

import httpx
import pytest

from dragoman_client import AsyncClient, Client, Retry, errors

WITHIN_S = 0.3
ONCE = Retry(attempts=1)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\ncontent-length: 100000\r\n\r\n"
Serve: TypeAlias = Callable[[socket.socket, threading.Event], None]


def drip(connection: socket.socket, ended: threading.Event, data: bytes) -> None:
    """Byte by byte, each long before a timeout of a single read, until the caller has left."""
    for number in range(len(data)):
        if ended.wait(0.02):
            return
        connection.sendall(data[number : number + 1])


def drips_its_head(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1 << 16)
    drip(
        connection, ended, HEAD.replace(b"\r\n\r\n", b"\r\nx-filler: " + b"a" * 5000 + b"\r\n\r\n")
    )


def drips_its_body(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1 << 16)
    connection.sendall(HEAD)
    drip(connection, ended, bytes(5000))


def stops_in_its_body(connection: socket.socket, ended: threading.Event) -> None:
    connection.recv(1 << 16)
    connection.sendall(HEAD + b"RIFF")
    ended.wait(60)


def says_nothing(connection: socket.socket, ended: threading.Event) -> None:
    ended.wait(60)


def takes_a_byte_at_a_time(connection: socket.socket, ended: threading.Event) -> None:
    while not ended.wait(0.02) and connection.recv(1):
        pass


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """A server of one way to answer, for one caller; its address."""
    ended = threading.Event()

    def run() -> None:
        with suppress(OSError):  # the caller has left
            connection, _ = listening.accept()
            with closing(connection):
                serve(connection, ended)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            ended.set()
            thread.join()


Ask: TypeAlias = Callable[..., Awaitable[Any]]


async def ask_sync(url: str, method: str, *args: Any, within_s: float = WITHIN_S) -> Any:
    with Client(url, timeout=within_s, retry=ONCE) as client:
        return await asyncio.to_thread(getattr(client, method), *args)


async def ask_async(url: str, method: str, *args: Any, within_s: float = WITHIN_S) -> Any:
    async with AsyncClient(url, timeout=within_s, retry=ONCE) as client:
        return await getattr(client, method)(*args)


@pytest.fixture(params=[pytest.param(ask_sync, id="sync"), pytest.param(ask_async, id="async")])
def ask(request: pytest.FixtureRequest) -> Ask:
    colour: Ask = request.param
    return colour


# Each would take minutes, and most of them would end well.
SLOW = {
    "a head byte by byte": (drips_its_head, ("voices",)),
    "a body byte by byte": (drips_its_body, ("voices",)),
    "no answer": (says_nothing, ("voices",)),
    "an upload taken byte by byte": (takes_a_byte_at_a_time, ("transcribe", bytes(20_000_000))),
}


@pytest.mark.parametrize(("serve", "call"), SLOW.values(), ids=SLOW)
async def test_a_call_ends_with_its_time(ask: Ask, serve: Serve, call: tuple[Any, ...]) -> None:
    with server(serve) as url, pytest.raises(errors.TimeoutError):
        await ask(url, *call)


async def test_a_transport_of_ones_own_is_bound_as_well() -> None:
    def run(url: str) -> None:
        transport = httpx.HTTPTransport()
        with Client(url, timeout=WITHIN_S, retry=ONCE, transport=transport) as client:
            client.voices()

    with server(drips_its_head) as url, pytest.raises(errors.TimeoutError):
        await asyncio.to_thread(run, url)


# ---- streams ------------------------------------------------------------------------------


async def first_pieces_sync(url: str, count: int, within_s: float = WITHIN_S) -> int:
    def run() -> int:
        with (
            Client(url, timeout=within_s, retry=ONCE) as client,
            closing(client.stream_speech("Hi.", voice="v")) as pieces,
        ):
            return sum(len(piece) for piece, _ in zip(pieces, range(count), strict=False))

    return await asyncio.to_thread(run)


async def first_pieces_async(url: str, count: int, within_s: float = WITHIN_S) -> int:
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


STREAMS = [pytest.param(first_pieces_sync, id="sync"), pytest.param(first_pieces_async, id="async")]


@pytest.mark.parametrize("first_pieces", STREAMS)
async def test_a_stream_may_take_longer_than_its_time(
    first_pieces: Callable[[str, int, float], Awaitable[int]],
) -> None:
    with server(drips_its_body) as url:
        assert await first_pieces(url, 100, 1.0) >= 100  # a piece takes 0.02 s at least


@pytest.mark.parametrize("first_pieces", STREAMS)
@pytest.mark.parametrize("serve", [drips_its_head, stops_in_its_body], ids=["head", "body"])
async def test_the_first_piece_and_each_further_one_are_bound(
    first_pieces: Callable[[str, int], Awaitable[int]], serve: Serve
) -> None:
    with server(serve) as url, pytest.raises(errors.TimeoutError):
        await first_pieces(url, 1000)
