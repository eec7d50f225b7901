"""The clock that the batcher reads and waits on: the event loop's, or a test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol


class Timer(Protocol):
    """Cancel a callback that is still to come."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Tell the time and wait for it, as an asyncio event loop does."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Timer: ...


class LoopClock:
    """Use the running event loop's timers on a finer clock: uvloop's own counts milliseconds."""

    def time(self) -> float:
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Timer:
        return asyncio.get_running_loop().call_at(when, callback, *args)
