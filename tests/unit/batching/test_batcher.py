"""Who is let in, what leaves when, and how long anybody waits, by scripted arrivals."""

from __future__ import annotations

import asyncio

import pytest

from deployments.batching.queue import Outcome, Share
from deployments.config.policy import BatchPolicy
from models.errors import (
    DeadlinePassed,
    QueueDeadlinePassed,
    QueueFull,
)
from tests.support.clock import settle
from tests.unit.batching.bench import Piece, bench, finish_all

# ---- when a batch leaves -------------------------------------------------------------


async def test_a_free_replica_takes_what_waits_at_once() -> None:
    b = bench()
    await b.arrive("a")
    assert b.model.batches == ["a"]
    await finish_all(b)


async def test_what_arrives_together_leaves_together() -> None:
    b = bench()
    await b.arrive("a", "b", "c")
    assert b.model.batches == ["a b c"]
    await finish_all(b)


async def test_what_arrives_while_all_are_busy_gathers() -> None:
    b = bench(max_queue_delay_ms=1000)
    await b.arrive("a")
    await b.arrive("b")
    await b.arrive("c")
    await b.model.finish(0)
    assert b.model.batches == ["a", "b c"]
    await finish_all(b)


async def test_a_full_batch_stands_ready_behind_the_running_one() -> None:
    b = bench(max_queue_delay_ms=1000)
    await b.arrive("a")
    await b.arrive("b", "c", "d", "e")
    assert b.model.batches == ["a", "b c d e"]
    await finish_all(b)


async def test_the_delay_is_counted_from_the_head_not_from_each() -> None:
    b = bench(max_queue_delay_ms=10)
    await b.arrive("a")
    await b.arrive("b")
    await b.clock.advance(0.008)
    await b.arrive("c")
    assert b.model.batches == ["a"]
    await b.clock.advance(0.002)
    assert b.model.batches == ["a", "b c"]
    await finish_all(b)


async def test_no_more_than_two_batches_are_in_flight_a_replica() -> None:
    b = bench(max_queue_delay_ms=0, replicas=2)
    for name in "abcdef":
        await b.arrive(name)
    assert b.model.batches == ["a", "b", "c", "d"]
    await b.model.finish(0)
    assert b.model.batches[4:] == ["e f"]
    await finish_all(b)


async def test_the_delay_counts_from_the_oldest_of_any_priority() -> None:
    b = bench(max_queue_delay_ms=10, priority_levels=2)
    await b.arrive("running")
    await b.arrive("low", priority=2)
    await b.clock.advance(0.008)
    await b.arrive("high", priority=1)
    await b.clock.advance(0.002)
    assert b.model.batches == ["running", "high low"]
    await finish_all(b)


# ---- priorities and order ------------------------------------------------------------


async def test_the_most_urgent_leave_first_and_fifo_within_one() -> None:
    b = bench(max_batch_size=1, priority_levels=3, default_priority=2)
    await b.arrive("running")
    await b.arrive("low", priority=3)
    await b.arrive("default")
    await b.arrive("urgent1", priority=1)
    await b.arrive("urgent2", priority=1)
    for number in range(4):
        await b.model.finish(number)
    # "low" took the ready place while it was alone; the rest go by urgency.
    assert b.model.batches == ["running", "low", "urgent1", "urgent2", "default"]
    await finish_all(b)


@pytest.mark.parametrize("priority", [-1, 0, 4], ids=["negative", "none", "above the levels"])
async def test_a_priority_that_there_is_not_is_the_default(priority: int) -> None:
    b = bench(max_batch_size=1, max_queue_delay_ms=0, priority_levels=3, default_priority=2)
    await b.arrive("running", "next")
    await b.arrive("low", priority=3)
    await b.arrive("asked", priority=priority)
    await b.arrive("high", priority=1)
    await b.model.finish(0, 1, 2, 3)
    assert b.model.batches[2:] == ["high", "asked", "low"]
    await finish_all(b)


# ---- admission and deadlines ---------------------------------------------------------


async def test_a_full_queue_refuses_at_once() -> None:
    b = bench(max_queue_size=2, max_queue_delay_ms=1000)
    await b.arrive("running")
    await b.arrive("a", "b")
    with pytest.raises(QueueFull):
        await b.batcher.submit(Piece("c"))
    assert b.batcher.statistics.refused == 1
    await finish_all(b)


async def test_a_refused_request_of_several_items_is_one_refusal() -> None:
    b = bench(max_queue_size=2, max_queue_delay_ms=1000)
    await b.arrive("running")
    await b.arrive("a", "b")
    with b.batcher.request() as request:
        items = [request.submit(Piece(name)) for name in "cde"]
        refused = await asyncio.gather(*items, return_exceptions=True)
    assert [type(error) for error in refused] == [QueueFull] * 3
    assert len(set(map(id, refused))) == 3  # a caller may add to its own
    assert b.batcher.statistics.refused == 1
    await finish_all(b)


async def test_the_queue_counts_what_waits_not_what_runs() -> None:
    b = bench(max_queue_size=1, max_batch_size=1)
    await b.arrive("running")
    await b.arrive("ready")
    await b.arrive("waiting")
    assert b.batcher.waiting == 1
    await finish_all(b)


async def test_what_can_leave_at_once_does_not_fill_the_queue() -> None:
    b = bench(max_queue_size=1, max_batch_size=1, replicas=3)
    await b.arrive("a", "b", "c", "d")
    assert (b.model.batches, b.batcher.waiting) == (["a", "b", "c", "d"], 0)
    await finish_all(b)


async def test_a_deadline_in_the_queue_is_kept_to_the_moment() -> None:
    b = bench(max_batch_size=1)
    await b.arrive("running", "ready")
    await b.arrive("late", deadline=0.5)
    await b.clock.advance(0.499)
    assert not b.callers["late"].done()
    await b.clock.advance(0.001)
    with pytest.raises(QueueDeadlinePassed):
        await b.callers["late"]
    await finish_all(b)
    assert "late" not in b.model.batches


async def test_a_deadline_while_the_model_runs_is_another_error() -> None:
    b = bench()
    await b.arrive("a", deadline=0.5)
    await b.clock.advance(0.5)
    with pytest.raises(DeadlinePassed):
        await b.callers["a"]
    await finish_all(b)


async def test_the_default_timeout_holds_where_the_caller_names_none() -> None:
    b = bench(default_timeout_s=2.0, max_queue_delay_ms=60_000)
    await b.arrive("running")
    await b.arrive("waiting")
    await b.clock.advance(2.0)
    with pytest.raises(QueueDeadlinePassed):
        await b.callers["waiting"]
    await finish_all(b)


async def test_a_timeout_of_the_queue_does_not_end_what_runs() -> None:
    b = bench(default_timeout_s=2.0)
    await b.arrive("a")
    await b.clock.advance(3.0)
    await b.model.finish(0)
    assert await b.result("a") == "a"


async def test_an_abandoned_item_is_dropped_before_it_costs() -> None:
    b = bench(max_queue_delay_ms=1000)
    await b.arrive("running")
    await b.arrive("left", "stays")
    b.callers["left"].cancel()
    await settle()
    await b.model.finish(0)
    assert b.model.batches == ["running", "stays"]
    await finish_all(b)


async def test_abandoning_a_running_item_leaves_its_neighbour_whole() -> None:
    b = bench()
    await b.arrive("left", "stays")
    b.callers["left"].cancel()
    await b.model.finish(0)
    assert await b.result("stays") == "stays"


# ---- figures and live changes --------------------------------------------------------


async def test_the_outcome_tells_queue_time_execution_and_batch_size() -> None:
    b = bench()
    b.model.execution_s = 0.2
    await b.arrive("before")
    await b.arrive("a", "b")
    await b.clock.advance(0.01)
    await b.model.finish(0, 1)
    outcome = await b.callers["a"]
    assert (outcome.batch_size, outcome.execution_s) == (2, 0.2)
    assert outcome.queue_s == pytest.approx(0.01)


async def test_a_new_policy_applies_to_what_waits() -> None:
    b = bench(max_queue_delay_ms=60_000)
    await b.arrive("running")
    await b.arrive("a", "b")
    assert b.model.batches == ["running"]
    b.batcher.reconfigure(BatchPolicy(max_batch_size=2))
    await settle()
    assert b.model.batches == ["running", "a b"]
    await finish_all(b)


async def test_the_mean_batch_size_is_counted() -> None:
    b = bench()
    await b.arrive("a", "b", "c")
    await finish_all(b)
    assert (b.batcher.statistics.execution_count, b.batcher.statistics.inference_count) == (1, 3)


async def test_more_replicas_take_what_waits_at_once() -> None:
    b = bench(max_batch_size=1, max_queue_delay_ms=0)
    await b.arrive("a", "b", "c")
    b.batcher.retarget(replicas=2, length_buckets=())
    await settle()
    assert b.model.batches == ["a", "b", "c"]
    await finish_all(b)


@pytest.mark.parametrize(
    ("preserve_ordering", "expected_s"),
    [(False, 2 + 1 + 1), (True, 2 + 3 + 1)],
    ids=["by turns", "in the order of arrival"],
)
async def test_a_new_caller_expects_to_wait_for_what_leaves_before(
    preserve_ordering: bool, expected_s: float
) -> None:
    """Two batches in flight, one item or three of another caller, and its own; each takes 1 s."""
    b = bench(max_batch_size=1, preserve_ordering=preserve_ordering)
    await b.arrive("first")
    await b.clock.advance(1.0)
    await b.model.finish(0)
    await b.arrive("running", "behind")
    share = Share()

    async def one(name: str) -> Outcome[str]:
        with b.batcher.request(share=share) as request:
            return await request.submit(Piece(name))

    b.callers |= {name: asyncio.create_task(one(name)) for name in "abc"}
    await settle()
    assert b.batcher.expected_s() == pytest.approx(expected_s)
    await finish_all(b)


async def test_a_batch_that_others_could_not_join_tells_the_model_s_speed() -> None:
    b = bench(max_padding=0)
    await b.arrive("a", Piece("b", 9.0))
    await b.clock.advance(1.0)
    await b.model.finish(0)
    assert b.batcher.expected_s() == pytest.approx(9.0 + 1.0)  # the rest of b, and its own
    await finish_all(b)
