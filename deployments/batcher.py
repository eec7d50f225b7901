"""Dynamic batching where requests arrive: pure asyncio, no Ray, on an injected clock.

Items of different callers wait here and leave together. The rules:

- A free replica takes the best batch at once. While every replica is busy, what arrives
  gathers. One batch may stand ready behind each running one; that place is taken by a full
  batch, or when the head has waited ``max_queue_delay_ms``.
- The head of a batch is the oldest item of the most urgent priority, so that no length
  starves. The others are drawn by how near they are to its length, within rows, cost and
  padding.
- A full queue refuses at once. A deadline is kept to the moment, queued or running. An item
  whose caller has left is dropped before it costs anything.
- Each item has its own result or its own error. A batch that failed as a whole is tried once
  more item by item; a batch whose replica died goes to another one, within its deadlines.
"""

from __future__ import annotations

import asyncio
import bisect
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from deployments.config import BatchPolicy
from deployments.log import logger
from models.errors import (
    DeadlinePassed,
    DragomanError,
    InternalError,
    InvalidRequest,
    QueueDeadlinePassed,
    QueueFull,
    Unavailable,
)
from models.runtime import ItemError

BATCHES_A_REPLICA = 2  # in flight: one runs, one stands ready behind it
LOSSES_TOGETHER = 2  # after so many deaths under one batch, its items are tried one by one
LOSSES_ALONE = 2  # after so many more under one item alone, it is what kills them
ROUNDING = 1e-9  # relative: sums of equal lengths must not look like padding
HEAD_START = 5  # turns of the event loop that the next batch gets before answers are handed out
LOSS_PAUSE_S = 0.1  # before a lost batch is sent again, so that routing has noticed the death


class Lengthy(Protocol):
    """What can wait here: something with a length in the unit of its kind."""

    @property
    def length(self) -> float: ...


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """The part of an asyncio event loop that tells and waits for time."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any) -> Timer: ...


ItemT = TypeVar("ItemT", bound=Lengthy)
ResultT = TypeVar("ResultT")


class ReplicaLost(Exception):
    """Raised by a dispatch whose replica died; the batch has had no effect."""


@dataclass(frozen=True, slots=True)
class BatchReply(Generic[ResultT]):
    """What a dispatch returns: a result or an error for each item, in order."""

    results: Sequence[ResultT | ItemError]
    execution_s: float  # that the model ran


@dataclass(frozen=True, slots=True)
class Outcome(Generic[ResultT]):
    """One item's result, and how it came by it."""

    result: ResultT
    queue_s: float  # from submit until the model began: all that was not the model's own time
    execution_s: float
    batch_size: int


@dataclass(slots=True)
class BatcherStats:
    """Counts since the start. ``batches`` and ``items`` are those that came back."""

    batches: int = 0
    items: int = 0
    refused: int = 0
    expired_in_queue: int = 0
    expired_running: int = 0
    abandoned: int = 0
    split: int = 0  # batches that failed as a whole and were tried item by item
    sent_again: int = 0  # batches whose replica died


@dataclass(slots=True, eq=False)
class _Ticket(Generic[ItemT, ResultT]):
    item: ItemT
    number: int  # order of arrival
    cost: float  # its length, padded up to its bucket
    priority: int
    enqueued_at: float
    future: asyncio.Future[Outcome[ResultT]]

    def fail(self, error: DragomanError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(slots=True)
class _Queue(Generic[ItemT, ResultT]):
    """What waits: by priority, FIFO within one; any item can leave from the middle."""

    levels: dict[int, dict[int, _Ticket[ItemT, ResultT]]] = field(default_factory=dict)

    def add(self, ticket: _Ticket[ItemT, ResultT]) -> None:
        self.levels.setdefault(ticket.priority, {})[ticket.number] = ticket

    def remove(self, ticket: _Ticket[ItemT, ResultT]) -> bool:
        """Whether it was still waiting."""
        return self.levels.get(ticket.priority, {}).pop(ticket.number, None) is not None

    def head(self) -> _Ticket[ItemT, ResultT] | None:
        return next(iter(self), None)

    def __iter__(self) -> Iterator[_Ticket[ItemT, ResultT]]:
        for priority in sorted(self.levels):
            yield from self.levels[priority].values()

    def __len__(self) -> int:
        return sum(map(len, self.levels.values()))


class Batcher(Generic[ItemT, ResultT]):
    """One model's queue in one process.

    Args:
        name: of the model, for messages.
        dispatch: sends one batch to a replica; raises ``ReplicaLost`` if that died.
        policy: how batches are formed; can be changed at any time.
        replicas: how many batches can run at once.
        length_buckets: lengths that the model pads items up to; empty: to the batch's longest.
        clock: the running event loop, or what stands for it in tests.
    """

    def __init__(
        self,
        name: str,
        dispatch: Callable[[Sequence[ItemT]], Awaitable[BatchReply[ResultT]]],
        policy: BatchPolicy,
        *,
        replicas: int = 1,
        length_buckets: Sequence[float] = (),
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.policy = policy
        self.stats = BatcherStats()
        self._dispatch = dispatch
        self._replicas = replicas
        self._buckets = sorted(length_buckets)
        self._clock: Clock = clock or asyncio.get_running_loop()
        self._queue: _Queue[ItemT, ResultT] = _Queue()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._one_suspect = asyncio.Lock()
        self._arrivals = 0
        self._pump_scheduled = False
        self._delay_timer: Timer | None = None

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def reconfigure(self, policy: BatchPolicy) -> None:
        """Apply another policy to what waits and to what comes."""
        self.policy = policy
        self._schedule_pump()

    async def submit(
        self, item: ItemT, *, deadline: float | None = None, priority: int = 0
    ) -> Outcome[ResultT]:
        """Wait for one item's result.

        Args:
            item: what the model takes.
            deadline: on this batcher's clock; the policy's ``default_timeout_s``, if any, may
                be nearer.
            priority: 1 (most urgent) to ``priority_levels``; 0: the policy's default.

        Raises:
            QueueFull: ``max_queue_size`` items wait already.
            QueueDeadlinePassed: the deadline passed before the item left the queue.
            DeadlinePassed: it passed while the item's batch ran.
            InvalidRequest: no such priority.
            DragomanError: the item's own error.
        """
        ticket = self._enqueue(item, priority)
        timeout_s = self.policy.default_timeout_s
        expires_at = math.inf if timeout_s is None else ticket.enqueued_at + timeout_s
        if deadline is not None:
            expires_at = min(expires_at, deadline)
        timer = None
        if expires_at < math.inf:
            timer = self._clock.call_at(expires_at, self._expire, ticket)
        self._schedule_pump()
        try:
            return await ticket.future
        except asyncio.CancelledError:
            if self._queue.remove(ticket):
                self.stats.abandoned += 1
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _enqueue(self, item: ItemT, priority: int) -> _Ticket[ItemT, ResultT]:
        if not 0 <= priority <= self.policy.priority_levels:
            levels = self.policy.priority_levels
            raise InvalidRequest(f"priority must be from 1 to {levels}", param="priority")
        if len(self._queue) >= self.policy.max_queue_size:
            self._pump()  # what came in this turn of the event loop may leave at once
        if len(self._queue) >= self.policy.max_queue_size:
            self.stats.refused += 1
            raise QueueFull(f"the queue of model {self.name!r} is full")
        self._arrivals += 1
        ticket: _Ticket[ItemT, ResultT] = _Ticket(
            item=item,
            number=self._arrivals,
            cost=self._padded(item.length),
            priority=priority or self.policy.default_priority,
            enqueued_at=self._clock.time(),
            future=asyncio.get_running_loop().create_future(),
        )
        self._queue.add(ticket)
        return ticket

    def _expire(self, ticket: _Ticket[ItemT, ResultT]) -> None:
        if ticket.future.done():
            return
        if self._queue.remove(ticket):
            self.stats.expired_in_queue += 1
            message = f"the deadline passed in the queue of model {self.name!r}"
            ticket.fail(QueueDeadlinePassed(message))
        else:
            self.stats.expired_running += 1
            ticket.fail(DeadlinePassed(f"the deadline passed while model {self.name!r} ran"))

    # ---- forming batches ---------------------------------------------------------------

    def _schedule_pump(self) -> None:
        """Form batches once what arrives in this turn of the event loop is here."""
        if not self._pump_scheduled:
            self._pump_scheduled = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_scheduled = False
        if self._delay_timer is not None:
            self._delay_timer.cancel()
            self._delay_timer = None
        while (head := self._queue.head()) and self.in_flight < BATCHES_A_REPLICA * self._replicas:
            due = head.enqueued_at + self.policy.max_queue_delay_ms / 1000
            may_wait = self.in_flight >= self._replicas and self._clock.time() < due
            batch = self._draw(head) if not may_wait or self._may_be_full() else []
            if may_wait and not (batch and self._is_full(batch)):
                self._delay_timer = self._clock.call_at(due, self._pump)
                return
            self._start(batch)

    def _may_be_full(self) -> bool:
        """Whether it pays to draw a batch that only a full one is wanted of."""
        policy = self.policy
        return policy.max_batch_cost is not None or len(self._queue) >= policy.max_batch_size

    def _draw(self, head: _Ticket[ItemT, ResultT]) -> list[_Ticket[ItemT, ResultT]]:
        """The best batch around ``head``: near lengths first, within rows, cost and padding."""
        policy = self.policy
        batch, longest, total = [head], head.cost, head.cost
        near = sorted(self._queue, key=lambda t: (t.priority, abs(t.cost - head.cost), t.number))
        for ticket in near:
            if len(batch) == policy.max_batch_size:
                break
            rows, width = len(batch) + 1, max(longest, ticket.cost)
            fits_cost = policy.max_batch_cost is None or rows * width <= policy.max_batch_cost
            useful = total + ticket.cost + ROUNDING * width
            fits_padding = useful >= (1 - policy.max_padding) * rows * width
            if ticket is not head and fits_cost and fits_padding:
                batch.append(ticket)
                longest, total = width, total + ticket.cost
        return batch

    def _is_full(self, batch: list[_Ticket[ItemT, ResultT]]) -> bool:
        """Whether one more item like the longest would not fit."""
        limit, longest = self.policy.max_batch_cost, max(ticket.cost for ticket in batch)
        over_cost = limit is not None and (len(batch) + 1) * longest > limit
        return over_cost or len(batch) >= self.policy.max_batch_size

    def _padded(self, length: float) -> float:
        index = bisect.bisect_left(self._buckets, length)
        return self._buckets[index] if index < len(self._buckets) else length

    # ---- running batches ---------------------------------------------------------------

    def _start(self, batch: list[_Ticket[ItemT, ResultT]]) -> None:
        for ticket in batch:
            self._queue.remove(ticket)
        task = asyncio.get_running_loop().create_task(self._run(batch))
        self._in_flight.add(task)
        task.add_done_callback(self._finished)
        waiters = [ticket.future for ticket in batch]
        for waiter in waiters:  # a batch for which nobody waits any more gives up its place
            waiter.add_done_callback(
                lambda _: task.cancel() if all(w.done() for w in waiters) else None
            )

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._pump()

    async def _run(self, batch: list[_Ticket[ItemT, ResultT]]) -> None:
        """Answer every ticket of a batch, whatever happens."""
        try:
            for _ in range(LOSSES_TOGETHER):
                batch = [ticket for ticket in batch if not ticket.future.done()]
                if not batch or await self._attempt(batch):
                    return
            for ticket in batch:
                await self._run_suspect(ticket)
        except BaseException as error:  # the caller must never wait for a dead task
            for ticket in batch:
                ticket.fail(InternalError(f"model {self.name!r}: {error!r}"))
            raise

    async def _run_suspect(self, ticket: _Ticket[ItemT, ResultT]) -> None:
        """Run an item that was there when replicas died: alone, and no other suspect beside it."""
        async with self._one_suspect:
            for _ in range(LOSSES_ALONE):
                if ticket.future.done() or await self._attempt([ticket]):
                    return
        ticket.fail(InternalError(f"replicas of model {self.name!r} died under this item"))

    async def _attempt(self, batch: list[_Ticket[ItemT, ResultT]]) -> bool:
        """Send a batch once and answer its tickets; False if its replica died."""
        try:
            reply = await self._dispatch([ticket.item for ticket in batch])
            if len(reply.results) != len(batch):
                raise InternalError(f"{len(reply.results)} results for {len(batch)} items")
        except ReplicaLost:
            self.stats.sent_again += 1
            logger.warning("a replica of model %r died under a batch of %d", self.name, len(batch))
            await self._pause(LOSS_PAUSE_S)
            return False
        except Unavailable as error:  # there is no replica to try it on
            for ticket in batch:
                ticket.fail(error)
        except Exception as error:
            logger.exception("model %r failed on a batch of %d", self.name, len(batch))
            if len(batch) == 1:
                batch[0].fail(InternalError(f"model {self.name!r} failed: {error!r}"))
            else:
                self.stats.split += 1
                for ticket in batch:
                    await self._run([ticket])
        else:
            self._hand_out(batch, reply, HEAD_START)
        return True

    async def _pause(self, duration_s: float) -> None:
        over = asyncio.Event()
        self._clock.call_at(self._clock.time() + duration_s, over.set)
        await over.wait()

    def _hand_out(
        self, batch: list[_Ticket[ItemT, ResultT]], reply: BatchReply[ResultT], turns: int
    ) -> None:
        """Deliver after so many turns of the event loop.

        Sending a batch takes some turns, and answering its callers keeps one turn busy for
        milliseconds: a replica would stand idle while the one before it is answered.
        """
        if turns:
            asyncio.get_running_loop().call_soon(self._hand_out, batch, reply, turns - 1)
        else:
            self._deliver(batch, reply)

    def _deliver(self, batch: list[_Ticket[ItemT, ResultT]], reply: BatchReply[ResultT]) -> None:
        now = self._clock.time()
        self.stats.batches += 1
        self.stats.items += len(batch)
        for ticket, result in zip(batch, reply.results, strict=True):
            if ticket.future.done():
                continue
            if isinstance(result, ItemError):
                ticket.fail(result.error)
                continue
            queue_s = max(0.0, now - ticket.enqueued_at - reply.execution_s)
            ticket.future.set_result(Outcome(result, queue_s, reply.execution_s, len(batch)))
