"""Give memory of large bodies back to the system: glibc, as the launcher sets it, keeps it."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

WORTH_BYTES = 64 << 20  # freed since the last time
PAUSE_S = 1.0  # what comes and goes meanwhile is given back together

# glibc's own; elsewhere nothing is kept that this could give back.
_trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)


class Trimmer:
    """Count what was freed, and trim the heap in a thread once that is much."""

    def __init__(self) -> None:
        self._freed_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def freed(self, size_bytes: int) -> None:
        """Count bytes that were freed just now, on the event loop."""
        self._freed_bytes += size_bytes
        if self._freed_bytes >= WORTH_BYTES and self._timer is None and _trim is not None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE_S, self._give_back)

    def _give_back(self) -> None:
        self._freed_bytes, self._timer = 0, None
        assert _trim is not None
        asyncio.get_running_loop().run_in_executor(None, _trim, 0)
