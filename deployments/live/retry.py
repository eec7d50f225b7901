"""Ask a model again where it cannot answer just now: its replica died, or it starts anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from deployments.batching.clock import Clock
from models.errors import CallerError, DragomanError

R = TypeVar("R")

PATIENCE_S = 30.0  # from the first failure on
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0


async def asked(ask: Callable[[], Awaitable[R]], clock: Clock) -> R:
    """Return a model's answer, asked for again until there is one.

    Raises:
        DragomanError: the last failure, once patience ends; at once where the question is at fault.
    """
    pause_s, until_s = FIRST_PAUSE_S, None
    while True:
        try:
            return await ask()
        except CallerError:
            raise
        except DragomanError:
            until_s = clock.time() + PATIENCE_S if until_s is None else until_s
            if clock.time() + pause_s > until_s:
                raise
        await passed(pause_s, clock)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


async def passed(duration_s: float, clock: Clock) -> None:
    """Wait for so long."""
    over = asyncio.get_running_loop().create_future()

    def end() -> None:
        if not over.done():
            over.set_result(None)

    timer = clock.call_at(clock.time() + duration_s, end)
    try:
        await over
    finally:
        timer.cancel()
