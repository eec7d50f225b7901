"""Running a request's parts side by side: in order, and all of them gone when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from contextvars import Context
from typing import Any, TypeVar

R = TypeVar("R")


async def all_of(parts: Iterable[Awaitable[R]]) -> list[R]:
    """The results of all parts, in order.

    Like ``asyncio.gather``, but when one part fails, or the caller leaves, none goes on: the
    first error is raised as it is, after the others were cancelled.
    """
    awaitables = list(parts)
    if len(awaitables) == 1:  # most requests are one clip or one sentence: no task for that
        return [await awaitables[0]]
    tasks = [asyncio.ensure_future(part) for part in awaitables]
    try:
        return await asyncio.gather(*tasks)
    finally:
        unfinished = [task for task in tasks if not task.done()]
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)


def detached(work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
    """A task in no request's context: Serve cancels what was sent in that of one who has left."""
    return asyncio.get_running_loop().create_task(work, context=Context())
