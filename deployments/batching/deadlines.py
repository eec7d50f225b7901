"""End waits to the moment: at each item's deadline, or when its time in the queue is over."""

from __future__ import annotations

from typing import Generic

from deployments.batching.clock import Clock, Timer
from deployments.batching.delivery import Answers
from deployments.batching.queue import ItemT, Queue, ResultT, Ticket
from deployments.batching.statistics import ModelStatistics
from models.errors import DeadlinePassed, QueueDeadlinePassed


class Deadlines(Generic[ItemT, ResultT]):
    """Refuse an item that waits, and give up one that runs, when its time has passed."""

    def __init__(
        self,
        name: str,
        queue: Queue[ItemT, ResultT],
        answers: Answers[ItemT, ResultT],
        statistics: ModelStatistics,
        clock: Clock,
    ) -> None:
        self._name = name
        self._queue = queue
        self._answers = answers
        self._statistics = statistics
        self._clock = clock

    def timers(
        self, ticket: Ticket[ItemT, ResultT], timeout_s: float | None, default_s: float | None
    ) -> list[Timer]:
        """Start an item's timers: for its deadline, and for the time that it may wait.

        Of the two timeouts the shorter counts.
        """
        timers = []
        if timeout_s is None or (default_s is not None and default_s < timeout_s):
            timeout_s = default_s
        if timeout_s is not None:
            until = ticket.enqueued_at + timeout_s
            timers.append(self._clock.call_at(until, self.refuse, ticket))
        if ticket.deadline is not None:
            timers.append(self._clock.call_at(ticket.deadline, self._expire, ticket))
        return timers

    def refuse(self, ticket: Ticket[ItemT, ResultT], why: str = "the deadline passed") -> None:
        """Answer an item with an error, if it still waits."""
        if self._queue.remove(ticket):
            self._statistics.expired_in_queue += 1
            message = f"{why} in the queue of model {self._name!r}"
            self._answers.give(ticket, QueueDeadlinePassed(message))

    def _expire(self, ticket: Ticket[ItemT, ResultT]) -> None:
        self.refuse(ticket)
        if not ticket.future.done():
            self._statistics.expired_running += 1
            message = f"the deadline passed while model {self._name!r} ran"
            ticket.answer = DeadlinePassed(message)
            ticket.deliver()  # whatever must be answered before it
            self._answers.flush()
