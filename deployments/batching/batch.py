"""A batch on its way: the items that left together, and the replies that came back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from deployments.batching.queue import ItemT, ResultT, Ticket
from models.runtime import ItemError


class Rows(list[ItemT]):
    """The items of a batch on its way to a replica that other ingresses use, too.

    ``held_s`` tells of each how long it was kept back here while the replica was busy.
    """

    def __init__(self, items: Iterable[ItemT], held_s: Sequence[float]) -> None:
        super().__init__(items)
        self.held_s = held_s


class ReplicaLost(Exception):
    """Say that the replica of a batch died; the batch has had no effect."""


@dataclass(frozen=True, slots=True)
class BatchReply(Generic[ResultT]):
    """A result or an error for each item, in order, and where the time went."""

    results: Sequence[ResultT | ItemError]
    execution_s: float  # that the model ran
    waited_s: float = 0.0  # behind another batch, at the replica
    input_s: float = 0.0  # on the way to the replica
    output_s: float = 0.0  # on the way back
    memory_bound: float | None = None  # the largest cost of a batch that fits there
    together: tuple[int, float] | None = None  # rows and cost of the last run, if others may join
    busy_s: float | None = None  # for how long the replica is now; None: nobody else uses it

    @property
    def since_received_s(self) -> float:
        """Return the time from its arrival at a replica until its results were here."""
        return self.waited_s + self.execution_s + self.output_s


@dataclass(slots=True)
class Replied:
    """A reply as it is learned from: of a whole batch, or of one item that was tried alone."""

    reply: BatchReply[Any]
    rows: int
    cost: float  # with padding
    at: float

    @property
    def ran(self) -> tuple[int, float]:
        """Return the rows and the cost that ran in the time of the reply."""
        return self.reply.together or (self.rows, self.cost)


@dataclass(slots=True, eq=False)
class Batch(Generic[ItemT, ResultT]):
    """The items that left the queue together."""

    tickets: list[Ticket[ItemT, ResultT]]
    left_at: float
    is_full: bool  # it could not be larger, or others were left to wait
    is_live: bool = False  # all of it is live speech
    held_s: Sequence[float] = ()  # see ``Rows``; of none, where nobody else uses the replicas
    cost: float = field(init=False)  # without padding
    padded_cost: float = field(init=False)
    replies: list[Replied] = field(init=False, default_factory=list)
    is_dropped: bool = field(init=False, default=False)  # given up before it began

    def __post_init__(self) -> None:
        costs = [ticket.cost for ticket in self.tickets]
        self.cost = sum(costs)
        self.padded_cost = len(costs) * max(costs)

    @property
    def rows(self) -> int:
        return len(self.tickets)
