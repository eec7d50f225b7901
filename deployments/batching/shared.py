"""Know until when a replica is busy that other ingresses use, too: it tells with each answer.

While it is busy, items gather here until shortly before it is free. From then on they leave as they
come, and gather at the replica with those of other ingresses (``serve.gathering``).
"""

from __future__ import annotations

import math

CALLS_A_REPLICA = 8  # in flight from one ingress: what runs together may have left in several
# Of the time that a batch is expected to take: it may end sooner, and what comes later misses the
# next one.
EARLY = 0.15


class SharedReplica:
    """What one ingress has been told about the replica that answered last.

    Of several replicas an ingress uses the one on its node first, and others while it is busy.
    """

    __slots__ = ("_busy_until", "_left_at")

    def __init__(self) -> None:
        self._busy_until = self._left_at = -math.inf

    def told(self, now: float, busy_s: float) -> None:
        """Note how long it is busy from now on."""
        self._busy_until = now + (1 - EARLY) * busy_s

    def left(self, now: float) -> None:
        """Note that a batch left."""
        self._left_at = now

    def next_at(self, hop_s: float, *, is_free: bool) -> float:
        """Return when the next batch should leave: to be there as the replica is free, or now.

        Not sooner than a hop after the one before, so that items do not cost a call each.

        Args:
            hop_s: the way to a replica and back.
            is_free: another replica has no batch of this ingress.
        """
        ends = -math.inf if is_free else self._busy_until
        return max(ends - hop_s, self._left_at + hop_s)
