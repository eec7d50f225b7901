"""When a batch leaves for replicas that other ingresses use, too."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from deployments.batching.batch import BatchReply, Rows
from deployments.batching.batcher import Batcher
from deployments.batching.shared import EARLY, SharedReplica
from deployments.config.policy import BatchPolicy
from tests.support.clock import VirtualClock, settle

HOP_S = 1.0


class TestSharedReplica:
    def test_a_batch_leaves_now_while_nothing_is_known(self) -> None:
        assert SharedReplica().next_at(HOP_S, is_free=False) < 0

    def test_it_leaves_before_the_replica_is_expected_to_be_free(self) -> None:
        shared = SharedReplica()
        shared.told(100.0, 20.0)
        free_at = 100 + 20 * (1 - EARLY)
        assert shared.next_at(HOP_S, is_free=False) == pytest.approx(free_at - HOP_S)

    def test_what_was_told_last_counts(self) -> None:
        shared = SharedReplica()
        shared.told(100.0, 20.0)
        shared.told(105.0, 0.0)
        assert shared.next_at(HOP_S, is_free=False) == 105 - HOP_S

    def test_it_leaves_now_where_another_replica_is_free(self) -> None:
        shared = SharedReplica()
        shared.told(100.0, 20.0)
        assert shared.next_at(HOP_S, is_free=True) < 0

    def test_a_hop_lies_between_two_batches(self) -> None:
        shared = SharedReplica()
        shared.left(50.0)
        assert shared.next_at(HOP_S, is_free=True) == 50 + HOP_S


@dataclass(frozen=True)
class Piece:
    length: float = 1.0


class Model:
    """A replica that says that it is busy for 100 s, of ways there and back of a second."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock, self.batches = clock, list[Sequence[Piece]]()
        self.gates: list[asyncio.Event] = []
        self.busy_s: float | None = 100.0

    async def __call__(self, rows: Sequence[Piece]) -> BatchReply[None]:
        self.batches.append(rows)
        self.gates.append(asyncio.Event())
        await self.gates[-1].wait()
        execution_s, way_s = 10.0, HOP_S / 2
        return BatchReply([None] * len(rows), execution_s, 0.0, way_s, way_s, busy_s=self.busy_s)

    async def end(self, number: int) -> None:
        self.gates[number].set()
        await settle()

    @property
    def rows(self) -> list[int]:
        return [*map(len, self.batches)]


class Bench:
    """A batcher before that replica."""

    def __init__(self, **policy: object) -> None:
        self.clock = VirtualClock()
        self.model = Model(self.clock)
        policy_of = BatchPolicy.model_validate(
            {"max_batch_size": 4, "max_queue_delay_ms": 5_000, **policy}
        )
        self.batcher: Batcher[Piece, None] = Batcher(
            "model", self.model, policy_of, clock=self.clock
        )
        self.callers: list[asyncio.Task[object]] = []

    async def come(self, count: int = 1) -> None:
        for _ in range(count):
            self.callers.append(asyncio.create_task(self.batcher.submit(Piece())))
        await settle()

    async def told(self) -> None:
        """Run one batch, so that the replica has told that it is busy."""
        await self.come()
        await self.model.end(0)

    async def over(self) -> None:
        for caller in self.callers:
            caller.cancel()
        await asyncio.gather(*self.callers, return_exceptions=True)


async def test_items_are_kept_back_until_shortly_before_the_replica_is_free() -> None:
    bench = Bench()
    await bench.told()
    await bench.come(2)
    free_at = bench.clock.time() - HOP_S / 2 + 100 * (1 - EARLY)
    await bench.clock.advance(free_at - HOP_S - 0.1)
    assert bench.model.rows == [1]
    await bench.clock.advance(0.2)
    assert bench.model.rows == [1, 2]
    await bench.over()


async def test_the_replica_is_told_how_long_they_were_kept_back() -> None:
    bench = Bench()
    await bench.told()
    await bench.come()
    await bench.clock.advance(10.0)
    await bench.come()
    await bench.clock.advance(90.0)
    (rows,) = bench.model.batches[1:]
    assert isinstance(rows, Rows)
    left_after_s = 100 * (1 - EARLY) - HOP_S / 2 - HOP_S
    assert rows.held_s == pytest.approx([left_after_s - HOP_S, left_after_s - 10 - HOP_S])
    await bench.over()


async def test_a_full_batch_is_not_kept_back() -> None:
    bench = Bench()
    await bench.told()
    bench.batcher.learning.batch_time.line.learn(4.0, 0.01)  # a long one would be, as ever
    await bench.come(4)
    assert bench.model.rows == [1, 4]
    await bench.over()


async def test_items_of_a_free_replica_leave_as_they_come_a_hop_apart() -> None:
    bench = Bench()
    bench.model.busy_s = 0.0
    await bench.told()
    await bench.come()
    await bench.come(2)
    assert bench.model.rows == [1, 1]
    await bench.clock.advance(HOP_S)
    assert bench.model.rows == [1, 1, 2]
    await bench.over()


async def test_a_free_replica_is_waited_for_as_ever_while_callers_come_back() -> None:
    bench = Bench()
    bench.model.busy_s = 0.0
    line, callers = bench.batcher.learning.batch_time.line, bench.batcher.learning.returning_callers
    for rows in (1.0, 4.0):
        line.learn(rows, 10 + rows)
    await bench.told()
    callers.ended(3, 1.0, bench.clock.time(), replicas=1)  # and they come back after 2 s
    for _ in range(3):
        callers.came(bench.clock.time() + 2)
    callers.ended(3, 1.0, bench.clock.time(), replicas=1)
    await bench.clock.advance(HOP_S)
    await bench.come(2)
    assert bench.model.rows == [1]
    await bench.come()
    assert bench.model.rows == [1, 3]
    await bench.over()


async def test_no_more_than_two_full_batches_of_rows_are_in_flight() -> None:
    bench = Bench()
    bench.model.busy_s = 0.0
    await bench.told()
    for _ in range(10):
        await bench.come()
        await bench.clock.advance(HOP_S)
    assert bench.model.rows == [1, *[1] * 8]
    await bench.over()


async def test_a_live_session_ends_that() -> None:
    bench = Bench()
    await bench.told()
    with bench.batcher.open_live():
        await bench.come()
        assert bench.model.rows == [1, 1]
    await bench.over()
