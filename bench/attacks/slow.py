"""Bodies that hardly come: whether others are answered beside them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable

import httpx

from bench.attacks.rows import Row
from bench.attacks.target import (
    EMBEDDINGS,
    MB,
    PCM,
    address,
    attacked,
    normal_callers,
    rss_mb,
)
from tests.support.server import Running

SLOW, OTHERS = 520, 20
BESIDE_S = 20.0
ROOM_MB = 256


def measure() -> list[Row]:
    rows = []
    with attacked() as server:
        rows += asyncio.run(beside(server, "stalled", 0))
        rows += asyncio.run(beside(server, "2 kB/s each", 2_000))
    limits = {"max_bodies_bytes": ROOM_MB * MB, "max_body_bytes": 200 * MB}
    with attacked(**limits) as server:
        rows += asyncio.run(full(server))
    return rows


async def beside(server: Running, how: str, bytes_s: int) -> list[Row]:
    """Slow bodies, and callers who send at once what they have."""
    over, ended = asyncio.Event(), Counter[bytes]()
    slow = [asyncio.create_task(_slow(server, bytes_s, over, ended)) for _ in range(SLOW)]
    await asyncio.sleep(2)
    others = asyncio.create_task(normal_callers(server, OTHERS, over))
    probed: Counter[int] = Counter()
    until = time.monotonic() + BESIDE_S
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        while time.monotonic() < until:
            probed[(await http.get("/health/ready")).status_code] += 1
            await asyncio.sleep(0.5)
    statuses, refused = await _all_ended(over, others, slow)
    tried = f"{SLOW} bodies that come slowly ({how}) beside {OTHERS} callers for {BESIDE_S:.0f} s"
    told = f"{refused} of {statuses.total()} requests of others refused"
    row = Row("slow bodies", tried, told, "none refused", refused == 0 and statuses[200] > 0)
    if bytes_s:
        return [row]
    ends = f"{ended[b'408']} of {SLOW} told 408 within {BESIDE_S:.0f} s; ready: {dict(probed)}"
    return [row, Row("slow bodies", tried, ends, "all", ended[b"408"] == SLOW)]


async def full(server: Running) -> list[Row]:
    """More bytes than there is room for; who is slow gives way."""
    before_mb = rss_mb(server)
    over, ended = asyncio.Event(), Counter[bytes]()
    slow = [asyncio.create_task(_large(server, over, ended)) for _ in range(8)]
    await asyncio.sleep(4)
    held_mb = rss_mb(server) - before_mb
    others = asyncio.create_task(normal_callers(server, OTHERS, over))
    await asyncio.sleep(5)
    statuses, refused = await _all_ended(over, others, slow)
    tried = f"8 callers who send 60 MB and then 2 kB/s, with room for {ROOM_MB} MB"
    figure = f"{held_mb:+.0f} MB of RSS; {refused} of {statuses.total()} of others refused"
    held = held_mb <= 2 * ROOM_MB and refused == 0 and statuses[200] > 0
    asked = f"at most +{2 * ROOM_MB} MB, none refused"
    return [Row("bodies' bytes", tried, figure, asked, held)]


async def _all_ended(
    over: asyncio.Event, others: asyncio.Task[Counter[int]], slow: Iterable[asyncio.Task[None]]
) -> tuple[Counter[int], int]:
    """End all callers; what the others were answered, and how many of them were refused."""
    over.set()
    statuses = await others
    await asyncio.gather(*slow)
    return statuses, statuses.total() - statuses[200]


async def _slow(server: Running, bytes_s: int, over: asyncio.Event, ended: Counter[bytes]) -> None:
    await _drip(server, 1_000, bytes_s, over, ended)


async def _large(server: Running, over: asyncio.Event, ended: Counter[bytes]) -> None:
    await _drip(server, 60 * MB, 2_000, over, ended)


async def _drip(
    server: Running, first_bytes: int, bytes_s: int, over: asyncio.Event, ended: Counter[bytes]
) -> None:
    """Send some at once and then little by little, until the server has enough, or all is over."""
    reader, writer = await asyncio.open_connection(*address(server))
    head = f"POST {EMBEDDINGS} HTTP/1.1\r\nhost: localhost\r\n"
    head += f"content-type: {PCM['content-type']}\r\n"
    writer.write(f"{head}content-length: {150 * MB}\r\n\r\n".encode() + bytes(first_bytes))
    answer = asyncio.create_task(reader.read(12))
    closing = asyncio.create_task(over.wait())
    try:
        while not (answer.done() or closing.done()):
            await asyncio.wait({answer, closing}, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            if bytes_s and not answer.done():
                writer.write(bytes(bytes_s))
        if answer.done():
            ended[answer.result()[9:12]] += 1
    except OSError:
        ended[b"closed"] += 1
    finally:
        for task in (answer, closing):
            task.cancel()
        writer.transport.abort()
