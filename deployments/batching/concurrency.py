"""Run a request's parts side by side: results in order, and all parts end when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def all_of(parts: Iterable[Awaitable[R]]) -> list[R]:
    """Return the results of all parts, in order.

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
        tasks.clear()  # an error's traceback holds this frame: no cycle


async def in_order(call: Callable[[T], Awaitable[R]], items: Iterable[T]) -> AsyncGenerator[R]:
    """Yield the result of each item's call as soon as it and those before it are there.

    All run side by side, but the first is a turn of the event loop ahead: a model that stands
    idle begins with it alone, instead of with a batch of all. When one fails, none goes on, and
    its error is raised at once, whoever's turn it is; when the generator is closed, none goes on
    either.
    """
    tasks: list[asyncio.Future[R]] = []
    try:
        for item in items:
            tasks.append(asyncio.ensure_future(call(item)))
            if len(tasks) == 1:
                await asyncio.sleep(0)
        running = set(tasks)
        for task in tasks:
            while not task.done():
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for other in done:
                    other.result()
            yield task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def detached(work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
    """Start a task in no request's context.

    Serve cancels what was sent in the context of a request whose caller has left.
    """
    return asyncio.get_running_loop().create_task(work, context=Context())
