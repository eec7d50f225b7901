"""Wait on the session's clock, and try again what a model could not do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from deployments.batching.clock import Clock
from models.errors import CallerError, DragomanError, is_fault

R = TypeVar("R")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 4.0  # between two tries


async def until(clock: Clock, when: float) -> None:
    """Wait until a time on a clock."""
    over = asyncio.Event()
    timer = clock.call_at(when, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()


async def patiently(call: Callable[[], Awaitable[R]], clock: Clock, within_s: float) -> R:
    """Call until it succeeds, for a bounded time.

    Raises:
        DragomanError: the last one; a ``CallerError`` at once, as it would only come again.
    """
    ends_at = clock.time() + within_s
    wait_s = FIRST_WAIT_S
    while True:
        try:
            return await call()
        except CallerError:
            raise
        except DragomanError:
            if clock.time() + wait_s > ends_at:
                raise
        await until(clock, clock.time() + wait_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def told(error: DragomanError) -> str:
    """Return what a caller may be told of an error."""
    return "internal error" if is_fault(error) else error.message
