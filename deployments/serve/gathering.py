"""Run together what several ingresses have sent, on a model's one thread; free of Ray.

Each ingress forms batches of what came to it. While one runs, those of the others wait here, and
what fits together leaves as one. So batches do not shrink with the number of ingresses.

- A batch that does not fit whole fills up the one that leaves; its rest leads the next one. It is
  answered as soon as it would have been, and the next one has more room.
- Callers of all ingresses who were answered together come back together, but their batches come
  one after the other. The first waits for the others by the rule by which a batcher waits for its
  callers (``forming``): where that costs less than a batch of their own, and for
  ``max_queue_delay_ms`` at most.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from deployments.batching.estimates.batch_time import Line
from deployments.batching.estimates.returning_callers import ReturningCallers
from deployments.config.policy import BatchPolicy
from models.types import TensorsItem

# Of the time that callers usually take, beyond what a batcher gives them: what comes by several
# ingresses comes less evenly, and who is left behind makes a batch of its own for ever.
PATIENCE = 1.0


class Bounds(NamedTuple):
    """What a batch that others may join is at most, and what it waits; see ``BatchPolicy``."""

    max_rows: int
    max_cost: float | None
    max_padding: float
    max_delay_s: float = 0.0

    @classmethod
    def of(cls, policy: BatchPolicy) -> Bounds:
        """Return the bounds of a policy."""
        delay_s = policy.max_queue_delay_ms / 1000
        return cls(policy.max_batch_size, policy.max_batch_cost, policy.max_padding, delay_s)

    def hold(self, lengths: Sequence[float]) -> bool:
        """Tell whether rows of these lengths may be one batch."""
        rows, longest = len(lengths), max(lengths)
        if rows > self.max_rows or (self.max_cost is not None and rows * longest > self.max_cost):
            return False
        return sum(lengths) * (1 + 1e-9) >= (1 - self.max_padding) * rows * longest

    def room(self, lengths: Sequence[float], others: Sequence[float]) -> int:
        """Tell how many of other rows, from their first on, may join these."""
        joining = others[: max(0, self.max_rows - len(lengths))]
        while joining and not self.hold([*lengths, *joining]):
            joining = joining[:-1]
        return len(joining)


class Answer(NamedTuple):
    """What came of one batch; of one that ran in two parts, the times are those of the last."""

    results: list[Any]
    waited_s: float
    execution_s: float
    ran: int  # rows that ran together, its own among them
    longest: float  # of these
    busy_s: float | None  # for how long the model's thread will be from now on; None: it ran alone


@dataclass(slots=True, eq=False)
class Sent:
    """A batch that one ingress has sent."""

    rows: Sequence[Any]
    bounds: Bounds | None  # None: it runs alone
    at: float
    answer: Future[Answer] = field(default_factory=Future)
    taken: int = 0  # of its rows
    results: list[Any] = field(default_factory=list)

    @property
    def left(self) -> Sequence[Any]:
        """Return the rows that have not left yet."""
        return self.rows[self.taken :]

    @property
    def key(self) -> Hashable:
        """Return what rows that run together have in common."""
        return self.rows[0].shapes if isinstance(self.rows[0], TensorsItem) else None

    def may_join(self, key: Hashable) -> bool:
        """Tell whether its rows may run with others of that key."""
        return self.bounds is not None and self.key == key

    def part(self, rows: int) -> Part | None:
        """Take the next rows; None: nobody waits for them. Those taken cannot be given up."""
        is_wanted = (
            not self.answer.done() if self.taken else self.answer.set_running_or_notify_cancel()
        )
        begin, self.taken = self.taken, self.taken + rows
        return Part(self, self.rows[begin : self.taken]) if is_wanted else None


class Part(NamedTuple):
    """The rows of a batch that run now."""

    sent: Sent
    rows: Sequence[Any]


class Waiting:
    """The batches that wait for one model, in the order in which they came.

    It tells what runs next and when. Time is told to it.
    """

    def __init__(self) -> None:
        self._sent: deque[Sent] = deque()
        self._times = Line()
        self._returning = ReturningCallers()
        self._free_since = self._latest = 0.0

    def __len__(self) -> int:
        return len(self._sent)

    def add(
        self, rows: Sequence[Any], bounds: Bounds | None, now: float, held_s: Sequence[float] = ()
    ) -> Future[Answer]:
        """Let a batch wait; return its answer to come.

        ``held_s``: how long ago each row would have been here, had its ingress not kept it back.
        """
        sent = Sent(rows, bounds, now)
        self._sent.append(sent)
        if bounds is not None:
            self._note(now, held_s or [0.0] * len(rows))
        return sent.answer

    def _note(self, now: float, held_s: Sequence[float]) -> None:
        """Learn how soon callers come back; ingresses that kept rows back tell of them late."""
        for came_at in sorted(now - held for held in held_s):
            if came_at >= self._free_since:
                self._latest = max(self._latest, came_at)
                self._returning.came(self._latest)

    def wait_s(self, now: float) -> float:
        """Return how long the first batch waits for others from now on; 0: it leaves."""
        bounds = self._sent[0].bounds if self._sent else None
        if bounds is None or any(sent.bounds is None for sent in self._sent):
            return 0.0
        expected = self._returning.expected()
        fixed_s = self._times.expected_s(0.0) if self._times.has_slope else 0.0
        if expected.wait_s > bounds.max_delay_s or not expected.is_worth(fixed_s):
            return 0.0
        lengths = self._lengths()
        if not bounds.hold([*lengths, max(lengths)]):  # it is full
            return 0.0
        until = expected.until + PATIENCE * expected.usual_s if expected.missing else now
        longest = max(self._sent[0].at, self._free_since) + bounds.max_delay_s
        return max(0.0, min(until, longest) - now)

    def taken(self) -> list[Part]:
        """Take the first batch that somebody waits for, and what fits of those behind it."""
        first = None
        while self._sent and first is None:
            sent = self._sent.popleft()
            first = sent.part(len(sent.left))
        if first is None:
            return []
        together, bounds = [first], sent.bounds
        if bounds is not None and self._sent:
            self._join(together, bounds, sent.key)
        return together

    def _join(self, together: list[Part], bounds: Bounds, key: Hashable) -> None:
        """Add the batches that fit whole, then rows of the first of the others.

        Were a later one to leave in part, its rest would lead the next run, before those that have
        waited longer.
        """
        lengths = [row.length for row in together[0].rows]
        for sent in list(self._sent):
            own = [row.length for row in sent.rows]
            if sent.may_join(key) and bounds.hold([*lengths, *own]):
                self._sent.remove(sent)
                if part := sent.part(len(own)):
                    together.append(part)
                    lengths += own
        if self._sent and self._sent[0].may_join(key):
            fit = bounds.room(lengths, [row.length for row in self._sent[0].rows])
            if fit and (part := self._sent[0].part(fit)):
                together.append(part)

    def _lengths(self) -> list[float]:
        return [row.length for sent in self._sent for row in sent.left]

    def ended(
        self, together: Sequence[Part], results: Sequence[Any], began: float, execution_s: float
    ) -> None:
        """Answer the batches of which all rows have run, and learn."""
        longest, start = max(row.length for part in together for row in part.rows), 0
        whole: list[Sent] = []
        for sent, rows in together:
            sent.results += results[start : start + len(rows)]
            start += len(rows)
            if len(sent.results) == len(sent.rows):
                whole.append(sent)
        busy_s: float | None = None
        if together[0].sent.bounds is not None:
            self._times.learn(len(results) * (longest or 1.0), execution_s)
            self._free_since = self._latest = began + execution_s
            answered = sum([len(sent.rows) for sent in whole])
            self._returning.ended(answered, longest, self._free_since, replicas=1)
            busy_s = self._busy_s(self._free_since)
        for sent in whole:
            times = (began - sent.at, execution_s)
            sent.answer.set_result(Answer(sent.results, *times, len(results), longest, busy_s))

    def _busy_s(self, now: float) -> float:
        """Return how long the batch takes that leaves now; 0 where none does."""
        if not self._sent or self.wait_s(now):
            return 0.0
        lengths, bounds = self._lengths(), self._sent[0].bounds
        rows, longest = len(lengths), max(lengths) or 1.0
        if bounds is None:
            return self._times.expected_s(rows * longest)
        most_cost = rows * longest if bounds.max_cost is None else bounds.max_cost
        return self._times.expected_s(min(min(rows, bounds.max_rows) * longest, most_cost))


class Gathering:
    """Run the batches that wait for one model's thread.

    Args:
        run: runs rows, and returns a result for each and how long that took (s).
        thread: of the model.
    """

    def __init__(
        self, run: Callable[[Sequence[Any]], tuple[list[Any], float]], thread: ThreadPoolExecutor
    ) -> None:
        self._run = run
        self._thread = thread
        self._waiting = Waiting()
        self._changed = threading.Condition()

    async def run(
        self, rows: Sequence[Any], bounds: Bounds | None, held_s: Sequence[float] = ()
    ) -> Answer:
        """Run a batch, with others that wait and fit if ``bounds`` allow any."""
        with self._changed:
            answer = self._waiting.add(rows, bounds, time.perf_counter(), held_s)
            self._changed.notify()
        self._thread.submit(self._next)
        return await asyncio.wrap_future(answer)

    def _next(self) -> None:
        """Run the batch that has waited longest, on the model's thread.

        One is called for each batch, so those whose batch ran with another one find nothing.
        """
        with self._changed:
            while (wait_s := self._waiting.wait_s(time.perf_counter())) > 0:
                self._changed.wait(wait_s)
            together = self._waiting.taken()
        if not together:
            return
        began = time.perf_counter()
        try:
            results, execution_s = self._run([row for part in together for row in part.rows])
        except BaseException as error:
            for part in together:
                part.sent.answer.set_exception(error)
            return
        with self._changed:
            self._waiting.ended(together, results, began, execution_s)
