"""Decide how many replicas of a model one node may have, and when to place them anew; free of Ray.

Serve's own spreading goes round the nodes, and whatever else is placed meanwhile takes its turns
in between: all replicas of a model may come to lie on one node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LARGEST_LIMIT = 100  # of one node, that Serve takes
WAIT_S = 60.0  # for nodes to come and go, before replicas are placed anew


@dataclass(frozen=True, slots=True)
class Lying:
    """Where the replicas of an application lie."""

    nodes: tuple[str | None, ...] = ()  # of each replica; None: it has found no place yet
    most: int | None = None  # that one node may have; None: any number
    is_complete: bool = True  # none of them is being replaced


def most_on_a_node(replicas: int, room: Sequence[int]) -> int | None:
    """Return how many replicas one node may have if they are spread as evenly as they fit.

    Args:
        replicas: of the model.
        room: for how many replicas each node is large enough.

    Returns:
        None: any number, as one node must have them all, or there is no room for them.
    """
    for most in range(1, min(replicas, LARGEST_LIMIT + 1)):
        if sum(min(most, each) for each in room) >= replicas:
            return most
    return None


class Spreading:
    """Follow where one model's replicas lie, whose number is fixed."""

    def __init__(self) -> None:
        self._wrong_since: float | None = None
        self._never_fitted: Sequence[int] | None = None  # the nodes on which a limit did not work

    def limit(self, replicas: int, room: Sequence[int]) -> int | None:
        """Return the most replicas of a node, for an application that is started now."""
        return None if room == self._never_fitted else most_on_a_node(replicas, room)

    def is_due(self, lying: Lying, replicas: int, room: Sequence[int], now: float) -> bool:
        """Tell whether they have lain badly for a while: then ``next_limit`` is to be applied."""
        if self.next_limit(lying, replicas, room) == lying.most:
            self._wrong_since = None
            return False
        if self._wrong_since is None:
            self._wrong_since = now
        if now - self._wrong_since < WAIT_S:
            return False
        self._wrong_since = None
        if None in lying.nodes and lying.most == most_on_a_node(replicas, room):
            self._never_fitted = room  # others have taken it
        return True

    def next_limit(self, lying: Lying, replicas: int, room: Sequence[int]) -> int | None:
        """Return the limit with which the replicas should be placed anew; the same: they are well.

        Where one has no place, no other limit would do: Serve starts a replica before it stops
        the next one, and those that run hold their node's limit of before.
        """
        limit = self.limit(replicas, room)
        if None in lying.nodes:
            return None
        fullest = max(Counter(lying.nodes).values(), default=0)
        is_uneven = lying.is_complete and limit is not None and fullest > limit
        return limit if is_uneven else lying.most
