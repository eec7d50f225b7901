"""What waits for a model: requests with their items, by priority, and answers kept in order."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from deployments.config.policy import BatchPolicy
from models.errors import DragomanError

ROUNDING = 1e-9  # relative: sums of equal lengths must not look like padding


class Lengthy(Protocol):
    """What can wait here: something with a length in the unit of its kind."""

    @property
    def length(self) -> float: ...


ItemT = TypeVar("ItemT", bound=Lengthy)
ResultT = TypeVar("ResultT")


class Outcome(NamedTuple, Generic[ResultT]):
    """One item's result, and how it came by it; from the cache, all but the result is zero."""

    result: ResultT
    queue_s: float = 0.0  # until its batch was a replica's next
    input_s: float = 0.0  # on the way to the replica
    execution_s: float = 0.0  # that the model ran
    output_s: float = 0.0  # on the way back
    batch_size: int = 0

    @property
    def waited_s(self) -> float:
        """All that was not the model's own time."""
        return self.queue_s + self.input_s + self.output_s


@dataclass(slots=True, eq=False)
class Share:
    """One caller's part of a model's time, beside the other callers' parts."""

    ends: float = 0.0  # when its last item would end, see ``Queue``
    turn: float = 0.0  # of its last item, and of the rows that go with that
    is_later: bool = False  # that is not its first
    waiting: int = 0  # its items that wait
    is_admitted: bool = False  # a request of it was let in


@dataclass(slots=True, eq=False)
class Ticket(Generic[ItemT, ResultT]):
    """One item, for which its caller waits at ``future``."""

    item: ItemT
    number: int  # order of arrival
    cost: float  # its length, padded up to its bucket
    priority: int
    enqueued_at: float
    future: asyncio.Future[Outcome[ResultT]]
    group: object  # the request that it belongs to
    share: Share = field(default_factory=Share)  # of its caller, who may have several requests
    turn: float = 0.0  # see ``Queue``
    is_later: bool = False  # than others of its caller, who came or left just before it
    deadline: float | None = None
    in_order: bool = False  # its answer waits for those of the items that left before it
    answer: Outcome[ResultT] | DragomanError | None = None

    def deliver(self) -> None:
        """Give the answer to the caller, if that still waits."""
        if self.future.done():
            return
        if isinstance(self.answer, DragomanError):
            self.future.set_exception(self.answer)
        elif self.answer is not None:
            self.future.set_result(self.answer)


@dataclass(slots=True)
class Queue(Generic[ItemT, ResultT]):
    """What waits, by priority; any item can leave from the middle.

    Within a priority callers have turns: a caller's first item in the order of arrival, its later
    ones once it would have ended, had every caller who waits an equal part of the model (fair
    queueing). So nobody's many items stand before another's one, and none is passed for ever. The
    callers' time for that is ``shared``: it goes on by the cost of what leaves, divided by them.
    """

    levels: dict[int, dict[int, Ticket[ItemT, ResultT]]] = field(default_factory=dict)
    groups: dict[object, int] = field(default_factory=dict)  # request -> its items that wait
    costs: dict[int, float] = field(default_factory=dict)  # of each level
    callers: int = 0  # of whom an item waits
    shared: float = 0.0  # cost for each caller
    left: tuple[float, int] = (0.0, 1)  # the cost of the last batch, and the callers then
    later: dict[int, float] = field(default_factory=dict)  # cost of callers' later items
    latest: dict[int, float] = field(default_factory=dict)  # the latest turn of each level
    unordered: set[int] = field(default_factory=set)  # levels where turns are not as they came

    def add(self, ticket: Ticket[ItemT, ResultT], *, is_row: bool = False) -> None:
        """``is_row``: of a request's rows, which go with the first of them while that waits."""
        priority, share = ticket.priority, ticket.share
        if not (is_row and share.waiting):
            share.is_later = bool(share.waiting) or share.ends > self.shared
            share.turn = share.ends + ticket.cost if share.is_later else self.shared
        share.ends = max(self.shared, share.ends) + ticket.cost
        ticket.turn, ticket.is_later = share.turn, share.is_later
        self.callers += not share.waiting
        share.waiting += 1
        if ticket.is_later:
            self.later[priority] = self.later.get(priority, 0.0) + ticket.cost
        if ticket.turn < self.latest.get(priority, 0.0):
            self.unordered.add(priority)
        else:
            self.latest[priority] = ticket.turn
        self.levels.setdefault(priority, {})[ticket.number] = ticket
        self.costs[priority] = self.costs.get(priority, 0.0) + ticket.cost
        self.groups[ticket.group] = self.groups.get(ticket.group, 0) + 1

    def remove(self, ticket: Ticket[ItemT, ResultT]) -> bool:
        """Whether it was still waiting."""
        level = self.levels.get(ticket.priority, {})
        if level.pop(ticket.number, None) is None:
            return False
        # From nothing again at an empty level, so that rounding does not add up.
        self.costs[ticket.priority] = self.costs[ticket.priority] - ticket.cost if level else 0.0
        if ticket.is_later:
            self.later[ticket.priority] -= ticket.cost
        if not level:
            self.latest[ticket.priority] = self.later[ticket.priority] = 0.0
            self.unordered.discard(ticket.priority)
        ticket.share.waiting -= 1
        self.callers -= not ticket.share.waiting
        left = self.groups[ticket.group] - 1
        if left:
            self.groups[ticket.group] = left
        else:
            del self.groups[ticket.group]
        return True

    def take(self, batch: Sequence[Ticket[ItemT, ResultT]]) -> None:
        """Remove a batch, which leaves for the model.

        The callers' time goes on by the batch before it: who comes while one runs, comes beside
        those that are in it, and not behind their next items.
        """
        cost, callers = self.left
        self.shared += cost / max(callers, self.callers)
        self.left = sum([ticket.cost for ticket in batch]), self.callers
        for ticket in batch:
            self.remove(ticket)

    def cost_before(self, priority: int, *, is_first: bool = False) -> float:
        """Of what would leave before an item that came now; ``is_first``: of a new caller."""
        waiting = sum([cost for level, cost in self.costs.items() if level <= priority])
        if is_first:
            waiting -= sum([cost for level, cost in self.later.items() if level <= priority])
        return waiting

    def head(self, *, oldest: bool = False) -> Ticket[ItemT, ResultT] | None:
        """The first of the most urgent; ``oldest``: of those the one that came first."""
        for priority in sorted(self.levels):
            if level := self.levels[priority]:
                if oldest or priority not in self.unordered:
                    return next(iter(level.values()))
                return min(level.values(), key=_turn)
        return None

    def __iter__(self) -> Iterator[Ticket[ItemT, ResultT]]:
        """In the order of arrival, by priority."""
        for priority in sorted(self.levels):
            yield from self.levels[priority].values()

    def __len__(self) -> int:
        return sum(map(len, self.levels.values()))


def _turn(ticket: Ticket[Any, Any]) -> float:
    return ticket.turn


def draw(
    queue: Queue[ItemT, ResultT],
    head: Ticket[ItemT, ResultT],
    policy: BatchPolicy,
    rows_at_most: int,
) -> list[Ticket[ItemT, ResultT]]:
    """The best batch around ``head``: near lengths first, within rows, cost and padding.

    Where order is preserved: those behind it, until one does not fit.
    """
    batch, longest, total = [head], head.cost, head.cost
    candidates = list(queue)
    if not policy.preserve_ordering and (
        queue.unordered or any(t.cost != head.cost for t in candidates)
    ):
        candidates.sort(key=lambda t: (t.priority, abs(t.cost - head.cost), t.turn, t.number))
    for ticket in candidates:
        if len(batch) == rows_at_most:
            break
        if ticket is head:
            continue
        rows, width = len(batch) + 1, max(longest, ticket.cost)
        useful = total + ticket.cost
        if within_cost(rows, width, policy) and within_padding(rows, width, useful, policy):
            batch.append(ticket)
            longest, total = width, useful
        elif policy.preserve_ordering:
            break
    return batch


def is_full(batch: Sequence[Ticket[Any, Any]], policy: BatchPolicy) -> bool:
    """Whether one more item like the longest would not fit."""
    longest = max(ticket.cost for ticket in batch)
    rows = len(batch)
    return rows >= policy.max_batch_size or not within_cost(rows + 1, longest, policy)


def most_rows(cost: float, policy: BatchPolicy) -> int:
    """How many items of one cost a batch holds."""
    if policy.max_batch_cost is None or not cost:
        return policy.max_batch_size
    return max(1, min(policy.max_batch_size, int(policy.max_batch_cost / cost)))


def fit_together(rows: int, cost: float, other: float, policy: BatchPolicy) -> bool:
    """Whether so many items may share a batch with some of another cost, as far as means tell."""
    longest = max(cost, other)
    fits_cost = within_cost(rows + 1, longest, policy)
    return fits_cost and within_padding(2, longest, cost + other, policy)


def within_cost(rows: int, longest: float, policy: BatchPolicy) -> bool:
    return policy.max_batch_cost is None or rows * longest <= policy.max_batch_cost


def within_padding(rows: int, longest: float, useful: float, policy: BatchPolicy) -> bool:
    """``useful`` is the sum of the rows' own costs."""
    return useful + ROUNDING * longest >= (1 - policy.max_padding) * rows * longest


def earliest_deadline(tickets: Iterable[Ticket[Any, Any]]) -> float:
    """Infinity where none has one."""
    return min([t.deadline for t in tickets if t.deadline is not None], default=math.inf)


class Answers(Generic[ItemT, ResultT]):
    """The way of answers to their callers: at once, or in the order in which items left."""

    def __init__(self) -> None:
        self._line: deque[Ticket[ItemT, ResultT]] = deque()

    def line_up(self, batch: Sequence[Ticket[ItemT, ResultT]]) -> None:
        """The answers of these come after those of all that were lined up before."""
        for ticket in batch:
            ticket.in_order = True
        self._line.extend(batch)

    def give(
        self, ticket: Ticket[ItemT, ResultT], answer: Outcome[ResultT] | DragomanError
    ) -> None:
        if ticket.answer is None:
            ticket.answer = answer
        if ticket.in_order:
            self.flush()
        else:
            ticket.deliver()

    def flush(self) -> None:
        """Deliver what no earlier answer is missing before; who has left holds up nobody."""
        line = self._line
        while line and (line[0].answer is not None or line[0].future.done()):
            line.popleft().deliver()
