"""Replicas that are stopped: how soon they are ended, and what callers notice of it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import psutil

from bench.attacks.target import EMBEDDINGS, MODEL, PCM, Row, attacked
from bench.serving import Server
from load.connections import connected, prepared
from load.endpoints import Answer
from load.steps import Length, Load, RealClock, Recording, Stepper

HEADERS = {**PCM, "accept": "application/octet-stream"}
CALLERS = 8
BEFORE = 20 * CALLERS  # answers before something is done, and after it
FOUND_S = 15.0
MOMENT_S = 3.0  # that a replica may be stopped for
AFTER_S = 5.0  # of load behind what was done to a replica


def measure() -> list[Row]:
    with attacked(replicas=2, base_ms=20.0) as server:
        rows = asyncio.run(stopped(server, "one of two replicas", 1))
        rows.append(asyncio.run(for_a_moment(server)))
    with attacked(base_ms=20.0) as server:
        return rows + asyncio.run(stopped(server, "the only replica", 1))


@dataclass
class Callers:
    """Callers who each ask again once they are answered; each clip is told by its answer."""

    server: Server
    recording: Recording = field(default_factory=lambda: Recording(Load("closed", CALLERS)))
    right: int = 0
    _wanted: int = 0
    _enough: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lost(self) -> int:
        """Count the requests that were lost, or answered with another's answer."""
        return len(self.recording.outcomes) - self.right

    @property
    def longest_s(self) -> float:
        return max(outcome.latency_ms for outcome in self.recording.outcomes) / 1000

    @asynccontextmanager
    async def there(self) -> AsyncIterator[None]:
        over, url = asyncio.Event(), self.server.url
        clips = [np.full(1600, number, "<i2").tobytes() for number in range(CALLERS)]
        requests = [prepared(url + EMBEDDINGS, content=clip, headers=HEADERS) for clip in clips]
        async with connected(url) as connections:

            async def ask(number: int) -> Answer:
                reply = await connections.send(requests[number % CALLERS])
                if reply.status == 200 and _whose(reply.body) == number % CALLERS:
                    self.right += 1
                    if self.right >= self._wanted:
                        self._enough.set()
                return Answer()

            stepper = Stepper(ask, RealClock())
            asking = asyncio.create_task(stepper.run(self.recording, Length(until=over)))
            await self.answered(BEFORE)
            yield
            await self.answered(BEFORE)
            await asyncio.sleep(AFTER_S)
            over.set()
            await asking

    async def answered(self, more: int) -> None:
        """Return once so many more requests have been answered."""
        self._wanted, self._enough = self.right + more, asyncio.Event()
        await self._enough.wait()


def _whose(embedding: bytes) -> int:
    """Return the number of the caller, which the one value that is not zero stands for."""
    return int(np.flatnonzero(np.frombuffer(embedding, "<f4"))[0])


async def stopped(server: Server, which: str, count: int) -> list[Row]:
    """Send SIGSTOP under load."""
    callers = Callers(server)
    async with callers.there():
        victims = server.running.replicas(MODEL)[:count]
        began_s = time.monotonic()
        for victim in victims:
            victim.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(psutil.wait_procs, victims, timeout=300)
        ended_s = time.monotonic() - began_s
    tried = f"SIGSTOP of {which} under {CALLERS} callers"
    ended = f"{ended_s:.1f} s until it is ended; a caller's longest wait {callers.longest_s:.1f} s"
    lost = f"{callers.lost} of {callers.right + callers.lost} requests lost or wrong"
    return [
        Row("stopped replica", tried, ended, f"ended within {FOUND_S:.0f} s", ended_s <= FOUND_S),
        Row("stopped replica", tried, lost, "none", callers.lost == 0),
    ]


async def for_a_moment(server: Server) -> Row:
    """Send SIGSTOP and SIGCONT: a slow replica, which is kept."""
    callers = Callers(server)
    async with callers.there():
        replicas = server.running.replicas(MODEL)
        for replica in replicas:
            replica.send_signal(signal.SIGSTOP)
        await asyncio.sleep(MOMENT_S)
        for replica in replicas:
            replica.send_signal(signal.SIGCONT)
    kept = sum(replica.is_running() for replica in replicas)
    tried = f"SIGSTOP of every replica for {MOMENT_S:.0f} s under {CALLERS} callers"
    figure = f"{kept} of {len(replicas)} kept; {callers.lost} requests lost or wrong"
    held = kept == len(replicas) and callers.lost == 0
    return Row("slow replica", tried, figure, "all kept, none lost", held)
