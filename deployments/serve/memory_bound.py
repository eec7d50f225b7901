"""Learn the largest batch that a replica's memory holds, from the batches that did not fit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from models.passes import passes

# Until a batch of twice the cost is tried again, as other processes may have left the GPU. A try
# that fails costs the batch its time once, and no request its answer.
HOLDS_S = 600.0


def cost_of(lengths: Sequence[float]) -> float:
    """Return a batch's cost with padding: rows times the longest, or rows if none has a length."""
    return len(lengths) * (max(lengths) or 1.0)


class MemoryBound:
    """Halve the bound with each batch that does not fit; double it while all fit."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed_at = 0.0
        self._largest = 0.0  # of the batches that were asked for
        self.cost: float | None = None  # None: every batch has fitted

    def exceeded(self, cost: float) -> None:
        """Note that a batch of several rows did not fit."""
        self.cost = cost / 2 if self.cost is None else min(self.cost, cost / 2)
        self._changed_at = self._clock()

    def parts(self, lengths: Sequence[float]) -> list[list[int]]:
        """Split a batch into parts within the bound: indices of rows; one row alone always runs."""
        self._largest = max(self._largest, cost_of(lengths))
        self._relax()
        bound = self.cost
        if bound is None or cost_of(lengths) <= bound:
            return [list(range(len(lengths)))]
        return passes(lengths, lambda together: cost_of(together) <= bound)

    def _relax(self) -> None:
        if self.cost is None or self._clock() - self._changed_at < HOLDS_S:
            return
        self._changed_at = self._clock()
        self.cost = 2 * self.cost
        if self.cost >= self._largest:
            self.cost = None
