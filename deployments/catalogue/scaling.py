"""Decide from the queues of all ingresses how many replicas a model should have; free of Ray."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from deployments.config.schema import ReplicaRange

LOOKS_UP = 2  # in a row at which requests wait too long, before replicas are added
CALM_S = 60.0  # in which nobody waited, before one is stopped
# How busy those that stay may be, of which one stops: half of them more would wait otherwise.
BUSY = 0.7


@dataclass(frozen=True, slots=True)
class Load:
    """What one ingress has for a model."""

    wait_s: float  # until a request that came now would be answered; 0: a replica is free
    in_flight: int  # batches


class Scaling:
    """Follow one model's load."""

    def __init__(self) -> None:
        self._late = 0  # looks in a row
        self._calm_since: float | None = None
        self._batches: list[int] = []  # in flight at each look since

    def wanted(self, bounds: ReplicaRange, replicas: int, loads: Sequence[Load], now: float) -> int:
        """Return the number of replicas that a model should have, which has so many.

        Where requests wait too long in any ingress, the number grows with the wait, to twice as
        many at once. Where nobody has waited for a while and one fewer would do, one stops.
        """
        if not loads:
            return replicas
        fewest = max(1, bounds.min)
        wait_s = max(load.wait_s for load in loads)
        if wait_s > bounds.wait_s:
            self._forget()
            self._late += 1
            if self._late < LOOKS_UP:
                return replicas
            self._late = 0
            grown = math.ceil(replicas * min(2.0, wait_s / bounds.wait_s))
            return min(bounds.max, max(replicas + 1, grown))
        self._late = 0
        return max(fewest, min(bounds.max, replicas - self._spare(replicas, loads, now)))

    def _spare(self, replicas: int, loads: Sequence[Load], now: float) -> int:
        """Return 1 where one replica fewer would do, as long as has been looked."""
        self._calm_since = now if self._calm_since is None else self._calm_since
        self._batches.append(min(replicas, sum(load.in_flight for load in loads)))
        if now - self._calm_since < CALM_S:
            return 0
        busy = sum(self._batches) / len(self._batches)
        self._forget()
        return int(busy <= BUSY * (replicas - 1))

    def _forget(self) -> None:
        self._calm_since = None
        self._batches.clear()
