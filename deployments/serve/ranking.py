"""Rank a model's replicas for the next batch; free of Ray."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class Placed(Protocol):
    """A replica that is on this node or not."""

    @property
    def is_near(self) -> bool: ...


ReplicaT = TypeVar("ReplicaT", bound=Placed)


def ranked(
    replicas: Sequence[ReplicaT], batches_at: Callable[[ReplicaT], int]
) -> list[list[ReplicaT]]:
    """Return the ranks that have replicas: free near, free far, busy near, busy far ones.

    Within a rank the order is by chance, so that the nodes' processes do not all choose the same.
    """
    if len(replicas) == 1:
        return [list(replicas)]
    ranks: tuple[list[ReplicaT], ...] = ([], [], [], [])
    for replica in random.sample(replicas, len(replicas)):
        ranks[2 * bool(batches_at(replica)) + (not replica.is_near)].append(replica)
    return [rank for rank in ranks if rank]
