"""The benches' callers, against a server in the same event loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from bench.callers import load_from_loop, post

HEAD = b"HTTP/1.1 200 OK\r\n"
SHORT = HEAD + b"content-length: 2\r\n\r\nok"
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    """A server that reads whole requests of this file and lets ``answer`` write."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await answer(await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the caller has left
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def numbered(url: str, count: int) -> list[bytes]:
    return [post(f"{url}/x", json=number) for number in range(count)]


async def test_requests_go_out_in_turn_and_from_the_first_again() -> None:
    seen: list[int] = []

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        seen.append(json.loads(body))
        writer.write(SHORT)

    async with serving(answer) as url:
        await load_from_loop(url, numbered(url, 3), callers=1, counted=5, ahead=0)

    assert seen[:5] == [0, 1, 2, 0, 1]


async def test_every_caller_has_one_request_at_a_time() -> None:
    waiting = 0
    all_here = asyncio.Event()

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 4:
            all_here.set()
        await all_here.wait()
        writer.write(SHORT)

    async with serving(answer) as url:
        load = await load_from_loop(url, numbered(url, 1), callers=4, counted=4, ahead=0)

    assert len(load.answers) == 4


async def test_what_comes_ahead_is_not_counted() -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(SHORT)

    async with serving(answer) as url:
        load = await load_from_loop(url, numbered(url, 1), callers=2, counted=5, ahead=3)

    assert (len(load.answers), load.all_answers) == (5, 8)


async def test_the_first_byte_of_a_streamed_answer_comes_before_its_end() -> None:
    begun = asyncio.Event()

    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n")
        asyncio.get_running_loop().call_later(0.01, begun.set)
        await begun.wait()
        writer.write(b"2\r\ncd\r\n0\r\n\r\n")

    async with serving(answer) as url:
        load = await load_from_loop(url, numbered(url, 1), callers=1, counted=1, ahead=0)

    assert load.answers[0].first_s < load.answers[0].took_s


async def test_an_answer_that_is_not_200_is_raised_with_its_text() -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nfull")

    async with serving(answer) as url:
        with pytest.raises(RuntimeError, match="status 503: full"):
            await load_from_loop(url, numbered(url, 1), callers=1, counted=1, ahead=0)


async def test_a_connection_that_is_closed_is_raised() -> None:
    async def answer(body: bytes, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(answer) as url:
        with pytest.raises(RuntimeError, match="closed"):
            await load_from_loop(url, numbered(url, 1), callers=1, counted=1, ahead=0)
