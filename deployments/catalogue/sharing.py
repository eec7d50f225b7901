"""Estimate how many of a model's replicas are left to one ingress by the others; free of Ray.

Each ingress could send to every replica, and sees no batch of another ingress. Were all replicas
its own to it, it would send small batches to busy ones, where they wait, instead of a full one a
little later.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from deployments.telemetry.model_report import ReplicaStats

# What was seen fades with the time: so many seconds count, or so many batches where these are long.
LAST_S, LAST_BATCHES = 3.0, 5


class Sharing:
    """What one model's replicas have done, and how much of that was for this ingress."""

    def __init__(self) -> None:
        self._busy_s: dict[str, float] = {}  # of each replica, at the last look
        self._used_s = self._looked_at = 0.0
        self._others_s = self._time_s = 0.0  # fading sums

    def look(self, replicas: Iterable[ReplicaStats], used_s: float, now: float) -> None:
        """Learn from the replicas' counts.

        Args:
            replicas: all that run. One that was not there at the last look does not count yet.
            used_s: seconds that they have run for this ingress so far.
            now: seconds.
        """
        replicas = list(replicas)
        busy_s = {each.replica: each.busy_s for each in replicas}
        if self._busy_s:
            batch_s = sum(busy_s.values()) / max(1, sum(each.batches for each in replicas))
            took_s = now - self._looked_at
            memory = math.exp(-took_s / max(LAST_S, LAST_BATCHES * batch_s))
            ran_s = sum(busy_s[name] - self._busy_s.get(name, busy_s[name]) for name in busy_s)
            others_s = ran_s - (used_s - self._used_s)
            self._others_s = memory * self._others_s + others_s
            self._time_s = memory * self._time_s + took_s
        self._busy_s, self._used_s, self._looked_at = busy_s, used_s, now

    def left(self, replicas: int) -> int:
        """Return how many of so many replicas the others leave; 1 at the least."""
        others = self._others_s / self._time_s if self._time_s else 0.0
        return max(1, min(replicas, round(replicas - others)))
