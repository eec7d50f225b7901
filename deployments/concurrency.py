"""Running a request's parts side by side: bounded, and all of them gone when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def gather_each(
    call: Callable[[T], Awaitable[R]], values: Iterable[T], limit: int
) -> list[R]:
    """``call`` of each value, at most ``limit`` at once, results in order.

    The first error is raised as it is, after the other calls were cancelled.
    """
    some = list(values)
    if len(some) == 1:  # most requests are one clip or one sentence: no task, no places
        return [await call(some[0])]
    places = asyncio.Semaphore(limit)

    async def one(value: T) -> R:
        async with places:
            return await call(value)

    return await all_of(one(value) for value in some)


async def all_of(parts: Iterable[Awaitable[R]]) -> list[R]:
    """Like ``asyncio.gather``, but when one part fails, or the caller leaves, none goes on."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        return await asyncio.gather(*tasks)
    finally:
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
