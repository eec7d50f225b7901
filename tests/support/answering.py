"""A server of a few lines in the test's own event loop: it reads requests and writes as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

Respond: TypeAlias = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
SHORT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def at_once(body: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(SHORT)


@asynccontextmanager
async def answering(respond: Respond = at_once) -> AsyncIterator[str]:
    """Yield the address of a server that reads whole requests and lets ``respond`` write.

    At the end of the block every connection is closed, and nobody is left who writes.
    """
    talking: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talking.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await respond(await reader.readexactly(length), writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the caller has left, or the test is over
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking)
