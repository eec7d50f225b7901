"""Know until when replicas are busy that other ingresses use, too: a replica tells it with answers.

While every replica is busy, items gather here until shortly before one is free. From then on they
leave as they come, and gather at the replica with those of other ingresses (``serve.gathering``).
"""

from __future__ import annotations

import math

CALLS_A_REPLICA = 8  # in flight from one ingress: what runs together may have left in several
# Of the time that a batch is expected to take: it may end sooner, and what comes later misses the
# next one.
EARLY = 0.15


class SharedReplicas:
    """What one ingress has been told about the replicas of one model."""

    __slots__ = ("_busy_until", "_left_at")

    def __init__(self) -> None:
        self._busy_until: dict[str, float] = {}  # by replica, the latest told at the end
        self._left_at = -math.inf  # when the last batch did

    def told(self, replica: str, now: float, busy_s: float, replicas: int) -> None:
        """Note how long a replica is busy from now on; forget those that were silent longest."""
        self._busy_until.pop(replica, None)
        self._busy_until[replica] = now + (1 - EARLY) * busy_s
        while len(self._busy_until) > replicas:
            del self._busy_until[next(iter(self._busy_until))]

    def left(self, now: float) -> None:
        """Note that a batch left."""
        self._left_at = now

    def next_at(self, replicas: int, hop_s: float) -> float:
        """Return when the next batch should leave: to be there as a replica is free, or now.

        Not sooner than a hop after the one before, so that items do not cost a call each.
        """
        known = self._busy_until.values()
        ends = min(known) if len(known) >= replicas else -math.inf
        return max(ends - hop_s, self._left_at + hop_s)
