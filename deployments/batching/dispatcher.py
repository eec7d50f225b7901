"""Send one batch to a replica and answer its items, whatever fails or dies on the way.

Each item has its own result or its own error. A batch that failed as a whole is tried once more
item by item; a batch whose replica died goes to another one, within its deadlines.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic

from deployments.batching.batch import Batch, BatchReply, ReplicaLost, Replied, Rows
from deployments.batching.clock import Clock
from deployments.batching.delivery import Answers
from deployments.batching.queue import ItemT, Outcome, ResultT, Ticket
from deployments.batching.statistics import ModelStatistics, Stages
from models.errors import InternalError, Unavailable
from models.runtime import ItemError

logger = logging.getLogger("dragoman")  # set up by ``telemetry.log``, which stands above this room

LOSSES_TOGETHER = 2  # after so many deaths under one batch, its items are tried one by one
LOSSES_ALONE = 2  # after so many more under one item alone, it is what kills them
HEAD_START = 5  # turns of the event loop that the next batch gets before answers are handed out
LOSS_PAUSE_S = 0.1  # before a lost batch is sent again, so that routing has noticed the death


class Dispatcher(Generic[ItemT, ResultT]):
    """Run one model's batches, and answer every ticket of each, whatever happens."""

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

    async def run(self, batch: Batch[ItemT, ResultT]) -> None:
        """Answer every ticket of a batch, whatever happens."""
        try:
            await self._run_together(batch, batch.tickets)
        except BaseException as error:  # the caller must never wait for a dead task
            for ticket in batch.tickets:
                self._answers.give(ticket, InternalError(f"model {self.name!r}: {error!r}"))
            raise

    async def _run_together(
        self, batch: Batch[ItemT, ResultT], tickets: list[Ticket[ItemT, ResultT]]
    ) -> None:
        for _ in range(LOSSES_TOGETHER):
            tickets = [ticket for ticket in tickets if not ticket.future.done()]
            if not tickets or await self._attempt(batch, tickets):
                return
        for ticket in tickets:
            await self._run_suspect(batch, ticket)

    async def _run_suspect(
        self, batch: Batch[ItemT, ResultT], ticket: Ticket[ItemT, ResultT]
    ) -> None:
        """Run an item that was there when replicas died: alone, and no other suspect beside it."""
        async with self._one_suspect:
            for _ in range(LOSSES_ALONE):
                if ticket.future.done() or await self._attempt(batch, [ticket]):
                    return
        message = f"replicas of model {self.name!r} died under this item"
        self._answers.give(ticket, InternalError(message))

    async def _attempt(
        self, batch: Batch[ItemT, ResultT], tickets: list[Ticket[ItemT, ResultT]]
    ) -> bool:
        """Send items of a batch once and answer their tickets; return False if the replica died."""
        rows = len(tickets)
        try:
            items = [ticket.item for ticket in tickets]
            if batch.held_s and rows == batch.rows:
                items = Rows(items, batch.held_s)
            reply = await self._dispatch(items)
            padded_cost = rows * max([ticket.cost for ticket in tickets])
            replied = Replied(reply, rows, padded_cost, self._clock.time())
            batch.replies.append(replied)
            if len(reply.results) != rows:
                raise InternalError(f"{len(reply.results)} results for {rows} items")
        except ReplicaLost:
            self._statistics.sent_again += 1
            logger.warning("a replica of model %r died under a batch of %d", self.name, rows)
            await self._pause(LOSS_PAUSE_S)
            return False
        except Unavailable as error:  # there is no replica to try it on
            for ticket in tickets:  # each its own: callers add to it what they know
                self._answers.give(ticket, type(error)(error.message, param=error.param))
        except Exception as error:
            logger.exception("model %r failed on a batch of %d", self.name, rows)
            if rows == 1:
                message = f"model {self.name!r} failed: {error!r}"
                self._answers.give(tickets[0], InternalError(message))
            else:
                self._statistics.split += 1
                for ticket in tickets:
                    await self._run_together(batch, [ticket])
        else:
            self._hand_out(tickets, replied, batch.left_at, HEAD_START)
        return True

    async def _pause(self, duration_s: float) -> None:
        over = asyncio.Event()
        self._clock.call_at(self._clock.time() + duration_s, over.set)
        await over.wait()

    def _hand_out(
        self,
        tickets: list[Ticket[ItemT, ResultT]],
        replied: Replied,
        left_at: float,
        turns: int,
    ) -> None:
        """Deliver after so many turns of the event loop.

        Sending a batch takes some turns, and answering its callers keeps one turn busy for
        milliseconds: a replica would stand idle while the one before it is answered.
        """
        if turns:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._hand_out, tickets, replied, left_at, turns - 1)
        else:
            self._deliver(tickets, replied, left_at)

    def _deliver(
        self, tickets: list[Ticket[ItemT, ResultT]], replied: Replied, left_at: float
    ) -> None:
        reply, rows = replied.reply, replied.rows
        stages = Stages(reply.waited_s, reply.input_s, reply.execution_s, reply.output_s)
        self._statistics.executed(
            rows,
            sum([not isinstance(result, ItemError) for result in reply.results]),
            stages,
            cost=replied.cost,
            useful=sum([ticket.item.length for ticket in tickets]),
        )
        for ticket, result in zip(tickets, reply.results, strict=True):
            if isinstance(result, ItemError):
                self._answers.give(ticket, result.error)
                continue
            queue_s = left_at - ticket.enqueued_at + reply.waited_s
            outcome = Outcome(
                result, queue_s, reply.input_s, reply.execution_s, reply.output_s, rows
            )
            self._answers.give(ticket, outcome)
