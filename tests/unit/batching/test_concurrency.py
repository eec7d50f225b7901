"""A request's parts: bounded, ordered, and none left over."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from deployments.batching.concurrency import all_of, in_order
from tests.support.clock import settle


async def test_results_keep_the_order_of_the_parts() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def wait(number: int) -> int:
        await gates[number].wait()
        return number

    together = asyncio.create_task(all_of(map(wait, range(3))))
    for gate in reversed(gates):
        gate.set()
        await asyncio.sleep(0)
    assert await together == [0, 1, 2]


async def test_the_first_error_stops_the_others() -> None:
    stopped = asyncio.Event()

    async def fail() -> None:
        raise ValueError("first")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    with pytest.raises(ValueError, match="first"):
        await all_of([wait(), fail()])
    assert stopped.is_set()


async def test_a_caller_that_leaves_takes_its_parts_along() -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    together = asyncio.create_task(all_of([wait(), wait()]))
    await started.wait()
    together.cancel()
    with pytest.raises(asyncio.CancelledError):
        await together
    assert stopped.is_set()


class Gates:
    """Calls of which each waits for a gate of its own, and notes how far it came."""

    def __init__(self, count: int) -> None:
        self.open = [asyncio.Event() for _ in range(count)]
        self.begun: list[int] = []
        self.stopped: list[int] = []

    async def __call__(self, number: int) -> int:
        self.begun.append(number)
        try:
            await self.open[number].wait()
        finally:
            self.stopped.append(number)
        if number == 3:
            raise ValueError("of the last")
        return number


async def test_each_result_comes_once_those_before_it_are_there() -> None:
    gates = Gates(3)
    async with aclosing(in_order(gates, range(3))) as results:
        gates.open[1].set()
        gates.open[0].set()
        assert [await anext(results), await anext(results)] == [0, 1]
        gates.open[2].set()
        assert [result async for result in results] == [2]


async def test_the_first_begins_before_the_others() -> None:
    gates = Gates(3)
    first = asyncio.create_task(anext(in_order(gates, range(3))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # in which it begins
    assert gates.begun == [0]
    first.cancel()


async def test_an_error_is_raised_before_the_turn_of_its_call() -> None:
    gates = Gates(4)
    async with aclosing(in_order(gates, range(4))) as results:
        gates.open[3].set()
        with pytest.raises(ValueError, match="of the last"):
            await anext(results)
    assert sorted(gates.stopped) == [0, 1, 2, 3]


async def test_a_reader_that_leaves_takes_the_calls_along() -> None:
    gates = Gates(3)
    async with aclosing(in_order(gates, range(3))) as results:
        first = asyncio.ensure_future(anext(results))
        await settle()
        gates.open[0].set()
        await first
    assert sorted(gates.stopped) == [0, 1, 2]


async def test_nothing_to_call_gives_nothing() -> None:
    assert [result async for result in in_order(Gates(0), [])] == []


@pytest.mark.parametrize("turns", [0, 1, 2], ids=["before", "as they are made", "as they begin"])
async def test_a_caller_that_leaves_while_its_parts_are_made_leaves_none(turns: int) -> None:
    others, ended = asyncio.all_tasks(), []

    async def wait() -> None:
        await asyncio.Event().wait()
        ended.append(1)

    together = asyncio.create_task(all_of([wait(), wait()])) if turns else None
    for _ in range(turns):
        await asyncio.sleep(0)
    if together is None:
        made = (wait() for _ in range(2))
        together = asyncio.create_task(all_of(made))
    together.cancel()
    with pytest.raises(asyncio.CancelledError):
        await together
    assert asyncio.all_tasks() == others
    assert not ended
