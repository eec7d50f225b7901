"""Batches whose replica died: they go to another one, and no item takes others down with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from deployments.batching.batch import BatchReply, ReplicaLost
from deployments.batching.dispatcher import LOSS_PAUSE_S
from models.errors import (
    DeadlinePassed,
    InternalError,
)
from tests.unit.batching.bench import Piece, bench, finish_all


async def test_a_batch_whose_replica_died_goes_to_another() -> None:
    b = bench()
    deaths = iter([True, False])

    def dies_once(batch: Sequence[Piece]) -> list[Any]:
        if next(deaths):
            raise ReplicaLost
        return [piece.name for piece in batch]

    b.model.answer = dies_once
    await b.arrive("a", "b")
    await finish_all(b)
    assert [await b.result("a"), await b.result("b")] == ["a", "b"]
    assert b.model.batches == ["a b", "a b"]


async def test_a_wait_for_a_replica_to_start_is_expected_of_nobody() -> None:
    b = bench(max_batch_size=1)
    b.model.execution_s = 1.0
    await b.arrive("a")
    await b.clock.advance(15.0)
    await b.model.finish(0)
    await b.arrive("b")
    assert b.batcher.expected_s() == pytest.approx(2.0)  # the rest of b, and its own
    await finish_all(b)


async def test_a_lost_batch_is_not_sent_again_after_its_deadline() -> None:
    b = bench()
    await b.arrive("a", deadline=0.5)
    await b.clock.advance(0.5)
    with pytest.raises(DeadlinePassed):
        await b.callers["a"]

    def dies(batch: Sequence[Piece]) -> list[Any]:
        raise ReplicaLost

    b.model.answer = dies
    await b.model.finish(0)
    await b.clock.advance(1.0)
    assert b.model.batches == ["a"]


async def test_an_item_that_kills_replicas_fails_alone() -> None:
    b = bench()

    def killed_by_poison(batch: Sequence[Piece]) -> list[Any]:
        if any(piece.name == "poison" for piece in batch):
            raise ReplicaLost
        return [piece.name for piece in batch]

    b.model.answer = killed_by_poison
    await b.arrive("a", "poison")
    await finish_all(b)
    assert await b.result("a") == "a"
    with pytest.raises(InternalError, match="died under this item"):
        await b.callers["poison"]
    assert b.model.batches == ["a poison", "a poison", "a", "poison", "poison"]


async def test_the_batch_behind_a_deadly_one_is_not_blamed() -> None:
    running: list[asyncio.Event] = []

    async def dispatch(batch: Sequence[Piece]) -> BatchReply[str]:
        """A poisonous item takes the replica down under every batch that is in flight."""
        died = asyncio.Event()
        running.append(died)
        await asyncio.sleep(0)
        if any(piece.name == "poison" for piece in batch):
            for other in running:
                other.set()
        await asyncio.sleep(0)
        running.remove(died)
        if died.is_set():
            raise ReplicaLost
        return BatchReply([piece.name for piece in batch], 0.0)

    b = bench(dispatch, max_batch_size=2)
    await b.arrive("poison", "a", "b", "c")
    await finish_all(b)
    assert [await b.result(name) for name in "abc"] == ["a", "b", "c"]
    with pytest.raises(InternalError, match="died under this item"):
        await b.callers["poison"]


async def test_suspects_of_two_batches_run_one_after_another() -> None:
    """Else one that kills its replica would be blamed on the other."""
    running, most = 0, 0

    async def dispatch(batch: Sequence[Piece]) -> BatchReply[str]:
        nonlocal running, most
        if len(batch) > 1:
            raise ReplicaLost
        running += 1
        most = max(most, running)
        over = asyncio.Event()
        b.clock.call_at(b.clock.time() + 1.0, over.set)
        await over.wait()
        running -= 1
        return BatchReply([piece.name for piece in batch], 0.0)

    b = bench(dispatch, replicas=2, max_batch_size=2)
    await b.arrive("a", "b", "c", "d")
    await finish_all(b)
    assert [await b.result(name) for name in "abcd"] == list("abcd")
    assert most == 1


async def test_a_batch_that_was_lost_or_tried_item_by_item_is_counted() -> None:
    b = bench()
    errors = iter([ReplicaLost(), ValueError("the model broke")])

    def fails_twice(batch: Sequence[Piece]) -> list[Any]:
        for error in errors:
            raise error
        return [piece.name for piece in batch]

    b.model.answer = fails_twice
    await b.arrive("a", "b")
    await finish_all(b)
    assert (b.batcher.statistics.sent_again, b.batcher.statistics.split) == (1, 1)


async def test_a_lost_batch_is_sent_again_after_a_pause() -> None:
    """Routing must have noticed the death."""
    b = bench()

    def dies(batch: Sequence[Piece]) -> list[Any]:
        raise ReplicaLost

    b.model.answer = dies
    await b.arrive("a")
    await b.model.finish(0)
    await b.clock.advance(0.9 * LOSS_PAUSE_S)
    assert b.model.batches == ["a"]
    await b.clock.advance(0.1 * LOSS_PAUSE_S)
    assert b.model.batches == ["a", "a"]
    await finish_all(b)


async def test_a_suspect_whose_deadline_passed_is_not_sent_again() -> None:
    alone: list[str] = []

    async def dispatch(batch: Sequence[Piece]) -> BatchReply[str]:
        if len(batch) > 1:
            raise ReplicaLost
        alone.append(batch[0].name)
        over = asyncio.Event()
        b.clock.call_at(b.clock.time() + 10.0, over.set)
        await over.wait()
        return BatchReply([batch[0].name], 10.0)

    b = bench(dispatch)
    long = asyncio.create_task(b.batcher.submit(Piece("long")))
    await b.arrive("late", deadline=5.0)
    await b.clock.advance(30.0)
    assert (await long).result == "long"
    await finish_all(b)
    assert alone == ["long"]
