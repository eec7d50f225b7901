"""Results that are made side by side and told in the order of their places."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from deployments.graph.in_turn import InTurn, while_working
from tests.support.clock import settle


class Gated:
    """Numbers that are made once they may be."""

    def __init__(self, count: int) -> None:
        self.gates = [asyncio.Event() for _ in range(count)]
        self.cancelled: list[int] = []

    async def make(self, number: int) -> int:
        try:
            await self.gates[number].wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        return number

    def work(self, error: Exception | None = None) -> AsyncGenerator[int | str]:
        async def all_work(turns: InTurn[int]) -> str:
            await asyncio.gather(*[turns.next(self.make(n)) for n in range(len(self.gates))])
            if error is not None:
                raise error
            return "the whole"

        return while_working(all_work)


async def test_a_result_waits_for_those_before_it() -> None:
    gated, told = Gated(3), list[int | str]()
    async with aclosing(gated.work()) as results:

        async def read() -> None:
            told.extend([result async for result in results])

        reading = asyncio.create_task(read())
        gated.gates[2].set()
        gated.gates[1].set()
        await settle()
        assert told == []
        gated.gates[0].set()
        await reading
    assert told == [0, 1, 2, "the whole"]


async def test_the_first_result_comes_before_the_last_is_made() -> None:
    gated = Gated(2)
    gated.gates[0].set()
    async with aclosing(gated.work()) as results:
        assert await anext(results) == 0
        assert not gated.gates[1].is_set()


async def test_an_error_comes_behind_what_was_told() -> None:
    gated = Gated(1)
    gated.gates[0].set()
    results = gated.work(ValueError("the end"))
    assert await anext(results) == 0
    with pytest.raises(ValueError, match="the end"):
        await anext(results)


async def test_nothing_is_made_for_a_reader_who_left() -> None:
    gated = Gated(2)
    gated.gates[0].set()
    results = gated.work()
    await anext(results)
    await results.aclose()
    assert gated.cancelled == [1]
