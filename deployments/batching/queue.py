"""The items that wait for a model: by priority, and within one by fair turns of their callers."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Generic, NamedTuple, Protocol, TypeVar

from models.errors import DragomanError

TURN = attrgetter("turn")


class Lengthy(Protocol):
    """An item that can wait here: it has a length in the unit of its kind."""

    @property
    def length(self) -> float: ...


ItemT = TypeVar("ItemT", bound=Lengthy)
ResultT = TypeVar("ResultT")


class Outcome(NamedTuple, Generic[ResultT]):
    """One item's result, and where its time went; from the cache, all but the result is zero."""

    result: ResultT
    queue_s: float = 0.0  # until its batch was a replica's next
    input_s: float = 0.0  # on the way to the replica
    execution_s: float = 0.0  # that the model ran
    output_s: float = 0.0  # on the way back
    batch_size: int = 0

    @property
    def waited_s(self) -> float:
        """Return all that was not the model's own time."""
        return self.queue_s + self.input_s + self.output_s


@dataclass(slots=True, eq=False)
class Share:
    """One caller's part of a model's time, beside the other callers' parts."""

    ends: float = 0.0  # when its last item would end, see ``Queue``
    turn: float = 0.0  # of its last item, and of the rows that go with it
    is_later: bool = False  # its last item is not its first
    waiting: int = 0  # its items that wait
    is_admitted: bool = False  # a request of it was let in
    goes_on: bool = False  # once answered, it asks another model before it comes back


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
    key: Hashable = None  # what the items of one batch have in common
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
    """The items that wait, by priority; any of them can leave from the middle.

    Within a priority callers have turns (fair queueing). The turn of a caller's first item is its
    arrival. The turn of a later item is when it would have ended if every caller who waits had an
    equal part of the model. So nobody's many items stand before another's one, and none is passed
    for ever. Turns are in ``shared``, a time that goes on by the cost of what leaves, divided by
    the callers who wait.
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
        """Let an item wait.

        ``is_row``: it is one of a request's rows, which go with the first while that waits.
        """
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
        """Take an item out; return False if it waits no more."""
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
        """Return the cost of what would leave before an item that came now.

        ``is_first``: it is the first that waits of its caller.
        """
        waiting = sum([cost for level, cost in self.costs.items() if level <= priority])
        if is_first:
            waiting -= sum([cost for level, cost in self.later.items() if level <= priority])
        return waiting

    def head(
        self, *, oldest: bool = False, after: int | None = None
    ) -> Ticket[ItemT, ResultT] | None:
        """Return the most urgent item whose turn it is.

        ``oldest``: the one that came first. ``after``: of the levels below that one.
        """
        for priority in sorted(self.levels):
            if (level := self.levels[priority]) and (after is None or priority > after):
                if oldest or priority not in self.unordered:
                    return next(iter(level.values()))
                return min(level.values(), key=TURN)
        return None

    @property
    def oldest_at(self) -> float:
        """Return when the oldest item came, of whatever priority; at least one must wait."""
        return min([next(iter(each.values())).enqueued_at for each in self.levels.values() if each])

    def in_order(self) -> list[Ticket[ItemT, ResultT]]:
        """Return all that wait: by priority, and within one in the order of arrival."""
        if len(self.levels) == 1:
            return [*next(iter(self.levels.values())).values()]
        return [each for priority in sorted(self.levels) for each in self.levels[priority].values()]

    def __iter__(self) -> Iterator[Ticket[ItemT, ResultT]]:
        return iter(self.in_order())

    def __len__(self) -> int:
        return sum(map(len, self.levels.values()))
