"""Bodies that hardly come, and the answers of others beside them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from bench.attacks.target import (
    MB,
    PCM,
    Row,
    address,
    attacked,
    head,
    rss_mb,
    usual_callers,
)
from bench.serving import Server
from load.steps import Recording

SLOW, LARGE, OTHERS = 520, 8, 20
BESIDE_S = 20.0
ROOM_MB = 256
FIRST_BYTES, LARGE_BYTES = 1_000, 60 * MB
SLOW_BYTES_S = 2_000


def measure() -> list[Row]:
    rows = []
    with attacked() as server:
        rows += asyncio.run(beside(server, "stalled", 0))
        rows += asyncio.run(beside(server, "2 kB/s each", SLOW_BYTES_S))
    limits = {"max_bodies_bytes": ROOM_MB * MB, "max_body_bytes": 200 * MB}
    with attacked(limits=limits) as server:
        rows.append(asyncio.run(full(server)))
    return rows


@dataclass
class Slow:
    """Callers who send some at once, and then little by little until the server has enough."""

    server: Server
    first_bytes: int
    bytes_s: int
    over: asyncio.Event = field(default_factory=asyncio.Event)
    ended: Counter[bytes] = field(default_factory=Counter)  # by status
    others: Recording | None = None

    @asynccontextmanager
    async def there(self, count: int) -> AsyncIterator[None]:
        slow = [asyncio.create_task(self._drip()) for _ in range(count)]
        await asyncio.sleep(2)
        yield
        self.over.set()
        await asyncio.gather(*slow)

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        others = asyncio.create_task(usual_callers(self.server, OTHERS, self.over))
        yield
        self.over.set()
        self.others = await others

    def refused(self) -> tuple[int, int]:
        """Count the others who were refused, and all of them."""
        outcomes = self.others.outcomes if self.others else []
        return sum(outcome.failure is not None for outcome in outcomes), len(outcomes)

    async def _drip(self) -> None:
        reader, writer = await asyncio.open_connection(*address(self.server))
        announced = head(self.server, PCM["content-type"], 150 * MB)
        writer.write(announced + bytes(self.first_bytes))
        answer = asyncio.create_task(reader.read(12))
        closing = asyncio.create_task(self.over.wait())
        try:
            while not (answer.done() or closing.done()):
                either = {answer, closing}
                await asyncio.wait(either, timeout=1, return_when=asyncio.FIRST_COMPLETED)
                if self.bytes_s and not answer.done():
                    writer.write(bytes(self.bytes_s))
            if answer.done():
                self.ended[answer.result()[9:12]] += 1
        except OSError:
            self.ended[b"closed"] += 1
        finally:
            for task in (answer, closing):
                task.cancel()
            writer.transport.abort()


async def beside(server: Server, how: str, bytes_s: int) -> list[Row]:
    """Let slow bodies come, and callers who send at once what they have."""
    slow, probed = Slow(server, FIRST_BYTES, bytes_s), Counter[int]()
    async with slow.there(SLOW), slow.beside_others():
        until_s = time.monotonic() + BESIDE_S
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            while time.monotonic() < until_s:
                probed[(await http.get("/health/ready")).status_code] += 1
                await asyncio.sleep(0.5)
    refused, others = slow.refused()
    tried = f"{SLOW} bodies that come slowly ({how}) beside {OTHERS} callers for {BESIDE_S:.0f} s"
    told = f"{refused} of {others} requests of others refused"
    rows = [Row("slow bodies", tried, told, "none refused", others > refused == 0)]
    if not bytes_s:
        timed_out = slow.ended[b"408"]
        ends = f"{timed_out} of {SLOW} told 408 within {BESIDE_S:.0f} s; ready: {dict(probed)}"
        rows.append(Row("slow bodies", tried, ends, "all", timed_out == SLOW))
    return rows


async def full(server: Server) -> Row:
    """Send more bytes than there is room for; who is slow gives way."""
    before_mb, slow = rss_mb(server), Slow(server, LARGE_BYTES, SLOW_BYTES_S)
    async with slow.there(LARGE):
        await asyncio.sleep(2)
        held_mb = rss_mb(server) - before_mb
        async with slow.beside_others():
            await asyncio.sleep(5)
    refused, others = slow.refused()
    return Row(
        "bodies' bytes",
        f"{LARGE} callers who send 60 MB and then 2 kB/s, with room for {ROOM_MB} MB",
        f"{held_mb:+.0f} MB of RSS; {refused} of {others} of others refused",
        f"at most +{2 * ROOM_MB} MB, none refused",
        held_mb <= 2 * ROOM_MB and others > refused == 0,
    )
