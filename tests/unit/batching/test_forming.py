"""When a batch leaves, of how many rows, and who is refused: every rule as a row of a table.

It is 100 s. A replica takes batches of four rows; the oldest item waits for a batch for 10 s at
most. Where batch times are known, a batch takes 8 s and 1 s a unit of cost; an item costs 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest

from deployments.batching.estimates.batch_time import BatchTimes
from deployments.batching.estimates.returning_callers import Returning
from deployments.batching.forming import LONG_S, Moment, decide
from deployments.config.policy import BatchPolicy

NOW = 100.0
POLICY = {"max_batch_size": 4, "max_queue_delay_ms": 10_000, "max_padding": 0.5}


class Item(NamedTuple):
    name: str
    cost: float = 1.0
    deadline: float | None = None
    enqueued_at: float = NOW - 2
    number: int = 0
    priority: int = 1
    turn: float = 0.0
    key: str | None = None


def items(text: str) -> list[Item]:
    """Read items: ``name``, with ``*cost`` and ``!deadline`` after it."""
    found = []
    for number, word in enumerate(text.split()):
        rest, _, deadline = word.partition("!")
        name, _, cost = rest.partition("*")
        found.append(
            Item(name, float(cost or 1), float(deadline) if deadline else None, number=number)
        )
    return found


# What is in flight, and what the estimates answer.
FREE: Mapping[str, Any] = {}
BUSY = {"in_flight": 1, "rows_in_flight": 4}
TIMES = {"batch_times": BatchTimes(8.0, 0.0, 1.0), "fixed_s": 8.0, "hop_s": 1.0}
ENDS_AT_105 = {**BUSY, **TIMES, "next_at": 105.0}
# The callers of the batch that ended at 98 come back after 2 s: the wait is 2.5 s.
COME_BACK = Returning(2.0, until=101.0, missing=2, cost=1.0)
RETURNING = {**TIMES, "returning": COME_BACK}
TWO_S_A_COST = {"ahead_s": 4.0, "s_a_cost": 2.0}  # the one in flight is done at 104


@dataclass(frozen=True)
class Row:
    id: str
    waiting: str
    decision: str
    known: Mapping[str, Any] = field(default_factory=dict)
    policy: Mapping[str, Any] = field(default_factory=dict)


def returning(**changes: Any) -> dict[str, Any]:
    return {**RETURNING, "returning": COME_BACK._replace(**changes)}


ROWS = [
    # ---- a free replica
    Row("a free replica takes what waits", "a b", "a b"),
    Row("a free replica takes no more rows than a batch has", "a b c d e", "a b c d"),
    Row(
        "delay_when_idle: the oldest item waits before a free replica",
        "a b",
        "until 108",
        policy={"delay_when_idle": True},
    ),
    Row(
        "delay_when_idle: a full batch leaves at once",
        "a b c d",
        "a b c d",
        policy={"delay_when_idle": True},
    ),
    Row(
        "delay_when_idle: a full batch leaves, however long it takes",
        "a b c d",
        "a b c d",
        TIMES,
        {"delay_when_idle": True},
    ),
    Row(
        "delay_when_idle: what has waited as long leaves",
        "a b",
        "a b",
        {"oldest_at": 90.0},
        {"delay_when_idle": True},
    ),
    # ---- every replica is busy
    Row("all are busy: the oldest waits for its delay", "a b", "until 108", BUSY),
    Row("all are busy: what has waited its delay leaves", "a b", "a b", {**BUSY, "oldest_at": 90}),
    Row("the running one's end is known: just before it", "a b", "until 105", ENDS_AT_105),
    Row(
        "the running one's end is known: whatever the oldest has waited",
        "a b",
        "until 105",
        {**ENDS_AT_105, "oldest_at": 90.0},
    ),
    Row("the running one ends: the next leaves", "a b", "a b", {**ENDS_AT_105, "next_at": 100.0}),
    Row("a delay of 0 never waits", "a b", "a b", ENDS_AT_105, {"max_queue_delay_ms": 0}),
    # ---- a full batch
    Row("a full batch stands ready", "a b c d", "a b c d", BUSY),
    Row("full by its cost", "a b", "a b", BUSY, {"max_batch_cost": 2.5}),
    Row("not full by its cost", "a b", "until 108", BUSY, {"max_batch_cost": 3.0}),
    Row(
        "as many as a batch holds, but they do not fit together",
        "a b*9 c*9 d*9",
        "until 108",
        BUSY,
        {"max_padding": 0.1},
    ),
    Row("a long batch is not sent ahead, though full", "a b c d", "until 105", ENDS_AT_105),
    Row(
        "a batch that is just not long is sent ahead",
        "a b c d",
        "a b c d",
        {**ENDS_AT_105, "batch_times": BatchTimes(LONG_S)},
    ),
    Row(
        "a batch that is just long is not sent ahead",
        "a b c d",
        "until 105",
        {**ENDS_AT_105, "batch_times": BatchTimes(1.01 * LONG_S)},
    ),
    # ---- callers who come back
    Row("a free replica waits for callers who come back", "a", "until 101", RETURNING),
    Row("nobody waits longer for them than they usually take", "a", "a", returning(until=100.0)),
    Row(
        "for them, nobody waits longer than max_queue_delay_ms",
        "a",
        "until 100.5",
        RETURNING,
        {"max_queue_delay_ms": 2_500},
    ),
    Row(
        "max_queue_delay_ms counts from when a replica was free",
        "a",
        "until 100.8",
        {**RETURNING, "free_since": 98.3},
        {"max_queue_delay_ms": 2_500},
    ),
    Row(
        "they take longer than max_queue_delay_ms",
        "a",
        "a",
        RETURNING,
        {"max_queue_delay_ms": 2_499},
    ),
    Row("a batch of its own costs less than the wait", "a", "a", {**RETURNING, "fixed_s": 2.6}),
    Row("nobody is missing", "a", "a", returning(until=-math.inf, missing=0)),
    Row("all of a replica's share are here", "a b c d", "a b c d", RETURNING),
    Row("who came back would be refused", "a", "a", RETURNING, {"max_queue_size": 1}),
    Row("they cannot share a batch", "a", "a", returning(cost=9.0), {"max_padding": 0.4}),
    Row(
        "they would make a batch too large",
        "a",
        "a",
        returning(cost=2.0),
        {"max_batch_cost": 3.5},
    ),
    Row("a deadline would be waited away", "a!109.9", "a!109.9", RETURNING),
    Row("a deadline would just not be waited away", "a!110", "until 101", RETURNING),
    Row(
        "behind a running one: for those who come back when it has ended",
        "a",
        "until inf",
        {**ENDS_AT_105, **RETURNING},
    ),
    Row(
        "behind a running one: a deadline would be waited away",
        "a!117.4",  # 105, a second on the way, 2.5 s of waiting, 9 s of its own: 117.5
        "until 105",
        {**ENDS_AT_105, **RETURNING},
    ),
    # ---- a share of several replicas
    Row(
        "of two replicas each takes half of those who wait, run or come back",
        "a b c d",
        "a b c",
        {**returning(missing=1), "replicas": 2},
    ),
    Row(
        "what runs counts for a share",
        "a b c d",
        "a b c d",
        {**returning(missing=1), "replicas": 2, "in_flight": 1, "rows_in_flight": 3},
    ),
    Row(
        "a share is rounded up",
        "a b c d",
        "a b",
        {**returning(missing=0, until=-math.inf), "replicas": 3},
    ),
    Row(
        "without returning callers one replica may take all", "a b c d", "a b c d", {"replicas": 2}
    ),
    # ---- long batches before short items
    Row(
        "a batch is bounded by max_batch_s while shorter items wait",
        "a*4 b*4 c*4 d",
        "a*4 b*4",
        TIMES,
        {"max_batch_s": 16},
    ),
    Row(
        "nobody shorter waits: as long as it takes",
        "a*4 b*4 c*4 d*5",
        "a*4 b*4 c*4 d*5",
        TIMES,
        {"max_batch_s": 16},
    ),
    Row(
        "one row leaves whatever it takes",
        "a*4 b*4 c*4 d",
        "a*4",
        TIMES,
        {"max_batch_s": 1},
    ),
    # ---- deadlines
    Row("a free replica tries whatever the deadline", "a!100.1", "a!100.1", TWO_S_A_COST),
    Row(
        "a deadline after the answer",
        "a!112 b c d",
        "a!112 b c d",
        {**BUSY, **TWO_S_A_COST},
    ),
    Row(
        "a deadline nearer than the answer makes the batch smaller",
        "a!110 b c d",
        "a!110 b c",
        {**BUSY, **TWO_S_A_COST, "oldest_at": 90.0},
    ),
    Row(
        "half a batch is in time",
        "a!108 b c d",
        "a!108 b",
        {**BUSY, **TWO_S_A_COST, "oldest_at": 90.0},
    ),
    Row(
        "a deadline nearer than half a batch's answer is refused",
        "a!107.9 b c!107 d!109",
        "refused a!107.9 c!107",
        {**BUSY, **TWO_S_A_COST, "oldest_at": 90.0},
    ),
    Row(
        "the head is long: no batch is smaller than it",
        "a*6!114 b*3",
        "refused a*6!114",
        {**BUSY, **TWO_S_A_COST, "oldest_at": 90.0},
    ),
    Row(
        "a batch that its deadlines made smaller is not full",
        "a!110 b c d",
        "until 108",
        {**BUSY, **TWO_S_A_COST},
    ),
]


def moment(row: Row) -> Moment[Item]:
    waiting = items(row.waiting)
    nothing = {
        **{"head": waiting[0], "is_in_turn": True, "oldest_at": NOW - 2, "callers": len(waiting)},
        **{"replicas": 1, "in_flight": 0, "rows_in_flight": 0, "free_since": NOW - 50},
        **{"batch_times": BatchTimes(), "fixed_s": 0.0, "hop_s": 0.0, "next_at": None},
        **{"ahead_s": 0.0, "s_a_cost": 0.0, "returning": Returning()},
    }
    policy = BatchPolicy.model_validate({**POLICY, **row.policy})
    return Moment(now=NOW, policy=policy, waiting=waiting, **{**nothing, **row.known})


def told(row: Row) -> str:
    """Write a decision as the table does."""
    decision = decide(moment(row))
    words = dict(zip([each.name for each in items(row.waiting)], row.waiting.split(), strict=True))
    if decision.batch:
        return " ".join(words[each.name] for each in decision.batch)
    if decision.refused:
        return f"refused {' '.join(words[each.name] for each in decision.refused)}"
    return f"until {decision.until:.4g}"


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_what_leaves_and_when(row: Row) -> None:
    assert told(row) == row.decision


def test_a_decision_changes_nothing_that_it_looks_at() -> None:
    at = moment(Row("", "a!108 b c d", "", {**BUSY, **TWO_S_A_COST, "oldest_at": 90.0}))
    before = list(at.waiting)
    assert decide(at) == decide(at)
    assert at.waiting == before
