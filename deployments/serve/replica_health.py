"""Tell Serve to replace a replica whose batches hang or all fail."""

from __future__ import annotations

import time
from collections.abc import Callable

STUCK_S = 300.0  # far above any batch that the policies allow
# Batches in a row that failed as a whole on a GPU. After an error such as an illegal memory access
# every later call on a CUDA context fails, and only a new process helps. One or two failures may
# come from the items. On a CPU a failure leaves nothing behind, and no caller can end a replica.
FAILED_IN_A_ROW = 3


class Health:
    """Follow the batches of one replica.

    Args:
        name: of the model.
        clock: tells seconds.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._busy_since: float | None = None
        self._failed_in_a_row = 0

    def begin(self) -> None:
        """Note that a batch begins."""
        self._busy_since = self._clock()

    def end(self, *, failed: bool) -> None:
        """Note that it has ended; ``failed``: as a whole, on a GPU."""
        self._busy_since = None
        self._failed_in_a_row = self._failed_in_a_row + 1 if failed else 0

    def check(self) -> None:
        """Check the replica. Raises RuntimeError: a batch runs for too long, or too many failed."""
        if self._busy_since is not None and self._clock() - self._busy_since > STUCK_S:
            raise RuntimeError(f"model {self._name!r} is stuck in one batch")
        if self._failed_in_a_row >= FAILED_IN_A_ROW:
            raise RuntimeError(
                f"model {self._name!r} failed on {self._failed_in_a_row} batches in a row"
            )
