"""One batch's way to a replica and back: losses, failures, and the answers of its items.

Each item has its own result or its own error. A batch that failed as a whole is tried once more
item by item; a batch whose replica died goes to another one, within its deadlines.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol

from deployments.batching.queue import Answers, ItemT, Outcome, ResultT, Ticket
from deployments.batching.statistics import ModelStatistics, Stages
from models.errors import InternalError, Unavailable
from models.runtime import ItemError

logger = logging.getLogger("dragoman")  # set up by ``telemetry.log``, which stands above this room

LOSSES_TOGETHER = 2  # after so many deaths under one batch, its items are tried one by one
LOSSES_ALONE = 2  # after so many more under one item alone, it is what kills them
HEAD_START = 5  # turns of the event loop that the next batch gets before answers are handed out
LOSS_PAUSE_S = 0.1  # before a lost batch is sent again, so that routing has noticed the death


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of an asyncio event loop that tells and waits for time."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Timer: ...


class LoopClock:
    """The running event loop's timers, on a finer clock: uvloop's own counts milliseconds."""

    def time(self) -> float:
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Timer:
        return asyncio.get_running_loop().call_at(when, callback, *args)


class ReplicaLost(Exception):
    """Raised by a dispatch whose replica died; the batch has had no effect."""


@dataclass(frozen=True, slots=True)
class BatchReply(Generic[ResultT]):
    """What a dispatch returns: a result or an error for each item, in order."""

    results: Sequence[ResultT | ItemError]
    execution_s: float  # that the model ran
    waited_s: float = 0.0  # behind another batch, at the replica
    input_s: float = 0.0  # on the way to the replica
    output_s: float = 0.0  # on the way back
    memory_bound: float | None = None  # the largest cost of a batch that fits there

    @property
    def since_received_s(self) -> float:
        """From its arrival at a replica until its results were here."""
        return self.waited_s + self.execution_s + self.output_s


class Dispatcher(Generic[ItemT, ResultT]):
    """Runs one model's batches; every ticket of each gets its answer, whatever happens."""

    def __init__(
        self,
        name: str,
        dispatch: Callable[[Sequence[ItemT]], Awaitable[BatchReply[ResultT]]],
        answers: Answers[ItemT, ResultT],
        statistics: ModelStatistics,
        clock: Clock,
    ) -> None:
        self.name = name
        self._dispatch = dispatch
        self._answers = answers
        self._statistics = statistics
        self._clock = clock
        self._one_suspect = asyncio.Lock()

    async def run(self, batch: list[Ticket[ItemT, ResultT]], left_at: float) -> None:
        """Answer every ticket of a batch that left the queue at ``left_at``, whatever happens."""
        try:
            for _ in range(LOSSES_TOGETHER):
                batch = [ticket for ticket in batch if not ticket.future.done()]
                if not batch or await self._attempt(batch, left_at):
                    return
            for ticket in batch:
                await self._run_suspect(ticket, left_at)
        except BaseException as error:  # the caller must never wait for a dead task
            for ticket in batch:
                self._answers.give(ticket, InternalError(f"model {self.name!r}: {error!r}"))
            raise

    async def _run_suspect(self, ticket: Ticket[ItemT, ResultT], left_at: float) -> None:
        """Run an item that was there when replicas died: alone, and no other suspect beside it."""
        async with self._one_suspect:
            for _ in range(LOSSES_ALONE):
                if ticket.future.done() or await self._attempt([ticket], left_at):
                    return
        message = f"replicas of model {self.name!r} died under this item"
        self._answers.give(ticket, InternalError(message))

    async def _attempt(self, batch: list[Ticket[ItemT, ResultT]], left_at: float) -> bool:
        """Send a batch once and answer its tickets; False if its replica died."""
        try:
            reply = await self._dispatch([ticket.item for ticket in batch])
            if len(reply.results) != len(batch):
                raise InternalError(f"{len(reply.results)} results for {len(batch)} items")
        except ReplicaLost:
            self._statistics.sent_again += 1
            logger.warning("a replica of model %r died under a batch of %d", self.name, len(batch))
            await self._pause(LOSS_PAUSE_S)
            return False
        except Unavailable as error:  # there is no replica to try it on
            for ticket in batch:  # each its own: callers add to it what they know
                self._answers.give(ticket, type(error)(error.message, param=error.param))
        except Exception as error:
            logger.exception("model %r failed on a batch of %d", self.name, len(batch))
            if len(batch) == 1:
                message = f"model {self.name!r} failed: {error!r}"
                self._answers.give(batch[0], InternalError(message))
            else:
                self._statistics.split += 1
                for ticket in batch:
                    await self.run([ticket], left_at)
        else:
            self._hand_out(batch, reply, left_at, HEAD_START)
        return True

    async def _pause(self, duration_s: float) -> None:
        over = asyncio.Event()
        self._clock.call_at(self._clock.time() + duration_s, over.set)
        await over.wait()

    def _hand_out(
        self,
        batch: list[Ticket[ItemT, ResultT]],
        reply: BatchReply[ResultT],
        left_at: float,
        turns: int,
    ) -> None:
        """Deliver after so many turns of the event loop.

        Sending a batch takes some turns, and answering its callers keeps one turn busy for
        milliseconds: a replica would stand idle while the one before it is answered.
        """
        if turns:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._hand_out, batch, reply, left_at, turns - 1)
        else:
            self._deliver(batch, reply, left_at)

    def _deliver(
        self, batch: list[Ticket[ItemT, ResultT]], reply: BatchReply[ResultT], left_at: float
    ) -> None:
        rows = len(batch)
        stages = Stages(reply.waited_s, reply.input_s, reply.execution_s, reply.output_s)
        self._statistics.executed(
            rows,
            sum(not isinstance(result, ItemError) for result in reply.results),
            stages,
            cost=rows * max(ticket.cost for ticket in batch),
            useful=sum(ticket.item.length for ticket in batch),
        )
        for ticket, result in zip(batch, reply.results, strict=True):
            if isinstance(result, ItemError):
                self._answers.give(ticket, result.error)
                continue
            queue_s = left_at - ticket.enqueued_at + reply.waited_s
            outcome = Outcome(
                result, queue_s, reply.input_s, reply.execution_s, reply.output_s, rows
            )
            self._answers.give(ticket, outcome)
