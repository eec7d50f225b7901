"""Dynamic batching where requests arrive: pure asyncio, no Ray, on an injected clock.

Items of different callers wait here and leave together. When a batch leaves (``forming``):

- A free replica takes the best batch at once. With ``delay_when_idle`` the oldest item waits for
  ``max_queue_delay_ms`` first, unless the batch is full.
- While every replica is busy, items gather, and one batch may stand ready behind each running one.
  A full batch does so at once. Any other does shortly before the running one ends; where that is
  not known or the delay is 0, once its oldest item has waited for ``max_queue_delay_ms``.
- A batch that takes long does not stand ready, even a full one: an item that comes before the
  running one ends may have its turn first.
- Where callers of a batch that ended ask again at once, the next one waits for them, if that pays,
  and for ``max_queue_delay_ms`` at most. Each of several replicas takes its share of all items.
- While shorter items wait, a batch takes ``max_batch_s`` at most; while a live session is open,
  ``max_batch_s_beside_live``, but for its live items. These go first (``live``).
- A batch is no larger than its deadlines allow, but half of it at the least: an item whose deadline
  is nearer than the answer of that is refused.

What it holds, and what comes of it:

- Its head is the most urgent item whose turn it is among the callers (``queue``). The others are
  those nearest to the head's length, within rows, cost and padding (``selection``).
- A full queue refuses at once, and so does one that is too long for a request's deadline. A
  deadline is kept to the moment, queued or running. An item whose caller has left is dropped.
- Each item has its own result or its own error. A batch that failed as a whole is tried once
  more item by item; a batch whose replica died goes to another one (``dispatcher``).
- A request is one caller's items: it is admitted or refused, and counted, as one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from typing import Generic

from deployments.batching.batch import BatchReply
from deployments.batching.clock import Clock, LoopClock
from deployments.batching.deadlines import Deadlines
from deployments.batching.delivery import Answers
from deployments.batching.dispatcher import Dispatcher
from deployments.batching.estimates.throughput import is_too_long
from deployments.batching.live import is_live, level_of
from deployments.batching.queue import ItemT, Outcome, Queue, ResultT, Share, Ticket
from deployments.batching.refusals import queue_full, queue_too_long
from deployments.batching.request import Request
from deployments.batching.response_cache import ResponseCache
from deployments.batching.selection import padded
from deployments.batching.sender import BatchSender
from deployments.batching.statistics import ModelStatistics
from deployments.config.policy import BatchPolicy
from models.errors import QueueFull


class Batcher(Generic[ItemT, ResultT]):
    """One model's queue in one process.

    Args:
        name: of the model, for messages.
        dispatch: sends one batch to a replica; raises ``ReplicaLost`` if that died.
        policy: how batches are formed.
        replicas: how many batches can run at once.
        length_buckets: lengths that the model pads items up to; empty: to the batch's longest.
        key: what the items of one batch must have in common; None: nothing.
        cache: where answers are kept if the policy says so.
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
        key: Callable[[ItemT], Hashable] | None = None,
        cache: ResponseCache | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.statistics = ModelStatistics()
        self._buckets, self._key, self._cache = sorted(length_buckets), key, cache
        self._generation = 0  # of the model: answers of one before are not its own
        clock = clock or LoopClock()
        queue: Queue[ItemT, ResultT] = Queue()
        answers: Answers[ItemT, ResultT] = Answers()
        deadlines = Deadlines(name, queue, answers, self.statistics, clock)
        dispatcher = Dispatcher(name, dispatch, answers, self.statistics, clock)
        self._sender = BatchSender(
            dispatcher, policy, queue, answers, deadlines, clock, self._rest, replicas=replicas
        )
        self.learning = self._sender.learning
        self._queue, self._answers, self._deadlines, self._clock = queue, answers, deadlines, clock
        self._open = 0  # requests
        self._idle = asyncio.Event()
        self._idle.set()
        self._idle_since, self._arrivals = clock.time(), 0  # idle: nothing waits and nothing runs

    @property
    def policy(self) -> BatchPolicy:
        """Return how batches are formed now."""
        return self._sender.policy

    @property
    def may_join(self) -> BatchPolicy | None:
        """Return how others' batches may run with these ones; None: they must not.

        Live speech does not wait for longer batches, and order is kept within one batch.
        """
        policy = self.policy
        return None if policy.preserve_ordering or self._sender.live.sessions else policy

    @property
    def waiting(self) -> int:
        """Count the items that wait."""
        return len(self._queue)

    @property
    def pending(self) -> int:
        """Count the requests of which an item waits."""
        return len(self._queue.groups)

    @property
    def in_flight(self) -> int:
        """Count the batches that are sent and not yet answered."""
        return self._sender.in_flight

    @property
    def idle_since(self) -> float | None:
        """Return when the last request ended, on this batcher's clock; None while there is one."""
        return self._idle_since if self._idle.is_set() else None

    @property
    def caches(self) -> bool:
        """Tell whether a request may be answered without a place in the queue."""
        return self._cache is not None and self.policy.response_cache

    def has_room(self, share: Share | None = None) -> bool:
        """Tell whether one more request may wait; ``share`` None: of a new caller.

        The queue is full of callers, not of their items. A caller who was let in once has a place
        for all that follows: half of the work done would be lost.
        """
        if share is not None and share.is_admitted:
            return True
        queue, most = self._queue, self._sender.policy.max_queue_size
        if len(queue.groups) >= most:
            self._sender.form()  # what came in this turn of the event loop may leave at once
        return queue.callers < most

    def expected_s(
        self, priority: int = 0, cost: float | None = None, share: Share | None = None
    ) -> float:
        """Return the time until an item that came now would be answered; 0 where a replica is free.

        ``cost`` None: of a usual item. ``share`` None: of a new caller.
        """
        if self._sender.is_free:
            return 0.0
        is_first = not self.policy.preserve_ordering and (share is None or not share.waiting)
        before = self._queue.cost_before(level_of(priority, self.policy), is_first=is_first)
        return self.learning.throughput.wait_s(before, cost, self._clock.time())

    def open_live(self) -> AbstractContextManager[None]:
        """Keep the batches of other work short for as long as the block runs: a live session."""
        return self._sender.live.opened()

    async def until_idle(self) -> None:
        """Return once nothing waits and nothing runs."""
        await self._idle.wait()

    def reconfigure(self, policy: BatchPolicy) -> None:
        """Apply another policy to what waits and to what comes."""
        self._sender.reconfigure(policy)

    def resize(self, replicas: int) -> None:
        """Send batches to another number of replicas of the same generation."""
        if self._sender.replicas != replicas:
            self._sender.replicas = replicas
            self._sender.schedule()

    def retarget(self, *, replicas: int, length_buckets: Sequence[float]) -> None:
        """Send what waits to another generation of the model, which stands behind ``dispatch``."""
        self._sender.replicas = replicas
        self._buckets = sorted(length_buckets)
        self._generation += 1
        self._sender.schedule()

    def request(
        self,
        *,
        deadline: float | None = None,
        priority: int = 0,
        queue_timeout_s: float | None = None,
        share: Share | None = None,
    ) -> Request[ItemT, ResultT]:
        """Return a request: several items that are admitted and counted as one.

        Args:
            deadline: of every item, on this batcher's clock, waiting or running.
            priority: ``LIVE``, ``UPDATE``, ``BACKGROUND``, or 1 (urgent) to ``priority_levels``;
                else the default.
            queue_timeout_s: how long an item may wait; ``default_timeout_s`` may be shorter.
            share: of a caller with several requests to it; None: of this one alone.
        """
        return Request(self, deadline, priority, queue_timeout_s, share)

    async def submit(
        self,
        item: ItemT,
        *,
        deadline: float | None = None,
        priority: int = 0,
        queue_timeout_s: float | None = None,
    ) -> Outcome[ResultT]:
        """Wait for one item's result, as a request of its own; see ``request``.

        Raises:
            QueueFull: the queue has no place, or is too long for the deadline.
            QueueDeadlinePassed: its time passed before the item left the queue.
            DeadlinePassed: the deadline passed while the item's batch ran.
            DragomanError: the item's own error.
        """
        with Request(self, deadline, priority, queue_timeout_s) as request:
            return await request.submit(item)

    def opened(self) -> float:
        """Note that a request begins; return the time."""
        self._open += 1
        self._idle.clear()
        return self._clock.time()

    def closed(self, request: Request[ItemT, ResultT]) -> None:
        """Count a request that ended."""
        self._open -= 1
        request.count(self.statistics, self._clock.time())
        self._rest()

    async def run_item(self, item: ItemT, request: Request[ItemT, ResultT]) -> Outcome[ResultT]:
        """Answer an item from the cache, or by the model."""
        if self._cache is None or not self.caches:
            return await self._wait_for(item, request)
        started = time.perf_counter()
        key = self._cache.key(self.name, self._generation, item)
        kept = self._cache.get(key)
        request.lookup_s += time.perf_counter() - started
        if kept is not None:
            request.hits += 1
            return Outcome(kept)
        outcome = await self._wait_for(item, request)
        self._cache.put(key, outcome.result)
        return outcome

    def _rest(self) -> None:
        if not self._open and not self.in_flight:
            self._idle_since = self._clock.time()
            self._idle.set()

    async def _wait_for(self, item: ItemT, request: Request[ItemT, ResultT]) -> Outcome[ResultT]:
        ticket = self._enqueue(item, request)
        default_s = self._sender.policy.default_timeout_s
        timers = self._deadlines.timers(ticket, request.queue_timeout_s, default_s)
        self._sender.schedule()
        try:
            outcome = await ticket.future
        except asyncio.CancelledError:
            if self._queue.remove(ticket):
                self.statistics.abandoned += 1
            self._answers.flush()
            raise
        finally:
            for timer in timers:
                timer.cancel()
            del ticket  # its error's traceback holds this frame: no cycle
        request.took(outcome)
        return outcome

    def _enqueue(self, item: ItemT, request: Request[ItemT, ResultT]) -> Ticket[ItemT, ResultT]:
        cost = padded(item.length, self._buckets)
        if not request.admitted:
            self._admit(request, cost)
        self._arrivals += 1
        now = self._clock.time()
        self.learning.returning_callers.came(now)
        ticket: Ticket[ItemT, ResultT] = Ticket(
            item=item,
            number=self._arrivals,
            cost=cost,
            priority=level_of(request.priority, self._sender.policy),
            enqueued_at=now,
            future=asyncio.get_running_loop().create_future(),
            group=request,
            share=request.share,
            deadline=request.deadline,
            key=self._key and self._key(item),
        )
        rows = self._sender.policy.max_batch_size
        self._queue.add(ticket, is_row=(request.items - 1) % rows != 0)
        return ticket

    def _admit(self, request: Request[ItemT, ResultT], cost: float) -> None:
        if request.refusal is None:
            request.refusal = self._refusal(request, cost)
            self.statistics.refused += request.refusal is not None
        if request.refusal is not None:
            raise QueueFull(request.refusal.message)  # each item its own: callers add to it
        request.admitted = request.share.is_admitted = True

    def _refusal(self, request: Request[ItemT, ResultT], cost: float) -> QueueFull | None:
        if not is_live(request.priority) and not self.has_room(request.share):
            return queue_full(self.name)
        if request.deadline is None:
            return None
        expected_s = self.expected_s(request.priority, cost, request.share)
        is_in_vain = is_too_long(expected_s, request.deadline - self._clock.time())
        return queue_too_long(self.name, expected_s) if is_in_vain else None
