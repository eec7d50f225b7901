"""Results that are made side by side, passed on in the order of their places."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class InTurn(Generic[T]):
    """Tells each result once those that stand before it were told.

    Args:
        tell: takes the results, one after the other.
    """

    def __init__(self, tell: Callable[[T], None]) -> None:
        self._tell = tell
        self._places = deque[list[T]]()  # each holds its result, once that is there

    def next(self, making: Awaitable[T]) -> Awaitable[T]:
        """Take the next place for a result; await what is returned to make it."""
        place: list[T] = []
        self._places.append(place)
        return self._made(making, place)

    async def _made(self, making: Awaitable[T], place: list[T]) -> T:
        result = await making
        place.append(result)
        while self._places and self._places[0]:
            self._tell(self._places.popleft()[0])
        return result


async def while_working(
    work: Callable[[InTurn[T]], Awaitable[R]],
) -> AsyncGenerator[T | R]:
    """Yield what the work tells in turn, while it goes on, and then what it returns.

    An error of the work is raised behind what was told before it. When the generator is closed,
    the work is cancelled.
    """
    told = asyncio.Queue[list[T]]()  # an empty list: the work has ended

    async def all_work() -> R:
        try:
            return await work(InTurn(lambda result: told.put_nowait([result])))
        finally:
            told.put_nowait([])

    working = asyncio.create_task(all_work())
    try:
        while results := await told.get():
            yield results[0]
        yield await working
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
