"""Every scheduling policy as a script: what arrives when, the batches formed, what is refused.

``pytest tests/unit/batching/test_scheduling.py -s`` prints the table. Times are milliseconds of a
virtual clock. An arrival is ``time:name`` with, after it, ``/rows``, ``@priority``,
``~timeout_ms`` (of the queue) and ``!deadline_ms`` (after the arrival); a request of several rows
has items ``name1``, ``name2``... A replica runs one batch at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from deployments.batching.batcher import Batcher
from deployments.batching.concurrency import all_of
from deployments.batching.dispatcher import BatchReply
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


SCRIPTS = [
    Script(
        "a free replica takes what is there",
        {"max_batch_size": 4, "max_queue_delay_ms": 5},
        "0:a 2:b 3:c",
        "0:a 7:b,c",
    ),
    Script(
        "max_batch_size counts rows",
        {"max_batch_size": 4, "max_queue_delay_ms": 0},
        "0:a/3 0:b/2 1:c/2",
        "0:a1,a2,a3,b1 0:b2 10:c1,c2",
    ),
    Script(
        "rows of several requests share a batch",
        {"max_batch_size": 8, "max_queue_delay_ms": 50},
        "0:a 1:b/3 2:c/2 3:d/3",
        "0:a 3:b1,b2,b3,c1,c2,d1,d2,d3",
    ),
    Script(
        "the delay counts from the oldest",
        {"max_batch_size": 8, "max_queue_delay_ms": 5},
        "0:a 1:b 4:c 5:d",
        "0:a 6:b,c,d",
    ),
    Script(
        "a full batch goes at once",
        {"max_batch_size": 2, "max_queue_delay_ms": 50},
        "0:a 1:b 2:c",
        "0:a 2:b,c",
    ),
    Script(
        "a delay of 0 never waits",
        {"max_batch_size": 8, "max_queue_delay_ms": 0},
        "0:a 1:b 2:c",
        "0:a 1:b 10:c",
    ),
    Script(
        "delay_when_idle waits before a free replica",
        {"max_batch_size": 4, "max_queue_delay_ms": 5, "delay_when_idle": True},
        "0:a 2:b 4:c 20:d",
        "5:a,b,c 25:d",
    ),
    Script(
        "delay_when_idle, but a full batch goes at once",
        {"max_batch_size": 2, "max_queue_delay_ms": 50, "delay_when_idle": True},
        "0:a 3:b",
        "3:a,b",
    ),
    Script(
        "max_queue_size counts what waits, not what runs",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "max_queue_size": 2},
        "0:a 1:b 2:c 3:d 4:e",
        "0:a 1:b 10:c 20:d",
        refused="4:e full",
    ),
    Script(
        "max_queue_size counts requests, not rows",
        {"max_batch_size": 4, "max_queue_delay_ms": 0, "max_queue_size": 2},
        "0:a/4 1:b/4 2:c/4 3:d/4 4:e",
        "0:a1,a2,a3,a4 1:b1,b2,b3,b4 10:c1,c2,c3,c4 20:d1,d2,d3,d4",
        refused="4:e full",
    ),
    Script(
        "default_timeout ends the wait to the moment",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "default_timeout_s": 0.012},
        "0:a 0:b 1:c 2:d",
        "0:a 0:b 10:c",
        refused="14:d expired",
    ),
    Script(
        "a request's timeout shortens the default",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "default_timeout_s": 0.1},
        "0:a 0:b 1:c~5 1:d",
        "0:a 0:b 10:d",
        refused="6:c expired",
    ),
    Script(
        "a request's timeout does not lengthen the default",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "default_timeout_s": 0.005},
        "0:a 0:b 1:c~500",
        "0:a 0:b",
        refused="6:c expired",
    ),
    Script(
        "a timeout while all are busy is told at once",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 0:b 1:c~20",
        "0:a 0:b",
        refused="21:c expired",
        runs_ms=(1000,),
    ),
    Script(
        "what runs is finished whatever its timeout",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a~5",
        "0:a",
        runs_ms=(1000,),
    ),
    Script(
        "priority 1 is the most urgent, FIFO within one",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "priority_levels": 3, "default_priority": 2},
        "0:a 0:b 1:c@3 2:d 3:e@1 4:f@1 5:g@2",
        "0:a 0:b 10:e 20:f 30:d 40:g 50:c",
    ),
    Script(
        "a priority that the model does not have is its default",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "priority_levels": 2, "default_priority": 1},
        "0:a 0:b 1:c@2 2:d@9",
        "0:a 0:b 10:d 20:c",
    ),
    Script(
        "the urgent fill a batch first",
        {"max_batch_size": 2, "max_queue_delay_ms": 0, "priority_levels": 2},
        "0:a 0:b 1:c 2:d@2 3:e@2 4:f@1",
        "0:a,b 1:c 10:f,d 20:e",
    ),
    Script(
        "two replicas run at once",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 0:b 0:c 0:d 0:e",
        "0:a 0:b 0:c 0:d 10:e",
        replicas=2,
    ),
    Script(
        "without preserve_ordering the quick one is answered first",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 1:b",
        "0:a 1:b",
        answers="b a",
        runs_ms=(30, 5),
        replicas=2,
    ),
    Script(
        "preserve_ordering answers in the order of arrival",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "preserve_ordering": True},
        "0:a 1:b 2:c",
        "0:a 1:b 2:c",
        answers="a b c",
        runs_ms=(30, 5),
        replicas=2,
    ),
    Script(
        "preserve_ordering does not wait for what was refused",
        {
            **{"max_batch_size": 1, "max_queue_delay_ms": 0, "preserve_ordering": True},
            "default_timeout_s": 0.005,
        },
        "0:a 0:b 1:c 8:d",
        "0:a 0:b 10:d",
        refused="6:c expired",
        answers="c a b d",
    ),
    # Once a's batch has shown that one takes 10 ms: before e are d, c and the rest of b.
    Script(
        "who would wait in vain is refused at once",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 0:b 12:c 13:d 14:e!40",
        "0:a 0:b 12:c 20:d",
        refused="14:e full",
    ),
    Script(
        "who would be answered in time is let in",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 0:b 12:c 13:d 14:e!50",
        "0:a 0:b 12:c 20:d 30:e",
    ),
    Script(
        "the more urgent do not wait for the others",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "priority_levels": 2, "default_priority": 2},
        "0:a 0:b 12:c 13:d 14:e@1!40",
        "0:a 0:b 12:c 20:e 30:d",
    ),
    Script(
        "before a full batch has run nobody is refused for time",
        {"max_batch_size": 2, "max_queue_delay_ms": 0},
        "0:a 1:b 2:c!9",
        "0:a 1:b 10:c",
        refused="11:c late",
    ),
    # One took 10 ms and two 20: each more takes 10, and e would be answered at 61 at the earliest.
    Script(
        "batches of several sizes tell what a full one would take",
        {"max_batch_size": 8, "max_queue_delay_ms": 0},
        "0:a 12:b/2 40:c 41:d 42:e!15",
        "0:a 12:b1,b2 40:c 41:d",
        refused="42:e full",
        runs_ms=(10, 20, 10),
    ),
    Script(
        "a free replica tries whatever the deadline",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 0:b 30:c!5",
        "0:a 0:b 30:c",
        refused="35:c late",
    ),
    Script(
        "one of two replicas that is free is free",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 0:b 30:c 31:d!5",
        "0:a 0:b 30:c 31:d",
        refused="36:d late",
        replicas=2,
    ),
    # Each replica takes 10 ms, whoever else rests: h is answered at 80.
    Script(
        "one replica that worked alone says nothing of four",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 20:b 40:c 60:d 60:e 60:f 60:g 61:h!30",
        "0:a 20:b 40:c 60:d 60:e 60:f 60:g 61:h",
        replicas=4,
    ),
    # c takes 40 ms: after that e, due at 70, could be answered at 102 by what is known.
    Script(
        "what would be answered too late does not run",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 0:b 12:c 14:d 15:e!55 16:f",
        "0:a 0:b 12:c 20:d 60:f",
        refused="60:e expired",
        runs_ms=(10, 10, 40, 10),
    ),
    # At 40 a row is known to take 10 ms, and b's is on its way: with all beside it, c would be
    # answered at 90, with one at 70.
    Script(
        "a batch is no larger than its deadlines allow",
        {"max_batch_size": 4, "max_queue_delay_ms": 0},
        "0:a/4 1:b 2:c!70 2:d!150 3:e!150 3:f!150",
        "0:a1,a2,a3,a4 1:b 40:c,d 50:e,f",
        runs_ms=(40, 10, 20, 20),
    ),
    Script(
        "who would need less than half a batch is refused",
        {"max_batch_size": 4, "max_queue_delay_ms": 0},
        "0:a/4 1:b 2:c!63 2:d!150 3:e!150 3:f!150",
        "0:a1,a2,a3,a4 1:b 40:d,e,f",
        refused="40:c expired",
        runs_ms=(40, 10, 30),
    ),
    Script(
        "a queue's timeout is not a deadline",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 0:b 12:c 13:d 14:e~10",
        "0:a 0:b 12:c 20:d",
        refused="24:e expired",
    ),
    Script(
        "the response cache answers what was asked before",
        {"max_batch_size": 1, "max_queue_delay_ms": 0, "response_cache": True},
        "0:a 20:a 30:b 50:a",
        "0:a 30:b",
    ),
    Script(
        "without the response cache everything runs",
        {"max_batch_size": 1, "max_queue_delay_ms": 0},
        "0:a 20:a",
        "0:a 20:a",
    ),
]


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


@pytest.fixture(scope="module")
def table() -> Iterator[list[tuple[str, ...]]]:
    """The rows played, printed in the end."""
    rows: list[tuple[str, ...]] = [("policy", "arrivals", "batches", "refused")]
    yield rows
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


@pytest.mark.parametrize("script", SCRIPTS, ids=[script.id for script in SCRIPTS])
async def test_a_policy_forms_exactly_these_batches(
    script: Script, table: list[tuple[str, ...]]
) -> None:
    played = await play(script)
    batches, refused = " ".join(played.batches), ", ".join(played.refused)
    table.append((script.id, script.arrivals, batches, refused))
    assert (batches, refused) == (script.batches, script.refused)
    if script.answers is not None:
        assert " ".join(played.answers) == script.answers
