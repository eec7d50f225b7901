"""What a batch teaches when it has ended, by how it ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deployments.batching.batch import Batch, BatchReply, Replied
from deployments.batching.learning import End, Learning
from deployments.batching.queue import Ticket
from deployments.config.policy import BatchPolicy
from tests.unit.batching.bench import Piece


def sent(
    learning: Learning,
    costs: list[float],
    at: float,
    *,
    is_full: bool = True,
    is_live: bool = False,
) -> Any:
    """Send a batch of items of these costs."""
    loop = asyncio.get_running_loop()
    tickets: list[Ticket[Piece, str]] = [
        Ticket(Piece("", cost), number, cost, 1, at, loop.create_future(), group=number)
        for number, cost in enumerate(costs)
    ]
    batch = Batch(tickets, at, is_full, is_live)
    learning.sent(batch, replicas=1)
    return batch


def ended(
    learning: Learning,
    batch: Batch[Any, Any],
    took_s: float,
    end: End = End.ANSWERED,
    *,
    were_all_busy: bool = True,
    replicas: int = 1,
) -> None:
    """End a batch; one that was answered has a reply, which took all of the time."""
    now = batch.left_at + took_s
    if end is End.ANSWERED:
        batch.replies.append(Replied(BatchReply([], took_s), batch.rows, batch.padded_cost, now))
    learning.ended(
        batch,
        end,
        now,
        were_all_busy=were_all_busy,
        waiting={1},  # the second item's request has more in the queue
        replicas=replicas,
        policy=BatchPolicy(max_batch_size=4),
    )


@pytest.mark.parametrize(
    ("end", "is_full", "were_all_busy", "s_a_cost"),
    [
        pytest.param(End.ANSWERED, True, True, 0.5, id="a full one that was answered"),
        pytest.param(End.ANSWERED, False, True, 0.0, id="one with room"),
        pytest.param(End.ANSWERED, True, False, 0.0, id="one that ran beside idle replicas"),
        pytest.param(End.HUNG, True, True, 0.5, id="a full one that hung"),
        pytest.param(End.HUNG, False, True, 0.0, id="one with room that hung"),
        pytest.param(End.DROPPED, True, True, 0.0, id="one that never began"),
    ],
)
async def test_full_batches_tell_the_throughput(
    end: End, is_full: bool, were_all_busy: bool, s_a_cost: float
) -> None:
    learning = Learning()
    batch = sent(learning, [1.0, 3.0], at=10.0, is_full=is_full)
    ended(learning, batch, 2.0, end, were_all_busy=were_all_busy)
    assert learning.throughput.s_a_cost == s_a_cost
    assert learning.throughput.ahead_s(12.0) == 0.0


@pytest.mark.parametrize("end", End, ids=lambda end: end.value)
async def test_whatever_came_of_a_batch_it_is_in_flight_no_more(end: End) -> None:
    learning = Learning()
    ended(learning, sent(learning, [4.0], at=0.0), 2.0)
    ended(learning, sent(learning, [4.0], at=10.0), 2.0, end)
    assert learning.throughput.ahead_s(12.0) == 0.0
    assert learning.batch_time.next_at(1) is None


async def test_a_batch_takes_time_by_its_cost_with_padding() -> None:
    learning = Learning()
    ended(learning, sent(learning, [2.0], at=0.0), 4.0)
    ended(learning, sent(learning, [1.0, 3.0], at=10.0), 8.0)  # its cost is 6
    sent(learning, [1.0, 3.0], at=20.0)
    assert learning.batch_time.next_at(1) == pytest.approx(28.0)


async def test_what_live_speech_takes_is_learned_from_batches_of_it_alone() -> None:
    learning = Learning()
    learning.seed([(6.0, 0.3), (12.0, 0.5)])
    ended(learning, sent(learning, [30.0], at=0.0), 5.0)
    assert learning.live_time.expected_s(6.0) == pytest.approx(0.3)
    ended(learning, sent(learning, [18.0], at=10.0, is_live=True), 1.4)
    assert learning.live_time.expected_s(18.0) > 0.7
    assert learning.batch_time.line.expected_s(30.0) > 2.0


async def test_what_is_in_flight_counts_for_the_throughput_without_padding() -> None:
    learning = Learning()
    ended(learning, sent(learning, [1.0, 3.0], at=0.0), 2.0)
    sent(learning, [1.0, 3.0], at=10.0)
    assert learning.throughput.ahead_s(10.0) == 2.0


async def test_callers_of_an_answered_batch_may_return() -> None:
    learning = Learning()
    ended(learning, sent(learning, [1.0, 3.0], at=0.0), 2.0)
    expected = learning.returning_callers.expected()
    assert (expected.missing, expected.cost) == (1, 2.0)


@pytest.mark.parametrize("end", [End.HUNG, End.DROPPED], ids=lambda end: end.value)
async def test_callers_of_a_batch_that_was_given_up_are_not_waited_for(end: End) -> None:
    learning = Learning()
    ended(learning, sent(learning, [1.0], at=0.0), 2.0, end)
    assert learning.returning_callers.expected().missing == 0


# A batch takes 2 s and 1 s a unit of cost: four rows of 2, which is a full one, 10 s.
@pytest.mark.parametrize("replicas", [1, 2])
async def test_batches_of_several_costs_tell_what_a_full_one_would_take(replicas: int) -> None:
    learning = Learning()
    for rows in (1, 2):
        batch = sent(learning, [2.0] * rows, at=20.0 * rows, is_full=False)
        ended(learning, batch, 2.0 + 2.0 * rows, replicas=replicas)
    assert learning.throughput.s_a_cost == pytest.approx(10.0 / 8.0 / replicas)


async def test_a_full_batch_counts_more_than_what_was_guessed_of_one() -> None:
    learning = Learning()
    for rows in (1, 2):
        ended(learning, sent(learning, [2.0] * rows, at=20.0 * rows), 2.0 + 2.0 * rows)
    ended(learning, sent(learning, [2.0], at=60.0, is_full=False), 4.0)
    assert learning.throughput.s_a_cost == pytest.approx((0.9 * 4.0 + 6.0) / (0.9 * 2.0 + 4.0))


async def test_items_of_no_length_teach_nothing_of_cost() -> None:
    learning = Learning()
    for costs in ([2.0], [4.0], [0.0]):
        ended(learning, sent(learning, costs, at=0.0, is_full=False), 2.0)
    assert learning.throughput.is_guessed


async def test_a_batch_has_used_a_replica_by_its_part_of_what_ran() -> None:
    learning = Learning()
    batch = sent(learning, [1.0, 1.0], at=0.0)
    reply: BatchReply[Any] = BatchReply([], execution_s=2.0, together=(8, 8.0))
    batch.replies.append(Replied(reply, batch.rows, batch.padded_cost, 2.0))
    ended(learning, batch, 2.0, End.HUNG)
    assert learning.used_s == 0.5
