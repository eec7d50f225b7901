"""Send a model's batches when ``forming`` says so, give up hung ones, and learn where each ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any, Generic

from deployments.batching.batch import Batch, BatchReply
from deployments.batching.clock import Clock, Timer
from deployments.batching.concurrency import detached
from deployments.batching.deadlines import Deadlines
from deployments.batching.delivery import Answers
from deployments.batching.dispatcher import Dispatcher
from deployments.batching.forming import BATCHES_A_REPLICA, Moment, decide
from deployments.batching.learning import End, Learning
from deployments.batching.live import UPDATE, LiveWork, is_live
from deployments.batching.queue import ItemT, Queue, ResultT, Ticket
from deployments.batching.selection import is_full
from deployments.batching.shared import CALLS_A_REPLICA, SharedReplica
from deployments.config.policy import BatchPolicy


class BatchSender(Generic[ItemT, ResultT]):
    """The batches of one model: those that its queue may form, and those in flight.

    ``rested`` is called after each batch that ended.
    """

    def __init__(
        self,
        dispatcher: Dispatcher[ItemT, ResultT],
        policy: BatchPolicy,
        queue: Queue[ItemT, ResultT],
        answers: Answers[ItemT, ResultT],
        deadlines: Deadlines[ItemT, ResultT],
        clock: Clock,
        rested: Callable[[], None],
        *,
        replicas: int,
    ) -> None:
        self.policy = self._asked_policy = policy
        self.replicas = replicas  # that run one batch each
        self.learning = Learning()
        self.live = LiveWork(self.schedule)
        self._shared: SharedReplica | None = None  # None: nobody else uses the replicas
        self._memory_bound: float | None = None  # the largest cost of a batch, told by a replica
        self._dispatcher = dispatcher
        self._queue = queue
        self._answers = answers
        self._deadlines = deadlines
        self._clock = clock
        self._rested = rested
        self._in_flight: dict[Batch[ItemT, ResultT], asyncio.Task[None]] = {}  # the oldest first
        self._free_since = clock.time()  # when the last replica became free
        self._is_scheduled = False
        self._delay_timer: Timer | None = None

    @property
    def in_flight(self) -> int:
        """Count the batches that are sent and not yet answered."""
        return len(self._in_flight)

    @property
    def is_free(self) -> bool:
        """Tell whether a replica has no batch."""
        return len(self._in_flight) < self.replicas

    @property
    def may_join(self) -> BatchPolicy | None:
        """Return how others' batches may run with these ones; None: they must not.

        Live speech does not wait for longer batches, and order is kept within one batch.
        """
        return None if self.policy.preserve_ordering or self.live.sessions else self.policy

    @property
    def _sharing(self) -> SharedReplica | None:
        """Return what is known of replicas that others use, too; None: these batches run alone."""
        return None if self.may_join is None else self._shared

    def resize(self, replicas: int) -> None:
        """Form batches for another number of replicas."""
        self.replicas = replicas
        self.schedule()

    def reconfigure(self, policy: BatchPolicy) -> None:
        """Apply another policy."""
        self._asked_policy = policy
        self._bound_policy()
        self.schedule()

    def _bound_policy(self) -> None:
        """Apply the policy that was asked for, with no batch larger than a replica's memory."""
        asked, bound = self._asked_policy, self._memory_bound
        if bound is not None and (asked.max_batch_cost is None or bound < asked.max_batch_cost):
            asked = asked.model_copy(update={"max_batch_cost": bound})
        self.policy = asked

    # ---- forming batches -----------------------------------------------------------------

    def schedule(self) -> None:
        """Form batches once what arrives in this turn of the event loop is here."""
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self.form)

    def form(self) -> None:
        """Do what ``decide`` says, as long as something is to be done now."""
        self._is_scheduled = False
        if self._delay_timer is not None:
            self._delay_timer.cancel()
            self._delay_timer = None
        while self._has_place() and (moment := self._moment()):
            decision = decide(moment)
            if decision.batch:
                self._send(decision.batch, moment.now)
            elif decision.refused:
                for ticket in decision.refused:
                    self._deadlines.refuse(ticket, "the deadline cannot be kept")
            else:
                if decision.until < math.inf:
                    self._delay_timer = self._clock.call_at(decision.until, self.form)
                return

    def _has_place(self) -> bool:
        """Tell whether one more batch may be in flight."""
        most = BATCHES_A_REPLICA * self.replicas
        if self._sharing is None:
            return len(self._in_flight) < most
        rows = sum([batch.rows for batch in self._in_flight])
        calls = CALLS_A_REPLICA * self.replicas
        return len(self._in_flight) < calls and rows < most * self.policy.max_batch_size

    def _moment(self) -> Moment[Ticket[ItemT, ResultT]] | None:
        """Return all that ``decide`` looks at; None where nothing waits."""
        queue, learning = self._queue, self.learning
        head = self._head()
        if head is None:
            return None
        now, in_flight = self._clock.time(), len(self._in_flight)
        sharing, hop_s = self._sharing, learning.batch_time.hop_s
        is_free = in_flight < self.replicas
        return Moment(
            now=now,
            policy=self.policy,
            waiting=queue.in_order(),
            head=head,
            is_in_turn=not queue.unordered,
            oldest_at=queue.oldest_at,
            callers=queue.callers,
            replicas=self.replicas,
            in_flight=in_flight,
            rows_in_flight=sum([batch.rows for batch in self._in_flight]),
            free_since=self._free_since,
            batch_times=learning.batch_time.times,
            fixed_s=learning.batch_time.fixed_s,
            hop_s=hop_s,
            next_at=None if is_free else learning.batch_time.next_at(self.replicas),
            ahead_s=learning.throughput.ahead_s(now),
            s_a_cost=learning.throughput.s_a_cost,
            returning=learning.returning_callers.expected(),
            is_live=self.live.sessions > 0,
            shared_at=None
            if sharing is None
            else sharing.next_at(hop_s, is_free=is_free and self.replicas > 1),
        )

    def _head(self) -> Ticket[ItemT, ResultT] | None:
        """Return the item whose turn it is: a live one, unless others have waited their part."""
        is_ordered = self.policy.preserve_ordering
        head = self._queue.head(oldest=is_ordered)
        if head is None or not is_live(head.priority) or is_ordered:
            return head
        other = self._queue.head(after=UPDATE)
        takes_s = 0.0 if other is None else self.learning.batch_time.times.expected_s(other.cost)
        return other if self.live.is_others_turn(takes_s) else head

    # ---- batches in flight ---------------------------------------------------------------

    def _send(self, tickets: list[Ticket[ItemT, ResultT]], now: float) -> None:
        """Start a batch on its way; it is given up once nobody waits for any of its items."""
        self._queue.take(tickets)
        live_part = self._count_live(tickets) if self.live.sessions else 0.0
        if self.policy.preserve_ordering:
            self._answers.line_up(tickets)
        full = is_full(tickets, self.policy) or bool(self._queue.callers)
        batch = Batch(tickets, now, full, is_live=live_part == 1)
        if (sharing := self._sharing) is not None:
            sharing.left(now)
            hop_s = self.learning.batch_time.hop_s
            batch.held_s = [max(0.0, now - each.enqueued_at - hop_s) for each in tickets]
        self.learning.sent(batch, self.replicas)
        task = detached(self._dispatcher.run(batch))
        self._in_flight[batch] = task
        task.add_done_callback(lambda _: self._over(batch, task))
        unanswered = batch.rows

        def answered(_: object) -> None:
            nonlocal unanswered
            unanswered -= 1
            if not unanswered and not task.done():
                self._give_up(batch, task)

        for ticket in tickets:
            ticket.future.add_done_callback(answered)

    def _count_live(self, tickets: Sequence[Ticket[ItemT, ResultT]]) -> float:
        """Count what a batch owes to other work. Return the part of its rows that are live."""
        live_part: float = sum([is_live(each.priority) for each in tickets]) / len(tickets)
        cost = len(tickets) * max([ticket.cost for ticket in tickets])
        takes_s = self.learning.batch_time.times.expected_s(cost)
        others_wait = self._queue.head(after=UPDATE) is not None
        self.live.sent(takes_s, live_part, others_wait=others_wait)
        return live_part

    def _give_up(self, batch: Batch[ItemT, ResultT], task: asyncio.Task[None]) -> None:
        """Let a batch that nobody waits for lose its place, lest a hung call hold a model.

        One that stands behind another never begins. One that runs keeps its replica busy, so it
        has as long again before others are sent there.
        """
        if batch not in list(self._in_flight)[: self.replicas]:
            batch.is_dropped = True
            task.cancel()
            return
        timer = self._clock.call_at(2 * self._clock.time() - batch.left_at, task.cancel)
        task.add_done_callback(lambda _: timer.cancel())

    def _over(self, batch: Batch[ItemT, ResultT], task: asyncio.Task[Any]) -> None:
        """Learn from a batch that ended, and form the next ones."""
        now, were_all_busy = self._clock.time(), len(self._in_flight) >= self.replicas
        del self._in_flight[batch]
        if len(self._in_flight) == self.replicas - 1:
            self._free_since = now
        end = End.ANSWERED
        if task.cancelled():
            end = End.DROPPED if batch.is_dropped else End.HUNG
        if batch.replies:
            self._told(batch.replies[-1].reply, now)
        self.learning.ended(
            batch,
            end,
            now,
            were_all_busy=were_all_busy,
            waiting=self._queue.groups,
            replicas=self.replicas,
            policy=self.policy,
        )
        self.form()
        self._rested()

    def _told(self, reply: BatchReply[ResultT], now: float) -> None:
        """Take over what a replica tells about itself."""
        if reply.memory_bound != self._memory_bound:
            self._memory_bound = reply.memory_bound
            self._bound_policy()
        if reply.busy_s is None:
            self._shared = None
            return
        if self._shared is None:
            self._shared = SharedReplica()
        self._shared.told(now - reply.output_s, reply.busy_s)
