"""Counts of what waits: they are exact again whenever the queue is empty."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deployments.batching.queue import Queue, Share, Ticket
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
