"""Waiting for the callers of the batch that ended: for those who ask again at once alone."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from deployments.batcher import Batcher
from deployments.config import BatchPolicy
from deployments.dispatcher import BatchReply
from deployments.returns import Returns
from tests.unit.clock import VirtualClock, settle

MS = 1 / 1000


def returned(rows: int, after_s: float) -> Returns:
    """What has seen the callers of one batch, which ended at 0, all come at one moment."""
    returns = Returns()
    returns.ended(rows, 0, 0.0)
    for arrivals in range(1, rows + 1):
        returns.came(arrivals, after_s)
    return returns


def test_nothing_is_known_of_callers_before_a_batch_came_back() -> None:
    assert not Returns().is_worth(math.inf)


@pytest.mark.parametrize(
    ("fixed_s", "is_worth"),
    [
        pytest.param(4.0, True, id="sooner than a batch of its own costs"),
        pytest.param(2.0, False, id="hardly sooner"),
        pytest.param(0.0, False, id="a batch costs nothing by itself"),
    ],
)
def test_the_wait_is_worth_less_than_a_batch(fixed_s: float, is_worth: bool) -> None:
    assert returned(10, after_s=2.0).is_worth(fixed_s) is is_worth


def test_the_wait_ends_a_little_after_they_usually_come() -> None:
    returns = returned(10, after_s=2.0)
    returns.ended(10, 10, 100.0)
    assert returns.until(19) == pytest.approx(102.5)


def test_the_wait_ends_when_all_have_come() -> None:
    returns = returned(10, after_s=2.0)
    returns.ended(10, 10, 100.0)
    assert returns.until(20) == -math.inf


def test_a_few_who_leave_do_not_lengthen_the_wait() -> None:
    returns = Returns()
    returns.ended(10, 0, 0.0)
    for arrivals in range(1, 9):
        returns.came(arrivals, 2.0)
    returns.ended(8, 8, 50.0)
    assert returns.until(8) == pytest.approx(52.5)


def test_who_does_not_come_is_not_waited_for() -> None:
    returns = Returns()
    returns.ended(10, 0, 0.0)
    returns.ended(10, 5, 30.0)
    assert not returns.is_worth(30.0)


@dataclass(frozen=True)
class Piece:
    length: float = 1.0


BATCHES = 60


async def batches_of(callers: int, thinks_ms: float) -> tuple[list[int], float]:
    """The rows of the batches, of 10 ms + 1 ms a row, and when the last one left, in seconds."""
    clock = VirtualClock()
    batches: list[int] = []

    async def after(duration_s: float) -> None:
        over = asyncio.Event()
        clock.call_at(clock.time() + duration_s, over.set)
        await over.wait()

    async def dispatch(items: Sequence[Piece]) -> BatchReply[None]:
        batches.append(len(items))
        took_s = (10 + len(items)) * MS
        await after(took_s)
        return BatchReply([None] * len(items), took_s)

    policy = BatchPolicy(max_batch_size=32, max_queue_delay_ms=1000)
    batcher: Batcher[Piece, None] = Batcher("m", dispatch, policy, clock=clock)

    async def caller(number: int) -> None:
        await after(number * 3 * MS)  # they do not begin together
        while True:
            await batcher.submit(Piece())
            await after(thinks_ms * MS)

    tasks = [asyncio.create_task(caller(number)) for number in range(callers)]
    await settle()
    while len(batches) < BATCHES:
        await clock.advance(MS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return batches, clock.time()


async def test_callers_who_ask_again_at_once_come_to_share_one_batch() -> None:
    batches, _ = await batches_of(8, thinks_ms=1)
    assert set(batches[20:]) == {8}


async def test_callers_who_think_longer_than_a_batch_costs_are_not_waited_for() -> None:
    batches, _ = await batches_of(8, thinks_ms=12)
    assert max(batches[20:]) < 8


async def test_one_caller_alone_is_never_held() -> None:
    _, last_s = await batches_of(1, thinks_ms=5)
    assert last_s == pytest.approx((BATCHES - 1) * (11 + 5) * MS, abs=2 * MS)
