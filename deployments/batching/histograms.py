"""Histograms of times and batch sizes: the bounds of their buckets, and the counts."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

# Upper bounds of the histograms' buckets, in seconds: 1, 2.5 and 5 of each decade.
TIME_BOUNDS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 25.0, 60.0),
)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)  # rows


def _no_counts() -> list[int]:
    return [0] * (len(TIME_BOUNDS_S) + 1)


@dataclass(slots=True)
class Times:
    """A histogram over ``TIME_BOUNDS_S``; the last count is of what lies above them all."""

    counts: list[int] = field(default_factory=_no_counts)
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(TIME_BOUNDS_S, seconds)] += 1
        self.sum_s += seconds
