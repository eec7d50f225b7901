"""Decide when a batch leaves, of which items, and which items are refused: one pure function.

``decide`` looks at one moment of one model's queue. Its rules are told in ``batcher``. Where other
ingresses use the replicas, too, ``shared`` tells when a batch that is not full leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple

from deployments.batching.estimates.batch_time import BatchTimes
from deployments.batching.estimates.returning_callers import Returning
from deployments.batching.selection import (
    Waiting,
    WaitingT,
    draw,
    fit_together,
    is_full,
    most_rows,
)
from deployments.config.policy import BatchPolicy

BATCHES_A_REPLICA = 2  # in flight: one runs, one stands ready behind it
# A batch that takes longer need not stand ready: its way to a replica is nothing beside it.
LONG_S = 0.1


class Moment(NamedTuple, Generic[WaitingT]):
    """All that ``decide`` looks at: at least one item waits, and one more batch may be in flight.

    The queue is ``waiting``, by priority and in the order of arrival within one, and ``head``.
    The seven fields from ``batch_times`` are what the three estimates answer.
    """

    now: float
    policy: BatchPolicy
    waiting: Sequence[WaitingT]
    head: WaitingT  # the item whose turn it is
    is_in_turn: bool  # turns are in the order of arrival
    oldest_at: float  # when the oldest item came, of whatever priority
    callers: int  # of whom an item waits
    replicas: int
    in_flight: int  # batches
    rows_in_flight: int
    free_since: float  # when the last replica became free
    batch_times: BatchTimes
    fixed_s: float  # that a batch takes whatever its cost
    hop_s: float  # the way to a replica and back
    next_at: float | None  # when the batch behind a running one should leave; None: not known
    ahead_s: float  # until all that is in flight is done
    s_a_cost: float  # that all replicas together need for a unit of cost
    returning: Returning
    is_live: bool = False  # a live session is open
    shared_at: float | None = None  # when it should leave; None: nobody else uses the replicas

    @property
    def is_free(self) -> bool:
        """Tell whether a replica has no batch."""
        return self.in_flight < self.replicas

    @property
    def delay_s(self) -> float:
        return self.policy.max_queue_delay_ms / 1000

    def answered_at(self, cost: float) -> float:
        """Return when a batch of that cost would be answered, behind all that is in flight."""
        return self.now + (self.ahead_s + cost * self.s_a_cost)


class Decision(NamedTuple, Generic[WaitingT]):
    """The items that leave now as a batch, or those that are refused, or how long to wait.

    Where items are refused, the rest is to be decided anew. Where none leave and none are refused,
    nothing is to be done before ``until``; infinity: before something comes or ends.
    """

    batch: list[WaitingT] | None = None
    refused: list[WaitingT] | None = None
    until: float = math.inf


def decide(at: Moment[WaitingT]) -> Decision[WaitingT]:
    """Decide whether a batch leaves, of which items, and who is refused because it is too late."""
    policy = at.policy
    due = _due(at)
    may_wait = at.now < due
    if may_wait and not _may_be_full(at):
        return Decision(until=due)
    rows = min(policy.max_batch_size if may_wait else _share(at), _rows_in_time(at))
    batch = draw(at.waiting, at.head, policy, rows, is_in_turn=at.is_in_turn)
    if at.is_live and policy.max_batch_s_beside_live is not None:
        _keep_short(batch, at.batch_times, policy.max_batch_s_beside_live)
    if not at.is_free and (refused := _keep_deadlines(at, batch)):
        return Decision(refused=refused)
    if may_wait and not (is_full(batch, policy) and _may_stand_ready(at, batch)):
        return Decision(until=due)
    return Decision(batch)


# ---- until when ------------------------------------------------------------------------


def _due(at: Moment[WaitingT]) -> float:
    """Return until when a batch may wait to get fuller; in the past, where it may not."""
    due = at.oldest_at + at.delay_s
    if at.policy.delay_when_idle:
        return due
    if at.is_free:
        longest = max(at.oldest_at, at.free_since) + at.delay_s
        until = min(at.returning.until, longest)
        due = until if _gathers(at, until) else -math.inf
        return due if at.shared_at is None else max(due, at.shared_at)
    if at.shared_at is not None:
        return at.shared_at
    if at.next_at is None or not at.delay_s:
        return due
    until = at.next_at + at.hop_s + at.returning.wait_s
    return math.inf if _gathers(at, until) else at.next_at  # inf: until the running one has ended


def _gathers(at: Moment[WaitingT], until: float) -> bool:
    """Tell whether the next batch waits for the callers of those before, at most until then.

    It does only if that takes no longer than ``max_queue_delay_ms`` and pays, the batch has less
    than its share, they can join it, and everybody is answered in time all the same.
    """
    if not _expects_callers(at) or len(at.waiting) >= _share(at):
        return False
    if at.callers >= at.policy.max_queue_size:  # who comes back would be refused
        return False
    longest = max([each.cost for each in at.waiting])
    answered_at = until + at.batch_times.expected_s(len(at.waiting) * longest)
    return answered_at <= earliest_deadline(at.waiting) and fit_together(
        len(at.waiting), at.waiting[0].cost, at.returning.cost, at.policy
    )


def _expects_callers(at: Moment[WaitingT]) -> bool:
    """Tell whether callers come back soon enough to wait for them."""
    return at.returning.wait_s <= at.delay_s and at.returning.is_worth(at.fixed_s)


def _may_be_full(at: Moment[WaitingT]) -> bool:
    """Tell whether a full batch may be among what waits, so that it pays to draw one."""
    return at.policy.max_batch_cost is not None or len(at.waiting) >= at.policy.max_batch_size


def _may_stand_ready(at: Moment[WaitingT], batch: Sequence[Waiting]) -> bool:
    """Tell whether nobody loses much by a batch that is sent before its replica is free."""
    if at.is_free:
        return True
    return at.batch_times.expected_s(sum([each.cost for each in batch])) <= LONG_S


# ---- how many rows ---------------------------------------------------------------------


def _share(at: Moment[WaitingT]) -> int:
    """Return the most rows of a batch that cannot wait: where callers come back, a replica's part.

    It is a part of all that wait, run or are expected. Did one batch take all that wait, its
    callers would come back together, and the other replicas would have the few others for ever.
    """
    most = at.policy.max_batch_size
    if not _expects_callers(at):
        return most
    items = len(at.waiting) + at.rows_in_flight + at.returning.missing
    return min(most, math.ceil(items / at.replicas))


def _rows_in_time(at: Moment[WaitingT]) -> int:
    """Return the most rows of a batch that shorter items wait behind."""
    policy, cost = at.policy, at.head.cost
    if policy.max_batch_s is None or all(each.cost >= cost for each in at.waiting):
        return policy.max_batch_size
    rows = most_rows(cost, policy)
    while rows > 1 and at.batch_times.expected_s(rows * cost) > policy.max_batch_s:
        rows -= 1
    return rows


def _keep_short(batch: list[WaitingT], times: BatchTimes, most_s: float) -> None:
    """Cut a batch down to what takes so long at most; its head stays."""
    while len(batch) > 1:
        if times.expected_s(len(batch) * max([each.cost for each in batch])) <= most_s:
            return
        batch.pop()


# ---- deadlines -------------------------------------------------------------------------


def _keep_deadlines(at: Moment[WaitingT], batch: list[WaitingT]) -> list[WaitingT]:
    """Cut a batch down to what can be answered in time, but to half of it at the least.

    Return the items that even half of it could not answer in time: they are refused, and the batch
    does not leave. Small batches for the most urgent would cost the others more.
    """
    due = earliest_deadline(batch)
    if due == math.inf:
        return []
    cost = sum([each.cost for each in batch])
    if at.answered_at(cost) <= due:
        return []
    half_at = at.answered_at(max(cost / 2, batch[0].cost))
    if due < half_at:
        return [each for each in batch if each.deadline is not None and each.deadline < half_at]
    while len(batch) > 1 and at.answered_at(cost) > due:
        cost -= batch.pop().cost
    return []


def earliest_deadline(items: Iterable[Waiting]) -> float:
    """Return the first of all deadlines; infinity where no item has one."""
    return min([each.deadline for each in items if each.deadline is not None], default=math.inf)
