"""Dynamic batching where requests arrive: pure asyncio, no Ray, on an injected clock.

Items of different callers wait here and leave together. The rules:

- A free replica takes the best batch at once. While every replica is busy, what arrives
  gathers. One batch may stand ready behind each running one; that place is taken by a full
  batch, or shortly before the running one ends. When that is, ``Rhythm`` knows; until it does,
  or where the delay is 0, once the head has waited ``max_queue_delay_ms``. With
  ``delay_when_idle`` the head waits as long before a free replica, too, unless the batch is full.
- Where the callers of a batch that ended ask again at once, the next one waits for them, as
  long as ``Returns`` knows that to be worth it, and at most ``max_queue_delay_ms``. Of several
  replicas each takes its share of all whose callers wait or may come back.
- The head of a batch is the item of the most urgent priority whose turn it is among the callers
  (``Queue``): the oldest, but nobody's many items stand before another's one. The others are
  drawn by how near they are to its length, within rows, cost and padding.
- A batch that takes long is not sent behind a running one before that ends, even a full one: who
  comes meanwhile may be before it. While shorter items wait, it takes ``max_batch_s`` at most.
- A full queue refuses at once, and so does one that is too long for a request's deadline, as
  ``Pace`` knows the model. A deadline is kept to the moment, queued or running. An item whose
  caller has left, or that cannot be answered in time, is dropped before it costs anything.
- Each item has its own result or its own error. A batch that failed as a whole is tried once
  more item by item; a batch whose replica died goes to another one, within its deadlines.
- A request is one caller's items: it is admitted or refused, and counted, as one.
"""

from __future__ import annotations

import asyncio
import bisect
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic

from deployments.batching.concurrency import detached
from deployments.batching.dispatcher import BatchReply, Clock, Dispatcher, LoopClock, Timer
from deployments.batching.estimates.batch_time import Rhythm
from deployments.batching.estimates.returning_callers import Returns
from deployments.batching.estimates.throughput import Pace, is_too_long
from deployments.batching.queue import (
    Answers,
    ItemT,
    Outcome,
    Queue,
    ResultT,
    Share,
    Ticket,
    draw,
    earliest_deadline,
    fit_together,
    is_full,
    most_rows,
)
from deployments.batching.request import Request
from deployments.batching.response_cache import ResponseCache
from deployments.batching.statistics import ModelStatistics, Reason
from deployments.config.policy import BatchPolicy
from models.errors import (
    DeadlinePassed,
    DragomanError,
    QueueDeadlinePassed,
    QueueFull,
)

BATCHES_A_REPLICA = 2  # in flight: one runs, one stands ready behind it
# Of a batch: what its way to a replica takes is nothing beside it, so it need not stand ready.
LONG_S = 0.1


class Batcher(Generic[ItemT, ResultT]):
    """One model's queue in one process.

    Args:
        name: of the model, for messages.
        dispatch: sends one batch to a replica; raises ``ReplicaLost`` if that died.
        policy: how batches are formed; can be changed at any time.
        replicas: how many batches can run at once.
        length_buckets: lengths that the model pads items up to; empty: to the batch's longest.
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
        cache: ResponseCache | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.policy = self._asked_policy = policy
        self._memory_bound: float | None = None
        self.statistics = ModelStatistics()
        self._replicas = replicas
        self._buckets = sorted(length_buckets)
        self._cache = cache
        self._generation = 0  # of the model: answers of one before are not its own
        self._clock: Clock = clock or LoopClock()
        self._queue: Queue[ItemT, ResultT] = Queue()
        self._pace = Pace()
        self._rhythm = Rhythm()
        self._returns = Returns()
        self._send = dispatch
        self._answers: Answers[ItemT, ResultT] = Answers()
        self._dispatcher = Dispatcher(name, self._sent, self._answers, self.statistics, self._clock)
        self._in_flight: dict[asyncio.Task[None], int] = {}  # their rows, the oldest first
        self._open = 0  # requests
        self._idle = asyncio.Event()
        self._idle.set()
        self._idle_since = self._clock.time()  # nothing waits and nothing runs
        self._free_since = self._clock.time()  # a replica has no batch
        self._arrivals = 0
        self._pump_scheduled = False
        self._delay_timer: Timer | None = None

    @property
    def waiting(self) -> int:
        """Items that wait."""
        return len(self._queue)

    @property
    def pending(self) -> int:
        """Requests of which an item waits."""
        return len(self._queue.groups)

    @property
    def in_flight(self) -> int:
        """Batches sent and not yet answered."""
        return len(self._in_flight)

    @property
    def idle_since(self) -> float | None:
        """When the last request ended, on this batcher's clock; None while there is one."""
        return self._idle_since if self._idle.is_set() else None

    @property
    def caches(self) -> bool:
        """Whether a request may be answered without a place in the queue."""
        return self._cache is not None and self.policy.response_cache

    def has_room(self, share: Share | None = None) -> bool:
        """Tell whether one more request may wait; ``share`` None: of a new caller.

        The queue is full of callers, not of what they have many of. Who was let in once has a place
        for all that follows: half of a caller's work done would be lost.
        """
        if share is not None and share.is_admitted:
            return True
        if self.pending >= self.policy.max_queue_size:
            self._pump()  # what came in this turn of the event loop may leave at once
        return self._queue.callers < self.policy.max_queue_size

    def expected_s(
        self, priority: int = 0, cost: float | None = None, share: Share | None = None
    ) -> float:
        """Until an item that came now would be answered, as far as that is known.

        Nothing before a free replica. ``cost`` None: of an item such as those before. ``share``
        None: of a new caller.
        """
        if self.in_flight < self._replicas:
            return 0.0
        is_first = not self.policy.preserve_ordering and (share is None or not share.waiting)
        before = self._queue.cost_before(self._level(priority), is_first=is_first)
        return self._pace.wait_s(before, cost, self._clock.time())

    async def until_idle(self) -> None:
        """Return once nothing waits and nothing runs."""
        await self._idle.wait()

    def reconfigure(self, policy: BatchPolicy) -> None:
        """Apply another policy to what waits and to what comes."""
        self._asked_policy = policy
        self._bound_policy()
        self._schedule_pump()

    def _bound_policy(self) -> None:
        """The policy as it was asked for, but no batch larger than a replica's memory holds."""
        asked, bound = self._asked_policy, self._memory_bound
        if bound is not None and (asked.max_batch_cost is None or bound < asked.max_batch_cost):
            asked = asked.model_copy(update={"max_batch_cost": bound})
        self.policy = asked

    def retarget(self, *, replicas: int, length_buckets: Sequence[float]) -> None:
        """Another generation of the model stands behind ``dispatch``; what waits goes to it."""
        self._replicas = replicas
        self._buckets = sorted(length_buckets)
        self._generation += 1
        self._schedule_pump()

    def request(
        self,
        *,
        deadline: float | None = None,
        priority: int = 0,
        queue_timeout_s: float | None = None,
        share: Share | None = None,
    ) -> Request[ItemT, ResultT]:
        """What several items are submitted through, to be admitted and counted as one.

        Args:
            deadline: of every item, on this batcher's clock, waiting or running.
            priority: 1 (most urgent) to ``priority_levels``; any other: the policy's default.
            queue_timeout_s: how long an item may wait; the policy's ``default_timeout_s`` may
                be shorter. One that runs is finished.
            share: of a caller with several requests to this model; None: of this one alone.
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
            QueueFull: ``max_queue_size`` requests wait already, or as many as the model needs
                until the deadline.
            QueueDeadlinePassed: its time passed before the item left the queue.
            DeadlinePassed: the deadline passed while the item's batch ran.
            DragomanError: the item's own error.
        """
        with Request(self, deadline, priority, queue_timeout_s) as request:
            return await request.submit(item)

    # ---- requests ----------------------------------------------------------------------

    def _opened(self, request: Request[ItemT, ResultT]) -> None:
        self._open += 1
        self._idle.clear()
        request.started_at = self._clock.time()

    def _closed(self, request: Request[ItemT, ResultT]) -> None:
        """Count it by what its own items came to, whatever else failed beside them."""
        self._open -= 1
        duration_s = self._clock.time() - request.started_at
        if not request.items:
            pass  # nothing was asked
        elif request.error is not None:
            self.statistics.failed(duration_s, reason_of(request.error))
        elif request.answered < request.items:
            self.statistics.failed(duration_s, "CANCELED")
        elif request.hits == request.items:
            self.statistics.hit(duration_s, request.lookup_s)
        else:
            self.statistics.succeeded(duration_s, request.stages)
            if request.lookup_s:
                self.statistics.cache_miss.add(request.lookup_s)
        self._rest()

    def _rest(self) -> None:
        if not self._open and not self._in_flight:
            self._idle_since = self._clock.time()
            self._idle.set()

    async def _submit(self, item: ItemT, request: Request[ItemT, ResultT]) -> Outcome[ResultT]:
        if self._cache is None or not self.caches:
            return await self._run_item(item, request)
        started = time.perf_counter()
        key = self._cache.key(self.name, self._generation, item)
        kept = self._cache.get(key)
        request.lookup_s += time.perf_counter() - started
        if kept is not None:
            request.hits += 1
            return Outcome(kept)
        outcome = await self._run_item(item, request)
        self._cache.put(key, outcome.result)
        return outcome

    async def _run_item(self, item: ItemT, request: Request[ItemT, ResultT]) -> Outcome[ResultT]:
        ticket = self._enqueue(item, request)
        timers = self._timers(ticket, request)
        self._schedule_pump()
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

    def _timers(
        self, ticket: Ticket[ItemT, ResultT], request: Request[ItemT, ResultT]
    ) -> list[Timer]:
        timers = []
        timeout_s, asked_s = self.policy.default_timeout_s, request.queue_timeout_s
        if asked_s is not None and (timeout_s is None or asked_s < timeout_s):
            timeout_s = asked_s
        if timeout_s is not None:
            until = ticket.enqueued_at + timeout_s
            timers.append(self._clock.call_at(until, self._expire_waiting, ticket))
        if request.deadline is not None:
            timers.append(self._clock.call_at(request.deadline, self._expire, ticket))
        return timers

    def _enqueue(self, item: ItemT, request: Request[ItemT, ResultT]) -> Ticket[ItemT, ResultT]:
        cost = self._padded(item.length)
        if not request.admitted:
            self._admit(request, cost)
        self._arrivals += 1
        now = self._clock.time()
        self._returns.came(now)
        ticket: Ticket[ItemT, ResultT] = Ticket(
            item=item,
            number=self._arrivals,
            cost=cost,
            priority=self._level(request.priority),
            enqueued_at=now,
            future=asyncio.get_running_loop().create_future(),
            group=request,
            share=request.share,
            deadline=request.deadline,
        )
        self._queue.add(ticket, is_row=(request.items - 1) % self.policy.max_batch_size != 0)
        return ticket

    def _admit(self, request: Request[ItemT, ResultT], cost: float) -> None:
        if request.refusal is None:
            request.refusal = self._refusal(request, cost)
            self.statistics.refused += request.refusal is not None
        if request.refusal is not None:
            raise QueueFull(request.refusal.message)  # each item its own: callers add to it
        request.admitted = request.share.is_admitted = True

    def _refusal(self, request: Request[ItemT, ResultT], cost: float) -> QueueFull | None:
        if not self.has_room(request.share):
            return queue_full(self.name)
        if request.deadline is not None:
            expected_s = self.expected_s(request.priority, cost, request.share)
            if is_too_long(expected_s, request.deadline - self._clock.time()):
                return queue_too_long(self.name, expected_s)
        return None

    def _level(self, asked: int) -> int:
        """As in Triton, a level that the policy does not have is its default."""
        has_it = 1 <= asked <= self.policy.priority_levels
        return asked if has_it else self.policy.default_priority

    def _expire_waiting(
        self, ticket: Ticket[ItemT, ResultT], why: str = "the deadline passed"
    ) -> None:
        if self._queue.remove(ticket):
            self.statistics.expired_in_queue += 1
            message = f"{why} in the queue of model {self.name!r}"
            self._answers.give(ticket, QueueDeadlinePassed(message))

    def _expire(self, ticket: Ticket[ItemT, ResultT]) -> None:
        self._expire_waiting(ticket)
        if not ticket.future.done():
            self.statistics.expired_running += 1
            message = f"the deadline passed while model {self.name!r} ran"
            ticket.answer = DeadlinePassed(message)
            ticket.deliver()  # whatever must be answered before it
            self._answers.flush()

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
        policy = self.policy
        most = BATCHES_A_REPLICA * self._replicas
        while self.in_flight < most and (head := self._queue.head(oldest=policy.preserve_ordering)):
            due = self._due()
            may_wait = self._clock.time() < due
            rows = policy.max_batch_size if may_wait else self._share()
            rows = min(rows, self._rows_in_time(head))
            pays = not may_wait or self._may_be_full()
            batch = draw(self._queue, head, policy, rows) if pays else []
            if batch and not (batch := self._in_time(batch)):
                continue
            if may_wait and not (batch and is_full(batch, policy) and self._may_stand_ready(batch)):
                if due < math.inf:
                    self._delay_timer = self._clock.call_at(due, self._pump)
                return
            self._start(batch)

    def _due(self) -> float:
        """Until when a batch may wait to get fuller; in the past, where it may not."""
        due = self._oldest_at() + self._delay_s
        if self.policy.delay_when_idle:
            return due
        if self.in_flight < self._replicas:
            longest = max(self._oldest_at(), self._free_since) + self._delay_s
            until = min(self._returns.until(), longest)
            return until if self._gathers(until) else -math.inf
        leaves = self._rhythm.next_at(self._replicas)
        if leaves is None or not self._delay_s:
            return due
        until = leaves + self._rhythm.hop_s + self._returns.wait_s
        return math.inf if self._gathers(until) else leaves  # inf: until the running one has ended

    @property
    def _delay_s(self) -> float:
        return self.policy.max_queue_delay_ms / 1000

    def _gathers(self, until: float) -> bool:
        """Whether the next batch waits for the callers of those before, at most until then.

        Only if that takes no longer than ``max_queue_delay_ms`` and pays, the batch has less than
        its share, they can join it, and everybody is answered in time all the same.
        """
        if not self._expects_returns() or len(self._queue) >= self._share():
            return False
        if self._queue.callers >= self.policy.max_queue_size:  # who comes back would be refused
            return False
        waiting = list(self._queue)
        longest = max([ticket.cost for ticket in waiting])
        answered_at = until + self._rhythm.expected_s(len(waiting) * longest)
        return answered_at <= earliest_deadline(waiting) and fit_together(
            len(waiting), waiting[0].cost, self._returns.cost, self.policy
        )

    def _expects_returns(self) -> bool:
        """Whether callers come back soon enough to wait for them."""
        is_short = self._returns.wait_s <= self._delay_s
        return is_short and self._returns.is_worth(self._rhythm.fixed_s)

    def _share(self) -> int:
        """The most rows of a batch that cannot wait: where callers come back, a replica's part.

        Of all that wait, run or are expected. Did one batch take all that wait, its callers would
        come back as one, and the other replicas would have the few others for ever.
        """
        most = self.policy.max_batch_size
        if not self._expects_returns():
            return most
        items = len(self._queue) + sum(self._in_flight.values()) + self._returns.missing
        return min(most, math.ceil(items / self._replicas))

    def _in_time(self, batch: list[Ticket[ItemT, ResultT]]) -> list[Ticket[ItemT, ResultT]]:
        """As much of a batch as can be answered in time, as far as known, but at least half of it.

        Who could not be answered in time even by half a batch is refused, and nothing returned:
        small batches for the most urgent would cost the others more. A free replica tries all.
        """
        due = earliest_deadline(batch)
        if self.in_flight < self._replicas or due == math.inf:
            return batch
        now, cost = self._clock.time(), sum(ticket.cost for ticket in batch)
        if self._answered_at(cost, now) <= due:
            return batch
        half_at = self._answered_at(max(cost / 2, batch[0].cost), now)
        if due < half_at:
            for ticket in batch:
                if ticket.deadline is not None and ticket.deadline < half_at:
                    self._expire_waiting(ticket, "the deadline cannot be kept")
            return []
        while len(batch) > 1 and self._answered_at(cost, now) > due:
            cost -= batch.pop().cost
        return batch

    def _answered_at(self, cost: float, now: float) -> float:
        return now + self._pace.needs_s(cost, now)

    def _oldest_at(self) -> float:
        """When the oldest item came, of whatever priority."""
        firsts = (next(iter(level.values())) for level in self._queue.levels.values() if level)
        return min(ticket.enqueued_at for ticket in firsts)

    def _may_be_full(self) -> bool:
        """Whether it pays to draw a batch that only a full one is wanted of."""
        policy = self.policy
        return policy.max_batch_cost is not None or len(self._queue) >= policy.max_batch_size

    def _may_stand_ready(self, batch: Sequence[Ticket[ItemT, ResultT]]) -> bool:
        """Whether nobody loses much by a batch that is sent before its replica is free."""
        if self.in_flight < self._replicas:
            return True
        return self._rhythm.expected_s(sum([ticket.cost for ticket in batch])) <= LONG_S

    def _rows_in_time(self, head: Ticket[ItemT, ResultT]) -> int:
        """The most rows of a batch that shorter items of others wait behind."""
        policy = self.policy
        if policy.max_batch_s is None or all(t.cost >= head.cost for t in self._queue):
            return policy.max_batch_size
        rows = most_rows(head.cost, policy)
        while rows > 1 and self._rhythm.expected_s(rows * head.cost) > policy.max_batch_s:
            rows -= 1
        return rows

    def _padded(self, length: float) -> float:
        index = bisect.bisect_left(self._buckets, length)
        return self._buckets[index] if index < len(self._buckets) else length

    # ---- running batches ---------------------------------------------------------------

    def _start(self, batch: list[Ticket[ItemT, ResultT]]) -> None:
        self._queue.take(batch)
        if self.policy.preserve_ordering:
            self._answers.line_up(batch)
        now, cost = self._clock.time(), sum(ticket.cost for ticket in batch)
        full = is_full(batch, self.policy) or bool(len(self._queue))
        self._pace.sent(cost, now)
        task = detached(self._dispatcher.run(batch, now))
        self._rhythm.sent(task, self._whole_cost([t.item for t in batch]), now, self._replicas)
        self._in_flight[task] = len(batch)
        waiting, rows, began = len(batch), len(batch), True

        def finished(task: asyncio.Task[None]) -> None:
            if not task.cancelled():
                # The pace is that of all replicas: of one that worked alone it would be theirs.
                told = full and len(self._in_flight) >= self._replicas
                self._pace.came_back(cost, rows, is_full=told, now=self._clock.time())
                self._returned(batch)
            elif began and full:
                self._pace.hung(cost, rows, self._clock.time())
            else:
                self._pace.given_up(cost)
            self._finished(task)

        task.add_done_callback(finished)

        def answered(_: object) -> None:
            nonlocal waiting, began
            waiting -= 1
            if not waiting and not task.done():
                began = self._give_up(task, now)

        for ticket in batch:
            ticket.future.add_done_callback(answered)

    def _returned(self, batch: list[Ticket[ItemT, ResultT]]) -> None:
        """A batch came back: those of its callers may ask again of whom nothing waits here."""
        rows = sum([ticket.group not in self._queue.groups for ticket in batch])
        mean_cost = sum([ticket.cost for ticket in batch]) / len(batch)
        self._returns.ended(rows, mean_cost, self._clock.time(), replicas=self._replicas)

    def _give_up(self, task: asyncio.Task[None], left_at: float) -> bool:
        """Nobody waits for a batch any more: it gives up its place, lest a hung call hold a model.

        One that stands behind another never begins. One that runs keeps its replica busy, so
        that it has as long again before others are sent there. Whether it runs.
        """
        if task not in list(self._in_flight)[: self._replicas]:
            task.cancel()
            return False
        timer = self._clock.call_at(2 * self._clock.time() - left_at, task.cancel)
        task.add_done_callback(lambda _: timer.cancel())
        return True

    async def _sent(self, items: Sequence[ItemT]) -> BatchReply[ResultT]:
        reply = await self._send(items)
        if reply.memory_bound != self._memory_bound:
            self._memory_bound = reply.memory_bound
            self._bound_policy()
        cost = self._whole_cost(items)
        self._rhythm.learn(cost, reply)
        self._pace.reached_a_replica(self._clock.time() - reply.since_received_s)
        if self._pace.is_guessed and self._rhythm.knows_costs and cost:
            rows = most_rows(cost / len(items), self.policy)
            full = rows * cost / len(items)
            self._pace.guess(self._rhythm.expected_s(full) / self._replicas, full, rows)
        return reply

    def _whole_cost(self, items: Sequence[ItemT]) -> float:
        """Of a batch with its padding."""
        return len(items) * self._padded(max([item.length for item in items]))

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.pop(task, None)
        now = self._clock.time()
        self._rhythm.over(task, now)
        if self.in_flight == self._replicas - 1:
            self._free_since = now
        self._pump()
        self._rest()


def queue_full(name: str) -> QueueFull:
    """The refusal of a request for which the queue has no place."""
    return QueueFull(f"the queue of model {name!r} is full")


def queue_too_long(name: str, expected_s: float) -> QueueFull:
    """The refusal of a request whose deadline would pass before its answer."""
    message = f"the queue of model {name!r} is too long for the request's deadline: an answer"
    return QueueFull(f"{message} would take about {expected_s:.2g} s")


def reason_of(error: BaseException) -> Reason:
    """Triton's word for why a request failed."""
    if isinstance(error, QueueFull | QueueDeadlinePassed):
        return "REJECTED"
    if isinstance(error, asyncio.CancelledError | DeadlinePassed):
        return "CANCELED"
    if isinstance(error, DragomanError) and error.status < 500:
        return "OTHER"
    return "BACKEND"
