"""The largest batch that a replica's memory holds, as the batches told that it did not hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from models.passes import passes

# Until a batch of twice the cost is tried again: others on the GPU may have left. A try that fails
# costs the batch its time once, and no request its answer.
HOLDS_S = 600.0


def cost_of(lengths: Sequence[float]) -> float:
    """Of a batch with its padding: its rows times the longest; of no length, its rows."""
    return len(lengths) * (max(lengths) or 1.0)


class MemoryBound:
    """Halves with each batch that did not fit, and doubles again while all fit."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed_at = 0.0
        self._largest = 0.0  # of the batches that were asked for
        self.cost: float | None = None  # None: every batch has fitted

    def exceeded(self, cost: float) -> None:
        """A batch of several rows did not fit."""
        self.cost = cost / 2 if self.cost is None else min(self.cost, cost / 2)
        self._changed_at = self._clock()

    def parts(self, lengths: Sequence[float]) -> list[list[int]]:
        """The rows of a batch that run together: their indices; a row alone always runs."""
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
