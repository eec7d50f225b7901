"""Play a script of arrivals to a batcher on a virtual clock, and tell what came of it.

Times are milliseconds. An arrival is ``time:name`` with, after it, ``/rows``, ``@priority``,
``~timeout_ms`` (of the queue) and ``!deadline_ms`` (after the arrival); a request of several rows
has items ``name1``, ``name2``... A replica runs one batch at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.batching.batch import BatchReply
from deployments.batching.batcher import Batcher
from deployments.batching.concurrency import all_of
from deployments.batching.response_cache import ResponseCache
from deployments.config.policy import BatchPolicy
from models.errors import DeadlinePassed, DragomanError, QueueDeadlinePassed, QueueFull
from tests.support.clock import VirtualClock

MS = 1000
ARRIVAL = re.compile(
    r"(?P<at>\d+):(?P<name>[a-z]+)(/(?P<rows>\d))?(@(?P<level>\d))?(~(?P<ms>\d+))?"
    r"(!(?P<deadline>\d+))?"
)
WHY: dict[type[DragomanError], str] = {
    QueueFull: "full",
    QueueDeadlinePassed: "expired",
    DeadlinePassed: "late",
}


@dataclass(frozen=True)
class Script:
    """One row of the table. ``runs_ms``: of each batch in turn, the last for all that follow."""

    id: str
    policy: dict[str, Any]
    arrivals: str
    batches: str
    refused: str = ""
    answers: str | None = None  # the order in which requests were answered, where that matters
    runs_ms: tuple[int, ...] = (10,)
    replicas: int = 1


@dataclass(frozen=True)
class Piece:
    name: str
    length: float = 1.0


@dataclass
class Replicas:
    """Stand behind the batcher; each runs one batch at a time, on the virtual clock."""

    clock: VirtualClock
    runs_ms: tuple[int, ...]
    free_at: list[float]
    batches: list[str] = field(default_factory=list)

    async def __call__(self, batch: Sequence[Piece]) -> BatchReply[str]:
        names = ",".join(piece.name for piece in batch)
        run_s = self.runs_ms[min(len(self.batches), len(self.runs_ms) - 1)] / MS
        self.batches.append(f"{_ms(self.clock)}:{names}")
        replica = self.free_at.index(min(self.free_at))
        ends_at = max(self.clock.time(), self.free_at[replica]) + run_s
        self.free_at[replica] = ends_at
        ended = asyncio.Event()
        self.clock.call_at(ends_at, ended.set)
        await ended.wait()
        return BatchReply([piece.name for piece in batch], run_s)


@dataclass
class Played:
    """What came of a script."""

    batches: list[str]
    refused: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


def _ms(clock: VirtualClock) -> int:
    return round(clock.time() * MS)


async def play(script: Script) -> Played:
    """Let everything arrive at its time, and go on until everybody has an answer."""
    clock = VirtualClock()
    replicas = Replicas(clock, script.runs_ms, [0.0] * script.replicas)
    batcher: Batcher[Piece, str] = Batcher(
        "m",
        replicas,
        BatchPolicy(**script.policy),
        replicas=script.replicas,
        cache=ResponseCache(1 << 20),
        clock=clock,
    )
    played = Played(replicas.batches)

    async def caller(name: str, rows: int, **options: Any) -> None:
        names = [name] if rows == 1 and not name_is_many[name] else _rows(name, rows)
        try:
            with batcher.request(**options) as request:
                results = await all_of(request.submit(Piece(each)) for each in names)
        except DragomanError as error:
            played.refused.append(f"{_ms(clock)}:{name} {WHY[type(error)]}")
        else:
            assert [outcome.result for outcome in results] == names
        played.answers.append(name)

    tasks, arrivals = [], [ARRIVAL.fullmatch(word) for word in script.arrivals.split()]
    name_is_many = {a["name"]: a["rows"] is not None for a in arrivals if a}
    for arrival in arrivals:
        assert arrival is not None, script.arrivals
        if int(arrival["at"]) > _ms(clock):
            await clock.advance(int(arrival["at"]) / MS - clock.time())
        options = {
            "priority": int(arrival["level"] or 0),
            "queue_timeout_s": int(arrival["ms"]) / MS if arrival["ms"] else None,
            "deadline": clock.time() + int(arrival["deadline"]) / MS
            if arrival["deadline"]
            else None,
        }
        call = caller(arrival["name"], int(arrival["rows"] or 1), **options)
        tasks.append(asyncio.create_task(call))
    while not all(task.done() for task in tasks):
        await clock.advance(0.1)
    await asyncio.gather(*tasks)
    return played


def _rows(name: str, rows: int) -> list[str]:
    return [f"{name}{number}" for number in range(1, rows + 1)]
