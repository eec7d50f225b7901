"""Whether a batch waits for the callers of the one that has just ended: some ask again at once.

Callers who ask again as soon as they are answered fall into two groups that take turns: one
waits while the other runs, and each batch is half of what it could be. Where they come back
sooner than a batch of its own would cost them, waiting for them makes one group of the two.
"""

from __future__ import annotations

import math
from collections import deque

KNOWN = 9  # batches whose callers are remembered
MOST = 0.8  # of a batch's callers: the last ones may have left
SLACK = 1.25  # of the time that they usually take
WORTH = 0.75  # of a batch's fixed cost: what the wait for them may take


class Returns:
    """How soon after a batch's end as many items have come as it had."""

    __slots__ = ("_all", "_most", "_since", "_took_s", "_usual_s", "cost")

    def __init__(self) -> None:
        self.cost = 0.0  # of an item of theirs
        self._since = 0.0  # when the last batch ended
        self._most = self._all = 0  # the numbers of the arrivals that are its callers' return
        self._took_s: deque[float] = deque(maxlen=KNOWN)
        self._usual_s = math.inf  # what three in four of them took at most; not known

    def ended(self, rows: int, cost: float, arrivals: int, now: float) -> None:
        """A batch came back, when so many items had arrived in all.

        ``rows`` are those of callers who may ask again, ``cost`` the mean of one.
        """
        self.cost = cost
        if arrivals < self._most:  # those of the batch before have not come
            self._learn(now - self._since)
        self._since = now
        self._most, self._all = arrivals + math.ceil(MOST * rows), arrivals + rows

    def came(self, arrivals: int, now: float) -> None:
        """One more item is the ``arrivals``-th."""
        if arrivals == self._most:
            self._learn(now - self._since)

    def _learn(self, took_s: float) -> None:
        self._took_s.append(took_s)
        self._usual_s = sorted(self._took_s)[3 * len(self._took_s) // 4]

    @property
    def wait_s(self) -> float:
        """The most that a wait for them takes."""
        return SLACK * self._usual_s

    def is_worth(self, fixed_s: float) -> bool:
        """Whether to wait for them, where a batch costs so much whatever its size."""
        return self._usual_s < WORTH * fixed_s

    def until(self, arrivals: int) -> float:
        """When the wait is over; in the past, if all have come."""
        return self._since + self.wait_s if arrivals < self._all else -math.inf
