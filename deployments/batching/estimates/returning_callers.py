"""Estimate how soon callers of a batch that ended ask again: the next one may wait for them.

Callers who ask again as soon as they are answered fall into two groups that take turns: one
waits while the other runs, and each batch is half of what it could be. Where they come back
sooner than a batch of its own would cost them, waiting for them makes one group of the two.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

KNOWN = 9  # batches whose callers are remembered
MOST = 0.8  # of a batch's callers: the last ones may have left
SLACK = 1.25  # of the time that they usually take
WORTH = 0.75  # of a batch's fixed cost: what the wait for them may take


class Returning(NamedTuple):
    """The callers who are expected to ask again."""

    usual_s: float = math.inf  # what three in four batches' callers took at most; not known
    until: float = -math.inf  # when the wait for the last of them is over; the past: none misses
    missing: int = 0  # how many have not come back
    cost: float = 0.0  # of an item of theirs

    @property
    def wait_s(self) -> float:
        """Return the most that a wait for them takes."""
        return SLACK * self.usual_s

    def is_worth(self, fixed_s: float) -> bool:
        """Tell whether to wait for them, where a batch costs so much whatever its size."""
        return self.usual_s < WORTH * fixed_s


@dataclass(slots=True)
class Ended:
    """A batch that came back, and how many items have come for it since."""

    at: float
    rows: int
    came: int = 0

    @property
    def enough(self) -> int:
        """Return how many tell how soon its callers come back."""
        return math.ceil(MOST * self.rows)


class ReturningCallers:
    """Measure how soon after a batch's end as many items have come as it had.

    Whosever an item is, it counts for the oldest batch whose callers are not all back.
    """

    __slots__ = ("_awaited", "_cost", "_took_s", "_usual_s")

    def __init__(self) -> None:
        self._cost = 0.0  # of an item of theirs
        self._awaited: deque[Ended] = deque()  # the oldest first
        self._took_s: deque[float] = deque(maxlen=KNOWN)
        self._usual_s = math.inf

    def ended(
        self, rows: int, cost: float, now: float, *, replicas: int, ran_s: float = 0.0
    ) -> None:
        """Expect the callers of a batch that came back.

        ``rows`` are those of callers who may ask again, ``cost`` the mean of one. Those of the
        batches before are forgotten once the wait for them is over, and where there are as many
        such batches as replicas. One that came back sooner after another than in half of ``ran_s``
        has run with it: their callers count as those of one.
        """
        self._cost = cost
        if self._awaited and now - self._awaited[-1].at < ran_s / 2:
            self._awaited[-1].rows += rows
            return
        while self._awaited and (len(self._awaited) >= replicas or self._is_late(now)):
            late = self._awaited.popleft()
            if late.came < late.enough:
                self._learn(now - late.at)
        if rows:
            self._awaited.append(Ended(now, rows))

    def _is_late(self, now: float) -> bool:
        return now > self._awaited[0].at + SLACK * self._usual_s

    def came(self, now: float) -> None:
        """Count one more item."""
        if not self._awaited:
            return
        batch = self._awaited[0]
        batch.came += 1
        if batch.came == batch.enough:
            self._learn(now - batch.at)
        if batch.came == batch.rows:
            self._awaited.popleft()

    def _learn(self, took_s: float) -> None:
        self._took_s.append(took_s)
        self._usual_s = sorted(self._took_s)[3 * len(self._took_s) // 4]

    def expected(self) -> Returning:
        """Return who is expected to ask again, and how soon."""
        awaited, usual_s = self._awaited, self._usual_s
        if not awaited:
            return Returning(usual_s, cost=self._cost)
        until = awaited[-1].at + SLACK * usual_s
        missing = sum([batch.rows - batch.came for batch in awaited])
        return Returning(usual_s, until, missing, self._cost)
