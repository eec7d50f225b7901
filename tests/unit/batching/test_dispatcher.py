"""Each item has its own result or error, whatever fails or dies on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

import pytest

from deployments.batching.batch import BatchReply
from deployments.batching.queue import Outcome
from models.errors import (
    InternalError,
    NotAudio,
    NotReady,
)
from models.runtime import ItemError
from tests.unit.batching.bench import Piece, bench, finish_all


async def test_each_item_gets_its_own_result() -> None:
    b = bench()
    await b.arrive("a", "b", "c")
    await b.model.finish(0)
    assert [await b.result(name) for name in "abc"] == ["a", "b", "c"]


async def test_one_items_error_is_its_own() -> None:
    b = bench()
    b.model.answer = lambda batch: [
        ItemError(NotAudio("bad", param="file")) if p.name == "bad" else p.name for p in batch
    ]
    await b.arrive("a", "bad", "c")
    await b.model.finish(0)
    with pytest.raises(NotAudio):
        await b.callers["bad"]
    assert await b.result("c") == "c"


def poisonous(batch: Sequence[Piece]) -> list[Any]:
    if any(piece.name == "poison" for piece in batch):
        raise ValueError("the model broke")
    return [piece.name for piece in batch]


async def test_a_failed_batch_is_tried_item_by_item() -> None:
    b = bench()
    b.model.answer = poisonous
    await b.arrive("a", "poison", "c")
    await finish_all(b)
    assert b.model.batches == ["a poison c", "a", "poison", "c"]


async def test_a_poisonous_item_fails_alone() -> None:
    b = bench()
    b.model.answer = poisonous
    await b.arrive("a", "poison", "c")
    await finish_all(b)
    assert [await b.result("a"), await b.result("c")] == ["a", "c"]
    with pytest.raises(InternalError):
        await b.callers["poison"]


async def test_a_wrong_number_of_results_is_nobodys_result() -> None:
    b = bench()
    b.model.answer = lambda batch: ["a"] * (1 if len(batch) > 1 else 2)
    await b.arrive("a", "b")
    await finish_all(b)
    with pytest.raises(InternalError):
        await b.callers["a"]


async def test_a_batch_that_hangs_gives_up_its_place_when_nobody_waits() -> None:
    b = bench(max_batch_size=1)
    await b.arrive("hung", deadline=1.0)
    await b.clock.advance(1.999)
    assert b.batcher.in_flight == 1  # as long again, as its replica is busy with it
    await b.clock.advance(0.001)
    assert b.batcher.in_flight == 0
    await b.arrive("next")
    assert b.model.batches[-1] == "next"
    await finish_all(b)


async def test_what_stands_behind_another_and_nobody_waits_for_never_begins() -> None:
    b = bench(max_batch_size=1, max_queue_delay_ms=0)
    await b.arrive("running")
    await b.arrive("behind", deadline=1.0)
    await b.clock.advance(1.0)
    assert b.batcher.in_flight == 1
    await finish_all(b)


async def test_what_never_began_tells_nothing_of_the_model_s_speed() -> None:
    b = bench(max_batch_size=1, max_queue_delay_ms=0)
    await b.arrive("running")
    await b.arrive("behind", deadline=1.0)
    await b.clock.advance(1.0)
    assert b.batcher.expected_s() == 0.0
    await finish_all(b)


async def test_a_model_without_replicas_says_so_to_each() -> None:
    b = bench()

    def gone(batch: Sequence[Piece]) -> list[Any]:
        raise NotReady("no replica")

    b.model.answer = gone
    await b.arrive("a", "b")
    await finish_all(b)
    with pytest.raises(NotReady):
        await b.callers["a"]
    assert b.model.batches == ["a b"]  # not tried one by one


asked_by: ContextVar[str] = ContextVar("asked_by", default="nobody")


async def test_a_batch_runs_in_no_request_s_context() -> None:
    """Serve cancels what was sent from the context of a request whose caller has left."""
    seen: list[str] = []

    async def dispatch(items: Sequence[Piece]) -> BatchReply[str]:
        seen.append(asked_by.get())
        return BatchReply([item.name for item in items], 0.0)

    b = bench(dispatch)
    asked_by.set("a caller")
    await b.arrive("a")
    await finish_all(b)
    assert seen == ["nobody"]


async def test_each_item_has_an_error_of_its_own_where_there_is_no_replica() -> None:
    """Callers add to theirs what they know."""
    b = bench()

    def gone(batch: Sequence[Piece]) -> list[Any]:
        raise NotReady("no replica", param="model")

    b.model.answer = gone
    await b.arrive("a", "b")
    await finish_all(b)
    errors = [b.callers[name].exception() for name in "ab"]
    assert [repr(error) for error in errors] == [repr(NotReady("no replica"))] * 2
    assert [getattr(error, "param", None) for error in errors] == ["model"] * 2
    assert errors[0] is not errors[1]


async def test_the_next_batch_is_sent_before_the_answers_of_the_last_are_handed_out() -> None:
    """A replica would stand idle while the callers of the batch before are answered."""
    happened: list[str] = []
    gate = asyncio.Event()

    async def dispatch(batch: Sequence[Piece]) -> BatchReply[str]:
        for _ in range(3):  # turns of the event loop that the way to a replica takes
            await asyncio.sleep(0)
        happened.append(f"sent {batch[0].name}")
        await gate.wait()
        return BatchReply([piece.name for piece in batch], 0.0)

    b = bench(dispatch, max_queue_delay_ms=60_000)
    await b.arrive("a")
    b.callers["a"].add_done_callback(lambda _: happened.append("answered a"))
    await b.arrive("b")
    gate.set()
    await finish_all(b)
    assert happened == ["sent a", "sent b", "answered a"]


async def test_whoever_waits_for_a_batch_that_was_cut_off_has_an_error() -> None:
    async def dispatch(batch: Sequence[Piece]) -> BatchReply[str]:
        raise asyncio.CancelledError

    b = bench(dispatch)
    await b.arrive("a")
    with pytest.raises(InternalError):
        await b.callers["a"]


async def test_the_wait_behind_another_batch_is_time_in_the_queue() -> None:
    async def dispatch(batch: Sequence[Piece]) -> BatchReply[str]:
        return BatchReply(["a"], execution_s=4.0, waited_s=3.0, input_s=2.0, output_s=1.0)

    b = bench(dispatch)
    await b.arrive("a")
    assert await b.callers["a"] == Outcome("a", 3.0, 2.0, 4.0, 1.0, batch_size=1)
