"""Run together what several ingresses have sent, on a model's one thread; free of Ray.

Each ingress forms batches of what came to it. While one runs, those of the others wait here, and
what fits together leaves as one. So batches do not shrink with the number of ingresses.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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


class Answer(NamedTuple):
    """What came of one batch."""

    results: list[Any]
    waited_s: float
    execution_s: float
    ran: int  # rows that ran together, its own among them
    longest: float  # of these


class _Sent(NamedTuple):
    rows: Sequence[Any]
    bounds: Bounds | None  # None: it runs alone
    at: float
    answer: Future[Answer]


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
        sent = _Sent(rows, bounds, time.perf_counter(), Future())
        self._waiting.append(sent)
        self._thread.submit(self._next)
        return await asyncio.wrap_future(sent.answer)

    def _next(self) -> None:
        """Run the batch that has waited longest, on the model's thread.

        One is called for each batch, so those whose batch ran with another one find nothing.
        """
        together = self._taken()
        if not together:
            return
        started = time.perf_counter()
        rows = [row for sent in together for row in sent.rows]
        try:
            results, execution_s = self._run(rows)
        except BaseException as error:
            for sent in together:
                sent.answer.set_exception(error)
            return
        longest, start = max(row.length for row in rows), 0
        for sent in together:
            own, start = results[start : start + len(sent.rows)], start + len(sent.rows)
            answer = Answer(own, started - sent.at, execution_s, len(rows), longest)
            sent.answer.set_result(answer)

    def _taken(self) -> list[_Sent]:
        """Take the first batch that somebody waits for, and those behind it that fit."""
        while self._waiting:
            first = self._waiting.popleft()
            if first.answer.set_running_or_notify_cancel():
                break
        else:
            return []
        together, bounds = [first], first.bounds
        if bounds is None:
            return together
        lengths = [row.length for row in first.rows]
        for sent in list(self._waiting):
            joined = [*lengths, *(row.length for row in sent.rows)]
            if sent.bounds is None or not bounds.hold(joined):
                continue
            self._waiting.remove(sent)
            if sent.answer.set_running_or_notify_cancel():
                together.append(sent)
                lengths = joined
        return together
