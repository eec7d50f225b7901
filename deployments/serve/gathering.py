"""Run together what several ingresses have sent, on a model's one thread; free of Ray.

Each ingress forms batches of what came to it, and knows nothing of the others'. While one runs,
those of the others wait here, and what fits together leaves as one. The last to join may leave rows
behind, which run first in the next one. So batches do not shrink with the number of ingresses.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from deployments.config.policy import BatchPolicy


class Bounds(NamedTuple):
    """What a batch that others may join is at most; see ``BatchPolicy``."""

    max_rows: int
    max_cost: float | None
    max_padding: float

    @classmethod
    def of(cls, policy: BatchPolicy) -> Bounds:
        """Return the bounds of a policy."""
        return cls(policy.max_batch_size, policy.max_batch_cost, policy.max_padding)

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
    """What came of one batch; times and ``ran`` are of the run in which its last rows were."""

    results: list[Any]
    waited_s: float  # until that run began
    execution_s: float
    ran: int  # rows that ran together, its own among them
    longest: float  # of these


@dataclass(slots=True, eq=False)
class _Sent:
    """A batch, and the results of its rows that have run."""

    rows: Sequence[Any]
    bounds: Bounds | None  # None: it runs alone
    at: float
    answer: Future[Answer] = field(default_factory=Future)
    results: list[Any] = field(default_factory=list)

    @property
    def left(self) -> Sequence[Any]:
        """Return the rows that have not run."""
        rows: Sequence[Any] = self.rows[len(self.results) :]
        return rows

    def begins(self) -> bool:
        """Tell whether it runs now: some of it has, or somebody waits for it."""
        return bool(self.results) or self.answer.set_running_or_notify_cancel()


class Gathering:
    """The batches that wait for one model's thread.

    Args:
        run: runs rows, and returns a result for each and how long that took (s).
        thread: of the model.
    """

    def __init__(
        self, run: Callable[[Sequence[Any]], tuple[list[Any], float]], thread: ThreadPoolExecutor
    ) -> None:
        self._run = run
        self._thread = thread
        self._waiting: deque[_Sent] = deque()

    async def run(self, rows: Sequence[Any], bounds: Bounds | None) -> Answer:
        """Run a batch, with others that wait and fit if ``bounds`` allow any."""
        sent = _Sent(rows, bounds, time.perf_counter())
        self._waiting.append(sent)
        self._thread.submit(self._next)
        return await asyncio.wrap_future(sent.answer)

    def _next(self) -> None:
        """Run the batch that has waited longest, on the model's thread.

        One is called for each batch, and each ends one at least, so that the last ones may find
        nothing.
        """
        together = self._taken()
        if not together:
            return
        started = time.perf_counter()
        rows = [row for sent, count in together for row in sent.left[:count]]
        try:
            results, execution_s = self._run(rows)
        except BaseException as error:
            for sent, _ in together:
                sent.answer.set_exception(error)
            return
        longest, start = max(row.length for row in rows), 0
        for sent, count in together:
            sent.results += results[start : start + count]
            start += count
            if sent.left:
                self._waiting.appendleft(sent)
                continue
            waited_s = started - sent.at
            sent.answer.set_result(Answer(sent.results, waited_s, execution_s, len(rows), longest))

    def _taken(self) -> list[tuple[_Sent, int]]:
        """Take the first batch that somebody waits for, and rows of those behind it that fit.

        The last of these may leave rows behind, if it passes no other batch over.
        """
        while self._waiting:
            first = self._waiting.popleft()
            if first.begins():
                break
        else:
            return []
        together, bounds = [(first, len(first.left))], first.bounds
        if bounds is None:
            return together
        lengths, passes_over = [row.length for row in first.left], False
        for sent in list(self._waiting):
            others = [row.length for row in sent.rows]
            count = 0 if sent.bounds is None else bounds.room(lengths, others)
            is_whole = count == len(others)
            if not count or (passes_over and not is_whole):
                passes_over = True
                continue
            self._waiting.remove(sent)
            if sent.begins():
                together.append((sent, count))
                lengths += others[:count]
                if not is_whole:
                    break
        return together
