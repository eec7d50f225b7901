"""One caller's items in one model's queue, admitted or refused, and counted, as one."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Generic

from deployments.batching.queue import ItemT, Outcome, ResultT, Share
from deployments.batching.statistics import Stages
from models.errors import DragomanError, QueueFull

if TYPE_CHECKING:
    from deployments.batching.batcher import Batcher


class Request(Generic[ItemT, ResultT]):
    """One caller's items in one model's queue, as a context manager around all of them."""

    __slots__ = (
        "admitted",
        "answered",
        "batcher",
        "deadline",
        "error",
        "hits",
        "items",
        "lookup_s",
        "priority",
        "queue_timeout_s",
        "refusal",
        "share",
        "stages",
        "started_at",
    )

    def __init__(
        self,
        batcher: Batcher[ItemT, ResultT],
        deadline: float | None,
        priority: int,
        queue_timeout_s: float | None,
        share: Share | None = None,
    ) -> None:
        self.batcher = batcher
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
            outcome = await self.batcher._submit(item, self)
        except Exception as error:
            self.error = self.error or error
            if isinstance(error, DragomanError):
                error.is_counted = True
            raise
        self.answered += 1
        return outcome

    def took(self, outcome: Outcome[ResultT]) -> None:
        """Each stage of a request is its slowest item's."""
        stages = self.stages
        stages.queue_s = max(stages.queue_s, outcome.queue_s)
        stages.input_s = max(stages.input_s, outcome.input_s)
        stages.infer_s = max(stages.infer_s, outcome.execution_s)
        stages.output_s = max(stages.output_s, outcome.output_s)

    def __enter__(self) -> Request[ItemT, ResultT]:
        self.batcher._opened(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.batcher._closed(self)
        self.error = None  # its traceback holds this request, by ``submit``: no cycle
