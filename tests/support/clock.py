"""A clock that only moves when a test says so."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TURNS = 20  # of the event loop at most, where tasks go on without end


class _Timer:
    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.callback, self.args, self.cancelled = callback, args, False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualClock:
    """Stands for the event loop's time; ``advance`` fires what falls due, in order."""

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[tuple[float, int, _Timer]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> _Timer:
        timer = _Timer(callback, args)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    async def advance(self, duration_s: float) -> None:
        """Move on, letting every task settle before and after each timer."""
        end = self._now + duration_s
        await settle()
        while self._timers and self._timers[0][0] <= end + 1e-9:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if not timer.cancelled:
                timer.callback(*timer.args)
            await settle()
        self._now = end


async def settle() -> None:
    """Let every task run until it waits for the clock or for a gate."""
    loop: Any = asyncio.get_running_loop()
    for _ in range(TURNS):
        await asyncio.sleep(0)
        if not loop._ready:  # nobody else has a turn: no more come of waiting
            return


@dataclass
class UnixClock:
    """Seconds since the epoch, which move when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now
