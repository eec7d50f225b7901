"""Choose the items that make a batch: by rows, cost, padding, priority and turn."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from typing import Protocol, TypeVar

from deployments.config.policy import BatchPolicy

ROUNDING = 1e-9  # relative: sums of equal lengths must not look like padding


class Waiting(Protocol):
    """An item as far as the rules of batches look at it."""

    @property
    def cost(self) -> float: ...
    @property
    def priority(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def turn(self) -> float: ...
    @property
    def enqueued_at(self) -> float: ...
    @property
    def deadline(self) -> float | None: ...
    @property
    def key(self) -> Hashable: ...


WaitingT = TypeVar("WaitingT", bound=Waiting)


def padded(length: float, buckets: Sequence[float]) -> float:
    """Return a length padded up to its bucket, of those in ascending order; above all, itself."""
    index = bisect_left(buckets, length)
    return buckets[index] if index < len(buckets) else length


def draw(
    waiting: Sequence[WaitingT],
    head: WaitingT,
    policy: BatchPolicy,
    rows_at_most: int,
    *,
    is_in_turn: bool,
) -> list[WaitingT]:
    """Choose the best batch around ``head``: near lengths first, within rows, cost and padding.

    All have the head's key.

    More urgent items than the head come last: it has a turn that is not theirs. Where order is
    preserved, it is those behind the head, until one does not fit.

    Args:
        waiting: by priority, and in the order of arrival within one.
        is_in_turn: turns are in the order of arrival, too.
    """
    batch, longest, total, key = [head], head.cost, head.cost, head.key
    candidates = waiting
    if not policy.preserve_ordering and (
        not is_in_turn
        or waiting[0].priority != head.priority
        or any(each.cost != head.cost for each in waiting)
    ):
        candidates = sorted(
            waiting,
            key=lambda t: (
                t.priority < head.priority,
                t.priority,
                abs(t.cost - head.cost),
                t.turn,
                t.number,
            ),
        )
    for each in candidates:
        if len(batch) == rows_at_most:
            break
        if each is head:
            continue
        rows, width = len(batch) + 1, max(longest, each.cost)
        useful = total + each.cost
        if (
            each.key == key
            and within_cost(rows, width, policy)
            and within_padding(rows, width, useful, policy)
        ):
            batch.append(each)
            longest, total = width, useful
        elif policy.preserve_ordering:
            break
    return batch


def is_full(batch: Sequence[Waiting], policy: BatchPolicy) -> bool:
    """Tell whether one more item like the longest would not fit."""
    rows = len(batch)
    if rows >= policy.max_batch_size:
        return True
    return not within_cost(rows + 1, max([each.cost for each in batch]), policy)


def most_rows(cost: float, policy: BatchPolicy) -> int:
    """Return how many items of one cost a batch holds."""
    if policy.max_batch_cost is None or not cost:
        return policy.max_batch_size
    return max(1, min(policy.max_batch_size, int(policy.max_batch_cost / cost)))


def fit_together(rows: int, cost: float, other: float, policy: BatchPolicy) -> bool:
    """Tell whether ``rows`` items of one cost may share a batch with an item of another cost.

    Both costs are means, so this is a guess.
    """
    longest = max(cost, other)
    fits_cost = within_cost(rows + 1, longest, policy)
    return fits_cost and within_padding(2, longest, cost + other, policy)


def within_cost(rows: int, longest: float, policy: BatchPolicy) -> bool:
    """Tell whether so many rows, padded to the longest, are within the policy's cost."""
    return policy.max_batch_cost is None or rows * longest <= policy.max_batch_cost


def within_padding(rows: int, longest: float, useful: float, policy: BatchPolicy) -> bool:
    """Tell whether so little is padding; ``useful`` is the sum of the rows' own costs."""
    return useful + ROUNDING * longest >= (1 - policy.max_padding) * rows * longest
