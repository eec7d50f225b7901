"""Past saturation: goodput stays, what is answered is in time, refusals are prompt. Simulated.

Requests arrive by a Poisson process at a multiple of what the model can do, each with a deadline,
on a virtual clock; a batch takes a fixed time and one by its cost, within ``NOISE``. What came in
the first ``LEARNING`` deadlines is not counted: until a full batch is back, nobody knows its time.
``pytest tests/unit/batching/test_overload.py -s`` prints what came of each.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from deployments.batching.batch import BatchReply
from deployments.batching.batcher import Batcher
from deployments.batching.concurrency import all_of
from deployments.config.policy import BatchPolicy
from models.errors import DeadlinePassed, QueueDeadlinePassed, QueueFull
from tests.support.clock import VirtualClock

NOISE = 0.2  # of a batch's time, either way
SEED = 7
LEARNING = 3  # deadlines
COUNTED = 10  # and then
LOADS = (0.25, 1.0, 1.5, 3.0)


@dataclass(frozen=True)
class Shape:
    """A model, and how it is used."""

    id: str
    base_s: float
    cost_s: float  # a unit of cost
    policy: dict[str, Any]
    deadline_s: float
    lengths: tuple[float, float] = (1.0, 1.0)  # of items, evenly between
    rows: int = 1  # of a request
    replicas: int = 1

    @property
    def capacity_rps(self) -> float:
        """Of full batches back to back, on all replicas."""
        rows = self.policy["max_batch_size"]
        batch_s = self.base_s + rows * self.cost_s * sum(self.lengths) / 2
        return float(self.replicas * rows / batch_s / self.rows)


SHAPES = [
    Shape("batches of 8", 0.05, 0.01, {"max_batch_size": 8}, 0.5),
    Shape("a batch longer than the deadline", 0.0, 0.024, {"max_batch_size": 32}, 0.67),
    Shape("one at a time, of many lengths", 0.2, 0.02, {"max_batch_size": 1}, 20.0, (20, 180)),
    Shape("requests of four rows", 0.02, 0.004, {"max_batch_size": 32}, 0.6, rows=4),
    Shape("three replicas", 0.05, 0.01, {"max_batch_size": 8}, 0.5, replicas=3),
]


@dataclass(frozen=True)
class Piece:
    length: float


@dataclass
class Came:
    """What came of a load."""

    duration_s: float
    answered_s: list[float] = field(default_factory=list)  # all of them before their deadline
    refused_s: list[float] = field(default_factory=list)  # until the refusal
    expired: int = 0

    @property
    def goodput_rps(self) -> float:
        return len(self.answered_s) / self.duration_s


class Replicas:
    """Each runs one batch at a time; one that has begun runs to its end, whoever waits for it."""

    def __init__(self, shape: Shape, clock: VirtualClock, chance: random.Random) -> None:
        self._shape, self._clock, self._chance = shape, clock, chance
        self._free = asyncio.Semaphore(shape.replicas)

    async def __call__(self, batch: Sequence[Piece]) -> BatchReply[str]:
        await self._free.acquire()
        shape, ended = self._shape, asyncio.Event()
        run_s = shape.base_s + len(batch) * max(p.length for p in batch) * shape.cost_s
        run_s *= self._chance.uniform(1 - NOISE, 1 + NOISE)

        def end() -> None:
            self._free.release()
            ended.set()

        self._clock.call_at(self._clock.time() + run_s, end)
        await ended.wait()
        return BatchReply(["done"] * len(batch), run_s)


async def offered(shape: Shape, multiple: float) -> Came:
    """Offer requests, and wait until each has its answer."""
    clock, chance = VirtualClock(), random.Random(SEED)
    policy = BatchPolicy(**shape.policy)
    batcher: Batcher[Piece, str] = Batcher(
        "m", Replicas(shape, clock, chance), policy, replicas=shape.replicas, clock=clock
    )
    came = Came(COUNTED * shape.deadline_s)
    ends_at = (LEARNING + COUNTED) * shape.deadline_s

    async def caller(lengths: list[float]) -> None:
        came_at = clock.time()
        counted = came if came_at >= LEARNING * shape.deadline_s else Came(0.0)
        try:
            with batcher.request(deadline=came_at + shape.deadline_s) as request:
                await all_of(request.submit(Piece(length)) for length in lengths)
        except QueueFull:
            counted.refused_s.append(clock.time() - came_at)
        except (QueueDeadlinePassed, DeadlinePassed):
            counted.expired += 1
        else:
            counted.answered_s.append(clock.time() - came_at)

    tasks = []
    while clock.time() < ends_at:
        await clock.advance(chance.expovariate(multiple * shape.capacity_rps))
        lengths = [chance.uniform(*shape.lengths) for _ in range(shape.rows)]
        tasks.append(asyncio.create_task(caller(lengths)))
    while not all(task.done() for task in tasks):
        await clock.advance(0.05)
    await asyncio.gather(*tasks)
    share = came.goodput_rps / shape.capacity_rps
    refused = f"refused {len(came.refused_s)}, expired {came.expired}"
    print(f"{shape.id}, x{multiple:g}: goodput {share:.2f} of the capacity, {refused}")
    return came


@pytest.fixture(scope="module", params=SHAPES, ids=[shape.id for shape in SHAPES])
def swept(request: pytest.FixtureRequest) -> dict[float, Came]:
    """What came of each load."""

    async def sweep() -> dict[float, Came]:
        return {multiple: await offered(request.param, multiple) for multiple in LOADS}

    return asyncio.run(sweep())


def test_goodput_past_saturation_is_near_its_peak(swept: dict[float, Came]) -> None:
    peak_rps = max(came.goodput_rps for came in swept.values())
    assert swept[3.0].goodput_rps > 0.9 * peak_rps


def test_refusals_past_saturation_are_at_once(swept: dict[float, Came]) -> None:
    came = swept[3.0]
    assert max(came.refused_s) == 0.0
    assert came.expired < 0.1 * len(came.refused_s)


def test_a_lightly_loaded_model_refuses_nobody(swept: dict[float, Came]) -> None:
    assert not swept[0.25].refused_s
