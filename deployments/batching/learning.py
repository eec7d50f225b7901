"""Learn from batches: the three estimates, all taught where a batch ends."""

from __future__ import annotations

from collections.abc import Container, Iterable
from enum import Enum
from typing import Any

from deployments.batching.batch import Batch, Replied
from deployments.batching.estimates.batch_time import BatchTime, Line
from deployments.batching.estimates.returning_callers import ReturningCallers
from deployments.batching.estimates.throughput import Throughput
from deployments.batching.selection import most_rows
from deployments.config.policy import BatchPolicy


class End(Enum):
    """The ways in which a batch ends."""

    ANSWERED = "answered"  # with results or errors
    HUNG = "hung"  # given up while it ran
    DROPPED = "dropped"  # given up before it began


class Learning:
    """The estimates of one model.

    Attributes:
        live_time: of batches of live speech alone. They cost less than files of the same length: a
            recogniser writes only what is not committed yet.
        used_s: seconds that replicas have run, in proportion to the rows where others ran beside.
    """

    def __init__(self) -> None:
        self.throughput = Throughput()
        self.batch_time = BatchTime()
        self.live_time = Line()
        self.returning_callers = ReturningCallers()
        self.used_s = 0.0

    def seed(self, measured: Iterable[tuple[float, float]]) -> None:
        """Take batches of live speech that ran apart: cost and seconds of each."""
        measured = tuple(measured)
        self.batch_time.line.seed(measured)
        self.live_time.seed(measured)

    def sent(self, batch: Batch[Any, Any], replicas: int) -> None:
        """Count a batch as in flight."""
        self.throughput.sent(batch.cost, batch.left_at)
        self.batch_time.sent(batch, batch.padded_cost, batch.left_at, replicas)

    def ended(
        self,
        batch: Batch[Any, Any],
        end: End,
        now: float,
        *,
        were_all_busy: bool,
        waiting: Container[object],
        replicas: int,
        policy: BatchPolicy,
    ) -> None:
        """Learn from a batch that ended.

        Args:
            were_all_busy: until then every replica had a batch. The throughput is that of all
                replicas: one that worked alone does not tell it.
            waiting: the requests that have more items in the queue: their callers do not ask again.
        """
        for replied in batch.replies:
            self._learn(replied, replicas, policy)
            if batch.is_live:
                self.live_time.learn(replied.ran[1], replied.reply.execution_s)
        if end is End.ANSWERED:
            is_full = batch.is_full and were_all_busy
            cost, rows, ran_s = batch.cost, batch.rows, _ran_s(batch) / replicas
            self.throughput.came_back(cost, rows, is_full=is_full, now=now, ran_s=ran_s)
            may_return = sum(
                [each.group not in waiting and not each.share.goes_on for each in batch.tickets]
            )
            self.returning_callers.ended(
                may_return, cost / rows, now, replicas=replicas, ran_s=ran_s
            )
        elif end is End.HUNG and batch.is_full:
            self.throughput.hung(batch.cost, batch.rows, now)
        else:
            self.throughput.given_up(batch.cost)
        self.batch_time.over(batch, now)

    def _learn(self, replied: Replied, replicas: int, policy: BatchPolicy) -> None:
        throughput, batch_time, (ran, cost) = self.throughput, self.batch_time, replied.ran
        self.used_s += replied.reply.execution_s * min(1.0, replied.rows / ran)
        batch_time.learn(cost, replied.reply)
        throughput.reached_a_replica(replied.at - replied.reply.since_received_s)
        if throughput.is_guessed and batch_time.knows_costs and cost:
            row = cost / ran
            rows = most_rows(row, policy)
            took_s = batch_time.times.expected_s(rows * row) / replicas
            throughput.guess(took_s, rows * row, rows)


def _ran_s(batch: Batch[Any, Any]) -> float:
    """Return how long a batch ran that may have left in parts, which come back together; else 0."""
    replies = [replied.reply for replied in batch.replies]
    return sum([reply.execution_s for reply in replies if reply.busy_s is not None])
