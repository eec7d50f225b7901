"""Waiting for the callers of the batch that ended: for those who ask again at once alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from deployments.batching.batch import BatchReply
from deployments.batching.batcher import Batcher
from deployments.batching.concurrency import all_of
from deployments.batching.estimates.returning_callers import Returning
from deployments.config.policy import BatchPolicy
from tests.support.clock import VirtualClock, settle

MS = 1 / 1000


@dataclass(frozen=True)
class Piece:
    length: float = 1.0


BATCHES = 150


@dataclass(frozen=True)
class Scene:
    """Callers in a closed loop before a model that takes 10 ms + 1 ms a unit of a batch's cost.

    Of several replicas the one that is free first takes a batch.
    """

    callers: int
    thinks_ms: float  # before it asks again
    lengths: tuple[float, ...] = (1.0,)  # of the callers' items, in turns
    rows: int = 1  # of one request
    replicas: int = 1
    max_batch_size: int = 32
    max_queue_delay_ms: float = 1000.0
    max_padding: float = 0.5


@dataclass
class Played:
    """A scene that goes on for as long as its clock is moved."""

    clock: VirtualClock
    batcher: Batcher[Piece, None]
    batches: list[int]  # the rows of each
    callers: list[asyncio.Task[None]]

    async def until_batches(self, count: int) -> None:
        while len(self.batches) < count:
            await self.clock.advance(MS)

    async def end(self) -> None:
        for caller in self.callers:
            caller.cancel()
        await asyncio.gather(*self.callers, return_exceptions=True)


async def begun(scene: Scene) -> Played:
    clock = VirtualClock()
    batches: list[int] = []
    free = asyncio.Semaphore(scene.replicas)

    moments: dict[float, asyncio.Event] = {}

    async def after(duration_s: float) -> None:
        """All who wait for one moment go on in one turn of the event loop."""
        at = round(clock.time() + duration_s, 6)
        if at not in moments:
            moments[at] = asyncio.Event()
            clock.call_at(at, moments[at].set)
        await moments[at].wait()

    async def dispatch(items: Sequence[Piece]) -> BatchReply[None]:
        batches.append(len(items))
        took_s = (10 + len(items) * max(item.length for item in items)) * MS
        async with free:
            await after(took_s)
        return BatchReply([None] * len(items), took_s)

    policy = BatchPolicy(
        max_batch_size=scene.max_batch_size,
        max_queue_delay_ms=scene.max_queue_delay_ms,
        max_padding=scene.max_padding,
    )
    batcher: Batcher[Piece, None] = Batcher(
        "m", dispatch, policy, replicas=scene.replicas, clock=clock
    )

    async def caller(number: int) -> None:
        item = Piece(scene.lengths[number % len(scene.lengths)])
        await after(number * 3 * MS)  # they do not begin together
        while True:
            with batcher.request() as request:
                await all_of([request.submit(item) for _ in range(scene.rows)])
            await after(scene.thinks_ms * MS)

    callers = [asyncio.create_task(caller(number)) for number in range(scene.callers)]
    await settle()
    return Played(clock, batcher, batches, callers)


async def left(scene: Scene) -> Played:
    """After many batches and the end of one, whose callers will not come back."""
    played = await begun(scene)
    await played.until_batches(BATCHES)
    while played.batcher.in_flight == scene.replicas:
        await played.clock.advance(MS)
    await played.end()
    return played


async def batches_of(scene: Scene) -> tuple[list[int], float]:
    """The rows of the batches, and when the last one left, in seconds."""
    played = await begun(scene)
    await played.until_batches(BATCHES)
    await played.end()
    return played.batches, played.clock.time()


@pytest.mark.parametrize(
    ("scene", "rows"),
    [
        pytest.param(Scene(8, 1), 8, id="a delay longer than a batch"),
        pytest.param(Scene(8, 1, max_queue_delay_ms=3), 8, id="a delay shorter than a batch"),
        pytest.param(Scene(16, 1, replicas=2), 8, id="two replicas have half of them each"),
        pytest.param(Scene(64, 1, replicas=4), 16, id="four replicas have a quarter each"),
        pytest.param(
            Scene(16, 1, replicas=2, max_batch_size=4), 4, id="more than all batches hold"
        ),
    ],
)
async def test_callers_who_ask_again_at_once_come_to_share_batches(scene: Scene, rows: int) -> None:
    batches, _ = await batches_of(scene)
    assert set(batches[20 * scene.replicas :]) == {rows}


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(Scene(1, 5), id="one caller alone"),
        pytest.param(Scene(8, 30), id="they think longer than a batch costs"),
        pytest.param(Scene(8, 2, (1.0, 4.0), max_padding=0.0), id="they cannot share a batch"),
        pytest.param(Scene(1, 2, rows=9, max_batch_size=8), id="a request larger than a batch"),
        pytest.param(Scene(8, 6, max_queue_delay_ms=5), id="the queue's delay is shorter"),
        pytest.param(Scene(2, 2, replicas=4), id="more replicas than callers"),
        pytest.param(Scene(32, 30, replicas=2), id="two replicas, and they think long"),
        pytest.param(Scene(17, 10, replicas=8), id="a batch has its share before all have come"),
    ],
)
async def test_nobody_waits_who_would_lose_by_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, took_s = await batches_of(scene)
    monkeypatch.setattr(Returning, "is_worth", lambda *_: False)
    rows_without, took_without_s = await batches_of(scene)
    assert sum(rows) / took_s >= 0.98 * sum(rows_without) / took_without_s


async def test_a_deadline_is_not_waited_away() -> None:
    played = await left(Scene(8, thinks_ms=6))
    deadline = played.clock.time() + 13 * MS
    alone = asyncio.create_task(played.batcher.submit(Piece(), deadline=deadline))
    await played.clock.advance(30 * MS)
    assert (await alone).batch_size == 1


async def test_a_full_queue_waits_for_nobody() -> None:
    """Who came back would be refused."""
    played = await left(Scene(8, thinks_ms=6))
    played.batcher.reconfigure(BatchPolicy(max_queue_delay_ms=1000, max_queue_size=1))
    alone = asyncio.create_task(played.batcher.submit(Piece()))
    await played.clock.advance(12 * MS)
    assert alone.done()


async def test_a_free_replica_waits_no_longer_than_the_delay() -> None:
    """Although the callers of one batch after the other may come back."""
    played = await left(Scene(16, thinks_ms=3, replicas=4, max_queue_delay_ms=8))
    clock, batcher = played.clock, played.batcher
    await clock.advance(50 * MS)
    lengths = [0.5, 1.5, 2.5, 3.5]  # of four batches, which end 3 ms after each other
    others = [asyncio.create_task(batcher.submit(Piece(length))) for length in lengths * 3]
    while batcher.in_flight != 3:
        await clock.advance(MS)
    alone = asyncio.create_task(batcher.submit(Piece()))
    await clock.advance((8 + 12) * MS)
    assert alone.done()
    await asyncio.gather(*others)


async def test_a_full_batch_leaves_at_once_though_it_is_more_than_a_share() -> None:
    played = await left(Scene(16, thinks_ms=1, replicas=2))
    await played.clock.advance(50 * MS)
    batcher = played.batcher
    batcher.reconfigure(
        BatchPolicy(max_batch_size=8, max_queue_delay_ms=1000, delay_when_idle=True)
    )
    many = [asyncio.create_task(batcher.submit(Piece())) for _ in range(8)]
    await played.clock.advance(20 * MS)
    assert [one.done() and one.result().batch_size for one in many] == [8] * 8
