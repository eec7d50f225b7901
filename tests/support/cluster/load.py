"""Callers at a steady rate, who check every answer, and what came of each request."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import httpx
import numpy as np

SIZE = 192  # of the fake speaker's embeddings
CLIP_SAMPLES = 16_000
HEADERS = {"content-type": "audio/pcm; rate=16000", "accept": "application/octet-stream"}
PATH = "/v1/audio/embeddings"
WAIT_S = 60.0  # of a caller for an answer
CALM_S = 2.0  # an answer that takes longer counts as of the fault
Kind = Literal["right", "refused", "lost"]


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: when it was sent and answered (monotonic seconds), and what came of it."""

    at: float
    took_s: float
    kind: Kind
    told: str = ""


@dataclass(slots=True)
class Table:
    """All requests of a load."""

    requests: list[Sent] = field(default_factory=list)

    def count(self, kind: Kind) -> int:
        return sum(each.kind == kind for each in self.requests)

    def recovered_s(self, fault_at: float) -> float:
        """Seconds from a fault until a request was sent after which all went as before it."""
        bad = [r.at for r in self.requests if r.kind != "right" or r.took_s > CALM_S]
        return max([0.0, *(at - fault_at for at in bad if at >= fault_at - WAIT_S)])

    def row(self, name: str, fault_at: float) -> str:
        """A line of the table of faults."""
        counts = [self.count("right"), self.count("refused"), self.count("lost")]
        slowest = max(each.took_s for each in self.requests)
        cells = [
            name,
            *map(str, [len(self.requests), *counts]),
            f"{self.recovered_s(fault_at):.1f}",
            f"{slowest:.1f}",
        ]
        return f"| {' | '.join(cells)} |"

    def told(self) -> str:
        """What those that were not right were told, and how often."""
        return str(Counter(f"{r.kind}: {r.told}" for r in self.requests if r.kind != "right"))


TITLE = "| fault | sent | right | refused | lost | seconds to recover | slowest answer, s |"


def clip(number: int) -> bytes:
    """A second of speech that the fake speaker answers with a one at ``number``."""
    samples = np.zeros(CLIP_SAMPLES, np.int16)
    samples[0] = number
    return samples.tobytes()


async def ask(client: httpx.AsyncClient, url: str, number: int) -> Sent:
    """Ask for one embedding, and check the answer."""
    at = time.monotonic()
    try:
        answer = await client.post(url + PATH, content=clip(number), headers=HEADERS)
    except httpx.HTTPError as error:
        return Sent(at, time.monotonic() - at, "lost", type(error).__name__)
    took_s = time.monotonic() - at
    if answer.status_code in (429, 503):
        is_told = "retry-after" in answer.headers
        return Sent(at, took_s, "refused" if is_told else "lost", answer.text[:200])
    if answer.status_code != 200:
        return Sent(at, took_s, "lost", f"{answer.status_code} {answer.text[:200]}")
    found = np.frombuffer(answer.content, np.float32)
    is_right = len(found) == SIZE and int(found.argmax()) == number and found.sum() == 1.0
    return Sent(at, took_s, "right" if is_right else "lost", "" if is_right else "wrong answer")


class Load:
    """Requests at a steady rate, whatever comes of those before, from a thread of its own."""

    def __init__(self, url: str, rate: float) -> None:
        self._url, self._rate = url, rate
        self.table = Table()
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        async with httpx.AsyncClient(timeout=WAIT_S, limits=limits) as client:
            began, running, count = time.monotonic(), set[asyncio.Task[None]](), 0
            while not self._over.is_set():
                await asyncio.sleep(max(0.0, began + count / self._rate - time.monotonic()))
                task = asyncio.create_task(self._one(client, count % SIZE))
                running.add(task)
                task.add_done_callback(running.discard)
                count += 1
            await asyncio.gather(*running)

    async def _one(self, client: httpx.AsyncClient, number: int) -> None:
        self.table.requests.append(await ask(client, self._url, number))
