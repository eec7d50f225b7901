"""Estimate what a batch takes by its cost, and so when the one behind a running one should leave.

That is just before the running one ends. Sent earlier it would stand at the replica while what
could join it gathers here; sent later, the replica would stand idle for the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from deployments.batching.batch import BatchReply

MEMORY = 0.9  # of what was learned before, at each batch: about the last ten count
LEAST_SPREAD = 0.01  # of costs, squared and relative, to see a line in: of one in ten


class BatchTimes(NamedTuple):
    """A straight line: what batches take by their cost. All zero before a batch was measured."""

    mean_s: float = 0.0
    mean_cost: float = 0.0
    s_a_cost: float = 0.0  # the slope

    def expected_s(self, cost: float) -> float:
        """Return what a batch of that cost takes; it never falls with the cost."""
        return max(0.0, self.mean_s + self.s_a_cost * (cost - self.mean_cost))


class Line:
    """Learn what a batch takes by its cost: a straight line through those that were measured."""

    __slots__ = ("_moments", "_s_a_cost", "times")

    def __init__(self) -> None:
        # Fading sums: of ones, costs, times, squares of costs, costs times times.
        self._moments = (0.0, 0.0, 0.0, 0.0, 0.0)
        self._s_a_cost: float | None = None  # the slope, when it was last to be seen
        self.times = BatchTimes()

    def learn(self, cost: float, took_s: float) -> None:
        """Learn that a batch of that cost took so long."""
        of_it = (1.0, cost, took_s, cost * cost, cost * took_s)
        self._moments = tuple(  # type: ignore[assignment]
            [MEMORY * before + one for before, one in zip(self._moments, of_it, strict=True)]
        )
        slope = self._slope()
        if slope is not None:
            self._s_a_cost = slope
        count, costs, times, _, _ = self._moments
        self.times = BatchTimes(times / count, costs / count, self._s_a_cost or 0.0)

    def seed(self, measured: Iterable[tuple[float, float]]) -> None:
        """Learn from batches that ran apart, cost and seconds of each, until one was measured."""
        if not self.is_known:
            for cost, took_s in measured:
                self.learn(cost, took_s)

    @property
    def is_known(self) -> bool:
        """Tell whether a batch has taken time."""
        return self._moments[2] > 0

    @property
    def has_slope(self) -> bool:
        """Tell whether batches of several costs have shown what a larger one takes."""
        return self._s_a_cost is not None

    def expected_s(self, cost: float) -> float:
        """Return what a batch takes: it never falls with the cost; 0 before one was measured."""
        return self.times.expected_s(cost)

    def generous_s(self, cost: float) -> float:
        """Return as much again for as much more cost, whatever the line says of that."""
        _, costs, times, _, _ = self._moments
        in_proportion = times * cost / costs if costs else 0.0
        return max(self.expected_s(cost), in_proportion)

    def _slope(self) -> float | None:
        """Return None where all batches are about of one cost, which shows no slope."""
        count, costs, times, squares, products = self._moments
        spread = squares * count - costs * costs
        if spread <= LEAST_SPREAD * squares * count:
            return None
        return max(0.0, (products * count - costs * times) / spread)


class BatchTime:
    """Measure what the batches of one model take, and the way to a replica and back.

    Attributes:
        line: what batches take by their cost.
    """

    __slots__ = ("_back_s", "_begins", "_costs", "_way_s", "line")

    def __init__(self) -> None:
        self._begins: dict[object, float | None] = {}  # batches in flight; None: behind another
        self._costs: dict[object, float] = {}
        self._way_s = self._back_s = 0.0  # of the last batch
        self.line = Line()

    def sent(self, batch: object, cost: float, now: float, replicas: int) -> None:
        """Note when a batch begins, if a replica is free for it."""
        running = sum([begins is not None for begins in self._begins.values()])
        self._begins[batch] = now + self._way_s if running < replicas else None
        self._costs[batch] = cost

    def learn(self, cost: float, reply: BatchReply[Any]) -> None:
        """Learn from the reply to a batch of that cost."""
        self._way_s, self._back_s = reply.input_s, reply.output_s
        self.line.learn(cost, reply.execution_s)

    def over(self, batch: object, now: float) -> None:
        """Note that a batch is in flight no more; the next behind it has begun."""
        del self._costs[batch]
        if self._begins.pop(batch) is None:
            return
        for other, begins in self._begins.items():
            if begins is None:
                self._begins[other] = now - self._back_s
                return

    def next_at(self, replicas: int) -> float | None:
        """Return when another batch should leave, where every replica has one.

        None: not known.
        """
        if not self.line.is_known:
            return None
        times = self.line.times
        ends = sorted(
            [
                begins + times.expected_s(self._costs[batch])
                for batch, begins in self._begins.items()
                if begins is not None
            ]
        )
        behind = len(self._begins) - replicas
        return ends[behind] - self._way_s if 0 <= behind < len(ends) else None

    @property
    def times(self) -> BatchTimes:
        """Return what batches take by their cost."""
        return self.line.times

    @property
    def knows_costs(self) -> bool:
        """Tell whether batches of several costs have shown what a larger one takes."""
        return self.line.has_slope

    @property
    def hop_s(self) -> float:
        """Return the way to a replica and back."""
        return self._way_s + self._back_s

    @property
    def fixed_s(self) -> float:
        """Return what a batch takes whatever it costs; 0 until batches of several costs told it."""
        return self.line.expected_s(0.0) if self.line.has_slope else 0.0
