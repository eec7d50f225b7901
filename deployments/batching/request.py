"""One caller's items in one model's queue, admitted or refused, and counted, as one."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Protocol

from deployments.batching.queue import ItemT, Outcome, ResultT, Share
from deployments.batching.statistics import ModelStatistics, Stages, reason_of
from models.errors import DragomanError, QueueFull


class Owner(Protocol[ItemT, ResultT]):
    """The batcher that a request is of."""

    def opened(self) -> float: ...

    async def run_item(self, item: ItemT, request: Request[ItemT, ResultT]) -> Outcome[ResultT]: ...

    def closed(self, request: Request[ItemT, ResultT]) -> None: ...


class Request(Generic[ItemT, ResultT]):
    """A context manager around all items of one request; see ``Batcher.request``."""

    __slots__ = (
        *("admitted", "answered", "deadline", "error", "hits", "items", "lookup_s", "owner"),
        *("priority", "queue_timeout_s", "refusal", "share", "stages", "started_at"),
    )

    def __init__(
        self,
        owner: Owner[ItemT, ResultT],
        deadline: float | None,
        priority: int,
        queue_timeout_s: float | None,
        share: Share | None = None,
    ) -> None:
        self.owner = owner
        self.deadline = deadline
        self.priority = priority
        self.queue_timeout_s = queue_timeout_s
        self.share = share or Share()
        self.admitted = False
        self.refusal: QueueFull | None = None  # of the whole, for its first item
        self.started_at = 0.0
        self.items = self.answered = self.hits = 0
        self.error: Exception | None = None  # the first of its own items
        self.lookup_s = 0.0
        self.stages = Stages()

    async def submit(self, item: ItemT) -> Outcome[ResultT]:
        """Wait for one item's result; see ``Batcher.submit`` for the errors."""
        self.items += 1
        try:
            outcome = await self.owner.run_item(item, self)
        except Exception as error:
            self.error = self.error or error
            if isinstance(error, DragomanError):
                error.is_counted = True
            raise
        self.answered += 1
        return outcome

    def took(self, outcome: Outcome[ResultT]) -> None:
        """Add an item's times: each stage of a request is its slowest item's."""
        stages = self.stages
        _, queue_s, input_s, infer_s, output_s, _ = outcome
        if queue_s > stages.queue_s:
            stages.queue_s = queue_s
        if input_s > stages.input_s:
            stages.input_s = input_s
        if infer_s > stages.infer_s:
            stages.infer_s = infer_s
        if output_s > stages.output_s:
            stages.output_s = output_s

    def count(self, statistics: ModelStatistics, now: float) -> None:
        """Count the request by what its own items came to, whatever else failed beside them."""
        duration_s = now - self.started_at
        if not self.items:
            return
        if self.error is not None:
            statistics.failed(duration_s, reason_of(self.error))
        elif self.answered < self.items:
            statistics.failed(duration_s, "CANCELED")
        elif self.hits == self.items:
            statistics.hit(duration_s, self.lookup_s)
        else:
            statistics.succeeded(duration_s, self.stages)
            if self.lookup_s:
                statistics.cache_miss.add(self.lookup_s)

    def __enter__(self) -> Request[ItemT, ResultT]:
        self.started_at = self.owner.opened()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.owner.closed(self)
        self.error = None  # its traceback holds this request, by ``submit``: no cycle
