"""Give answers to their callers: at once, or in the order in which items left the queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic

from deployments.batching.queue import ItemT, Outcome, ResultT, Ticket
from models.errors import DragomanError


class Answers(Generic[ItemT, ResultT]):
    """Give each item's answer to its caller."""

    def __init__(self) -> None:
        self._line: deque[Ticket[ItemT, ResultT]] = deque()

    def line_up(self, batch: Sequence[Ticket[ItemT, ResultT]]) -> None:
        """Hold these items' answers back until all that were lined up before have theirs."""
        for ticket in batch:
            ticket.in_order = True
        self._line.extend(batch)

    def give(
        self, ticket: Ticket[ItemT, ResultT], answer: Outcome[ResultT] | DragomanError
    ) -> None:
        """Answer one item, unless it has an answer; deliver it once its turn has come."""
        if ticket.answer is None:
            ticket.answer = answer
        if ticket.in_order:
            self.flush()
        else:
            ticket.deliver()

    def flush(self) -> None:
        """Deliver every answer that no earlier one is missing before.

        An item whose caller has left holds up nobody.
        """
        line = self._line
        while line and (line[0].answer is not None or line[0].future.done()):
            line.popleft().deliver()
