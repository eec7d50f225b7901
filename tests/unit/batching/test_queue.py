"""The queue's counts are those of what waits, and every item has its turn."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.batching.queue import Outcome, Queue, Share, Ticket
from tests.unit.batching.bench import Piece

COSTS = (0.1, 0.2, 0.3)  # their sum less each of them is not 0


def ticket(number: int, cost: float, share: Share, priority: int = 1) -> Ticket[Piece, str]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    item = Piece(str(number), cost)
    return Ticket(item, number, cost, priority, 0.0, future, group=share, share=share)


@pytest.mark.parametrize("is_first", [False, True], ids=["of all items", "of first items"])
async def test_rounding_is_forgotten_when_the_queue_is_empty(is_first: bool) -> None:
    queue: Queue[Piece, str] = Queue()
    share = Share()
    first = ticket(0, 1.0, share)
    later = [ticket(number, cost, share) for number, cost in enumerate(COSTS, start=1)]
    for each in (first, *later):
        queue.add(each)
    for each in (first, *later):
        queue.remove(each)
    assert queue.cost_before(1, is_first=is_first) == 0.0


async def test_another_level_s_cost_stays_when_one_is_empty() -> None:
    queue: Queue[Piece, str] = Queue()
    first, second = ticket(1, 2.0, Share(), priority=1), ticket(2, 3.0, Share(), priority=2)
    queue.add(first)
    queue.add(second)
    queue.remove(first)
    assert (queue.cost_before(1), queue.cost_before(2)) == (0.0, 3.0)


async def test_what_would_leave_before_a_new_caller_s_item_is_without_others_later_items() -> None:
    queue: Queue[Piece, str] = Queue()
    share = Share()
    first, later = ticket(1, 1.0, share), ticket(2, 2.0, share)
    less_urgent = Share()
    others = [
        *(ticket(3, 4.0, Share()), ticket(4, 8.0, less_urgent, priority=2)),
        ticket(5, 16.0, less_urgent, priority=2),
    ]
    for each in (first, later, *others):
        queue.add(each)
    assert (queue.cost_before(1), queue.cost_before(1, is_first=True)) == (7.0, 5.0)
    assert (queue.cost_before(2), queue.cost_before(2, is_first=True)) == (31.0, 13.0)
    queue.remove(later)
    assert queue.cost_before(1, is_first=True) == 5.0


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [(2, 0, 3.0), (1, 2, 3.0)],
    ids=["as many as waited when it left", "as many as wait when it ends"],
)
async def test_a_batch_is_divided_by_the_callers_who_waited(
    before: int, after: int, turn: float
) -> None:
    """The turn of a newcomer is how far the callers' time has gone on."""
    queue: Queue[Piece, str] = Queue()
    number = 0

    def came(callers: int) -> list[Ticket[Piece, str]]:
        nonlocal number
        found = []
        for _ in range(callers):
            number += 1
            found.append(ticket(number, 6.0, Share()))
            queue.add(found[-1])
        return found

    queue.take(came(before)[:1])
    rest = came(after)
    for each in list(queue):
        if each not in rest:
            queue.remove(each)
    queue.take(rest[:1])
    assert came(1)[0].turn == turn


async def test_a_row_whose_first_one_has_left_has_a_turn_of_its_own() -> None:
    queue: Queue[Piece, str] = Queue()
    share = Share()
    first, beside, behind = (ticket(number, 2.0, share) for number in range(3))
    queue.add(first)
    queue.add(beside, is_row=True)
    assert beside.turn == first.turn
    queue.take([first, beside])
    queue.add(behind, is_row=True)
    assert behind.turn == share.ends > first.turn


def test_what_an_item_waited_is_all_but_the_model_s_own_time() -> None:
    assert Outcome("", queue_s=1.0, input_s=2.0, execution_s=4.0, output_s=8.0).waited_s == 11.0


# ---- whatever comes and goes -----------------------------------------------------------

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 4), st.floats(0.1, 50)),
        st.tuples(st.just("take"), st.integers(1, 4), st.just(0.0)),
        st.tuples(st.just("leave"), st.integers(0, 99), st.just(0.0)),
    ),
    max_size=60,
)


@given(ACTIONS)
@settings(deadline=None)
async def test_the_queues_counts_are_those_of_what_waits(
    actions: list[tuple[str, int, float]],
) -> None:
    queue: Queue[Piece, str] = Queue()
    shares, waiting = [Share() for _ in range(5)], []
    for number, (what, which, cost) in enumerate(actions):
        if what == "add":
            waiting.append(ticket(number, cost, shares[which], 1 + which % 2))
            queue.add(waiting[-1])
        elif what == "take" and (head := queue.head()):
            batch = [head, *(t for t in queue if t is not head)][:which]
            queue.take(batch)
            waiting = [t for t in waiting if t not in batch]
        elif what == "leave" and waiting:
            queue.remove(waiting.pop(which % len(waiting)))
        assert list(queue) == sorted(waiting, key=lambda t: (t.priority, t.number))
        assert queue.callers == len({id(t.share) for t in waiting})
        assert [s.waiting for s in shares] == [sum(t.share is s for t in waiting) for s in shares]
        first = min(waiting, key=lambda t: (t.priority, t.turn, t.number), default=None)
        assert queue.head() is first


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=20), st.floats(0.1, 200))
@settings(deadline=None)
async def test_an_item_of_any_cost_has_its_turn_behind_a_flood(
    costs: list[float], cost: float
) -> None:
    """Newcomers of one item each, one after another as fast as they leave."""
    queue: Queue[Piece, str] = Queue()
    old = ticket(0, cost, Share())
    queue.add(old)
    turns = 0
    while (head := queue.head()) is not old:
        if head is not None:
            queue.take([head])
        turns += 1
        queue.add(ticket(turns, costs[turns % len(costs)], Share()))
        assert turns <= 2 * cost / min(costs) + 10
