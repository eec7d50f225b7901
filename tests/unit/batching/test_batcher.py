"""Every rule of the batcher, by scripted arrivals on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pytest

from deployments.batching.batcher import Batcher
from deployments.batching.dispatcher import BatchReply, ReplicaLost
from deployments.batching.queue import Outcome
from deployments.batching.response_cache import ResponseCache
from deployments.config.policy import BatchPolicy
from models.errors import (
    DeadlinePassed,
    InternalError,
    NotAudio,
    NotReady,
    QueueDeadlinePassed,
    QueueFull,
)
from models.runtime import ItemError
from tests.support.clock import VirtualClock, settle


@dataclass(frozen=True)
class Piece:
    """An item with a name to be recognised by."""

    name: str
    length: float = 1.0


@dataclass
class Model:
    """Stands behind the batcher: records the batches, and answers when its gate opens."""

    clock: VirtualClock
    batches: list[str] = field(default_factory=list)
    gates: list[asyncio.Event] = field(default_factory=list)
    answer: Callable[[Sequence[Piece]], list[Any]] = lambda batch: [p.name for p in batch]
    execution_s: float = 0.0

    async def __call__(self, batch: Sequence[Piece]) -> BatchReply[str]:
        self.batches.append(" ".join(piece.name for piece in batch))
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return BatchReply(self.answer(batch), self.execution_s)

    async def finish(self, *numbers: int) -> None:
        """Let the batches of these numbers (in order of their start) be answered."""
        for number in numbers:
            self.gates[number].set()
            await settle()


@dataclass
class Bench:
    """A batcher with its model and clock, and the callers that wait at it."""

    clock: VirtualClock
    model: Model
    batcher: Batcher[Piece, str]
    callers: dict[str, asyncio.Task[Outcome[str]]] = field(default_factory=dict)

    async def arrive(self, *pieces: str | Piece, **options: Any) -> None:
        for piece in pieces:
            item = Piece(piece) if isinstance(piece, str) else piece
            self.callers[item.name] = asyncio.create_task(self.batcher.submit(item, **options))
        await settle()

    async def result(self, name: str) -> str:
        return (await self.callers[name]).result


def bench(
    dispatch: Callable[[Sequence[Piece]], Awaitable[BatchReply[str]]] | None = None,
    *,
    replicas: int = 1,
    buckets: Sequence[float] = (),
    cache: ResponseCache | None = None,
    **policy: Any,
) -> Bench:
    """A batcher on a clock of its own, before the recording model or another ``dispatch``."""
    policy = {"max_batch_size": 4, "max_queue_delay_ms": 10.0, "max_padding": 0.9, **policy}
    clock = VirtualClock()
    model = Model(clock)
    batcher: Batcher[Piece, str] = Batcher(
        "m",
        dispatch or model,
        BatchPolicy(**policy),
        replicas=replicas,
        length_buckets=buckets,
        cache=cache,
        clock=clock,
    )
    return Bench(clock, model, batcher)


class Told:
    """Answers at once, and says of each batch what the replica's memory holds."""

    def __init__(self, bounds: list[float | None]) -> None:
        self._bounds = iter(bounds)

    async def __call__(self, batch: Sequence[Piece]) -> BatchReply[str]:
        names = [piece.name for piece in batch]
        return BatchReply(names, 0.0, memory_bound=next(self._bounds))


async def finish_all(b: Bench) -> None:
    """Open every gate until nobody waits: no test leaves a task behind."""
    while not all(task.done() for task in b.callers.values()):
        for gate in b.model.gates:
            gate.set()
        await b.clock.advance(1.0)
    await asyncio.gather(*b.callers.values(), return_exceptions=True)


# ---- when a batch leaves ---------------------------------------------------------------


async def test_a_free_replica_takes_what_waits_at_once() -> None:
    b = bench()
    await b.arrive("a")
    assert b.model.batches == ["a"]
    await finish_all(b)


async def test_what_arrives_together_leaves_together() -> None:
    b = bench()
    await b.arrive("a", "b", "c")
    assert b.model.batches == ["a b c"]
    await finish_all(b)


async def test_what_arrives_while_all_are_busy_gathers() -> None:
    b = bench(max_queue_delay_ms=1000)
    await b.arrive("a")
    await b.arrive("b")
    await b.arrive("c")
    await b.model.finish(0)
    assert b.model.batches == ["a", "b c"]
    await finish_all(b)


async def test_a_full_batch_stands_ready_behind_the_running_one() -> None:
    b = bench(max_queue_delay_ms=1000)
    await b.arrive("a")
    await b.arrive("b", "c", "d", "e")
    assert b.model.batches == ["a", "b c d e"]
    await finish_all(b)


async def test_the_delay_is_counted_from_the_head_not_from_each() -> None:
    b = bench(max_queue_delay_ms=10)
    await b.arrive("a")
    await b.arrive("b")
    await b.clock.advance(0.008)
    await b.arrive("c")
    assert b.model.batches == ["a"]
    await b.clock.advance(0.002)
    assert b.model.batches == ["a", "b c"]
    await finish_all(b)


async def test_no_more_than_two_batches_are_in_flight_a_replica() -> None:
    b = bench(max_queue_delay_ms=0, replicas=2)
    for name in "abcdef":
        await b.arrive(name)
    assert b.model.batches == ["a", "b", "c", "d"]
    await b.model.finish(0)
    assert b.model.batches[4:] == ["e f"]
    await finish_all(b)


# ---- what a batch holds ----------------------------------------------------------------


async def test_rows_bound_a_batch() -> None:
    b = bench(max_batch_size=3)
    await b.arrive("a", "b", "c", "d", "e")
    assert b.model.batches == ["a b c"]
    await finish_all(b)


async def test_cost_bounds_a_batch_by_its_padded_length() -> None:
    b = bench(max_batch_cost=30.0)
    await b.arrive(Piece("a", 10), Piece("b", 12), Piece("c", 1), Piece("d", 1))
    assert b.model.batches[0] == "a b"  # a third row would cost 3 x 12
    await finish_all(b)


async def test_an_item_above_the_cost_bound_goes_alone() -> None:
    b = bench(max_batch_cost=30.0)
    await b.arrive(Piece("a", 50), Piece("b", 1))
    assert b.model.batches[0] == "a"
    await finish_all(b)


async def test_near_lengths_are_drawn_first() -> None:
    b = bench(max_batch_size=2)
    await b.arrive(Piece("a", 10), Piece("b", 1), Piece("c", 9), Piece("d", 2))
    await b.model.finish(0)
    assert b.model.batches == ["a c", "b d"]
    await finish_all(b)


async def test_padding_is_bounded() -> None:
    b = bench(max_padding=0.25)
    await b.arrive(Piece("a", 10), Piece("b", 1), Piece("c", 8))
    assert b.model.batches[0] == "a c"
    await finish_all(b)


async def test_a_rare_length_is_the_head_when_it_is_the_oldest() -> None:
    b = bench(max_batch_size=2, max_queue_delay_ms=1000, max_padding=0.1)
    await b.arrive("running", "running2")
    await b.arrive(Piece("rare", 100))
    await b.arrive("x", "y")  # a full batch, but not before its elder
    await b.model.finish(0)
    assert b.model.batches[1] == "rare"
    await finish_all(b)


async def test_lengths_in_one_bucket_cost_the_same() -> None:
    b = bench(max_batch_size=3, buckets=[5.0, 30.0])
    await b.arrive(Piece("a", 4.9), Piece("b", 6), Piece("c", 1), Piece("d", 5.0))
    assert b.model.batches[0] == "a c d"
    await finish_all(b)


async def test_without_padding_only_equal_lengths_share_a_batch() -> None:
    b = bench(max_padding=0, buckets=[0.1, 0.7])
    await b.arrive(Piece("a", 0.1), Piece("b", 0.6), Piece("c", 0.05), Piece("d", 0.1))
    assert b.model.batches[0] == "a c d"
    await finish_all(b)


async def test_no_batch_is_larger_than_what_a_replica_said_it_holds() -> None:
    b = bench(dispatch=Told([2.0, 2.0, None, None]))
    await b.arrive(*"abcd")
    await asyncio.gather(*b.callers.values())
    await b.arrive(*"efgh")
    await asyncio.gather(*b.callers.values())
    await b.arrive(*"ijkl")
    await asyncio.gather(*b.callers.values())
    assert [outcome.result().batch_size for outcome in b.callers.values()] == [
        *([4] * 4),
        *([2] * 4),
        *([4] * 4),
    ]


async def test_a_policy_that_changes_stays_within_what_a_replica_holds() -> None:
    b = bench(dispatch=Told([2.0] * 9))
    await b.arrive("a")
    await b.callers["a"]
    b.batcher.reconfigure(BatchPolicy(max_batch_size=8, max_batch_cost=50.0))
    await b.arrive(*"bcdefg")
    await asyncio.gather(*b.callers.values())
    assert (await b.callers["b"]).batch_size == 2


# ---- priorities and order --------------------------------------------------------------


async def test_the_most_urgent_leave_first_and_fifo_within_one() -> None:
    b = bench(max_batch_size=1, priority_levels=3, default_priority=2)
    await b.arrive("running")
    await b.arrive("low", priority=3)
    await b.arrive("default")
    await b.arrive("urgent1", priority=1)
    await b.arrive("urgent2", priority=1)
    for number in range(4):
        await b.model.finish(number)
    # "low" took the ready place while it was alone; the rest go by urgency.
    assert b.model.batches == ["running", "low", "urgent1", "urgent2", "default"]
    await finish_all(b)


@pytest.mark.parametrize("priority", [-1, 0, 4], ids=["negative", "none", "above the levels"])
async def test_a_priority_that_there_is_not_is_the_default(priority: int) -> None:
    b = bench(max_batch_size=1, max_queue_delay_ms=0, priority_levels=3, default_priority=2)
    await b.arrive("running", "next")
    await b.arrive("low", priority=3)
    await b.arrive("asked", priority=priority)
    await b.arrive("high", priority=1)
    await b.model.finish(0, 1, 2, 3)
    assert b.model.batches[2:] == ["high", "asked", "low"]
    await finish_all(b)


# ---- admission and deadlines -----------------------------------------------------------


async def test_a_full_queue_refuses_at_once() -> None:
    b = bench(max_queue_size=2, max_queue_delay_ms=1000)
    await b.arrive("running")
    await b.arrive("a", "b")
    with pytest.raises(QueueFull):
        await b.batcher.submit(Piece("c"))
    assert b.batcher.statistics.refused == 1
    await finish_all(b)


async def test_a_refused_request_of_several_items_is_one_refusal() -> None:
    b = bench(max_queue_size=2, max_queue_delay_ms=1000)
    await b.arrive("running")
    await b.arrive("a", "b")
    with b.batcher.request() as request:
        items = [request.submit(Piece(name)) for name in "cde"]
        refused = await asyncio.gather(*items, return_exceptions=True)
    assert [type(error) for error in refused] == [QueueFull] * 3
    assert len(set(map(id, refused))) == 3  # a caller may add to its own
    assert b.batcher.statistics.refused == 1
    await finish_all(b)


async def test_the_queue_counts_what_waits_not_what_runs() -> None:
    b = bench(max_queue_size=1, max_batch_size=1)
    await b.arrive("running")
    await b.arrive("ready")
    await b.arrive("waiting")
    assert b.batcher.waiting == 1
    await finish_all(b)


async def test_what_can_leave_at_once_does_not_fill_the_queue() -> None:
    b = bench(max_queue_size=1, max_batch_size=1, replicas=3)
    await b.arrive("a", "b", "c", "d")
    assert (b.model.batches, b.batcher.waiting) == (["a", "b", "c", "d"], 0)
    await finish_all(b)


async def test_a_deadline_in_the_queue_is_kept_to_the_moment() -> None:
    b = bench(max_batch_size=1)
    await b.arrive("running", "ready")
    await b.arrive("late", deadline=0.5)
    await b.clock.advance(0.499)
    assert not b.callers["late"].done()
    await b.clock.advance(0.001)
    with pytest.raises(QueueDeadlinePassed):
        await b.callers["late"]
    await finish_all(b)
    assert "late" not in b.model.batches


async def test_a_deadline_while_the_model_runs_is_another_error() -> None:
    b = bench()
    await b.arrive("a", deadline=0.5)
    await b.clock.advance(0.5)
    with pytest.raises(DeadlinePassed):
        await b.callers["a"]
    await finish_all(b)


async def test_the_default_timeout_holds_where_the_caller_names_none() -> None:
    b = bench(default_timeout_s=2.0, max_queue_delay_ms=60_000)
    await b.arrive("running")
    await b.arrive("waiting")
    await b.clock.advance(2.0)
    with pytest.raises(QueueDeadlinePassed):
        await b.callers["waiting"]
    await finish_all(b)


async def test_a_timeout_of_the_queue_does_not_end_what_runs() -> None:
    b = bench(default_timeout_s=2.0)
    await b.arrive("a")
    await b.clock.advance(3.0)
    await b.model.finish(0)
    assert await b.result("a") == "a"


async def test_an_abandoned_item_is_dropped_before_it_costs() -> None:
    b = bench(max_queue_delay_ms=1000)
    await b.arrive("running")
    await b.arrive("left", "stays")
    b.callers["left"].cancel()
    await settle()
    await b.model.finish(0)
    assert b.model.batches == ["running", "stays"]
    await finish_all(b)


async def test_abandoning_a_running_item_leaves_its_neighbour_whole() -> None:
    b = bench()
    await b.arrive("left", "stays")
    b.callers["left"].cancel()
    await b.model.finish(0)
    assert await b.result("stays") == "stays"


# ---- results and failures --------------------------------------------------------------


async def test_each_item_gets_its_own_result() -> None:
    b = bench()
    await b.arrive("a", "b", "c")
    await b.model.finish(0)
    assert [await b.result(name) for name in "abc"] == ["a", "b", "c"]


async def test_one_items_error_is_its_own() -> None:
    b = bench()
    b.model.answer = lambda batch: [
        ItemError(NotAudio("bad", param="file")) if p.name == "bad" else p.name for p in batch
    ]
    await b.arrive("a", "bad", "c")
    await b.model.finish(0)
    with pytest.raises(NotAudio):
        await b.callers["bad"]
    assert await b.result("c") == "c"


def poisonous(batch: Sequence[Piece]) -> list[Any]:
    if any(piece.name == "poison" for piece in batch):
        raise ValueError("the model broke")
    return [piece.name for piece in batch]


async def test_a_failed_batch_is_tried_item_by_item() -> None:
    b = bench()
    b.model.answer = poisonous
    await b.arrive("a", "poison", "c")
    await finish_all(b)
    assert b.model.batches == ["a poison c", "a", "poison", "c"]


async def test_a_poisonous_item_fails_alone() -> None:
    b = bench()
    b.model.answer = poisonous
    await b.arrive("a", "poison", "c")
    await finish_all(b)
    assert [await b.result("a"), await b.result("c")] == ["a", "c"]
    with pytest.raises(InternalError):
        await b.callers["poison"]


async def test_a_wrong_number_of_results_is_nobodys_result() -> None:
    b = bench()
    b.model.answer = lambda batch: ["a"] * (1 if len(batch) > 1 else 2)
    await b.arrive("a", "b")
    await finish_all(b)
    with pytest.raises(InternalError):
        await b.callers["a"]


async def test_a_batch_whose_replica_died_goes_to_another() -> None:
    b = bench()
    deaths = iter([True, False])

    def dies_once(batch: Sequence[Piece]) -> list[Any]:
        if next(deaths):
            raise ReplicaLost
        return [piece.name for piece in batch]

    b.model.answer = dies_once
    await b.arrive("a", "b")
    await finish_all(b)
    assert [await b.result("a"), await b.result("b")] == ["a", "b"]
    assert b.model.batches == ["a b", "a b"]


async def test_a_wait_for_a_replica_to_start_is_expected_of_nobody() -> None:
    b = bench(max_batch_size=1)
    b.model.execution_s = 1.0
    await b.arrive("a")
    await b.clock.advance(15.0)
    await b.model.finish(0)
    await b.arrive("b")
    assert b.batcher.expected_s() == pytest.approx(2.0)  # the rest of b, and its own
    await finish_all(b)


async def test_a_lost_batch_is_not_sent_again_after_its_deadline() -> None:
    b = bench()
    await b.arrive("a", deadline=0.5)
    await b.clock.advance(0.5)
    with pytest.raises(DeadlinePassed):
        await b.callers["a"]

    def dies(batch: Sequence[Piece]) -> list[Any]:
        raise ReplicaLost

    b.model.answer = dies
    await b.model.finish(0)
    await b.clock.advance(1.0)
    assert b.model.batches == ["a"]


async def test_an_item_that_kills_replicas_fails_alone() -> None:
    b = bench()

    def killed_by_poison(batch: Sequence[Piece]) -> list[Any]:
        if any(piece.name == "poison" for piece in batch):
            raise ReplicaLost
        return [piece.name for piece in batch]

    b.model.answer = killed_by_poison
    await b.arrive("a", "poison")
    await finish_all(b)
    assert await b.result("a") == "a"
    with pytest.raises(InternalError, match="died under this item"):
        await b.callers["poison"]
    assert b.model.batches == ["a poison", "a poison", "a", "poison", "poison"]


async def test_the_batch_behind_a_deadly_one_is_not_blamed() -> None:
    running: list[asyncio.Event] = []

    async def dispatch(batch: Sequence[Piece]) -> BatchReply[str]:
        """A poisonous item takes the replica down under every batch that is in flight."""
        died = asyncio.Event()
        running.append(died)
        await asyncio.sleep(0)
        if any(piece.name == "poison" for piece in batch):
            for other in running:
                other.set()
        await asyncio.sleep(0)
        running.remove(died)
        if died.is_set():
            raise ReplicaLost
        return BatchReply([piece.name for piece in batch], 0.0)

    b = bench(dispatch, max_batch_size=2)
    await b.arrive("poison", "a", "b", "c")
    await finish_all(b)
    assert [await b.result(name) for name in "abc"] == ["a", "b", "c"]
    with pytest.raises(InternalError, match="died under this item"):
        await b.callers["poison"]


async def test_a_batch_that_hangs_gives_up_its_place_when_nobody_waits() -> None:
    b = bench(max_batch_size=1)
    await b.arrive("hung", deadline=1.0)
    await b.clock.advance(1.999)
    assert b.batcher.in_flight == 1  # as long again, as its replica is busy with it
    await b.clock.advance(0.001)
    assert b.batcher.in_flight == 0
    await b.arrive("next")
    assert b.model.batches[-1] == "next"
    await finish_all(b)


async def test_what_stands_behind_another_and_nobody_waits_for_never_begins() -> None:
    b = bench(max_batch_size=1, max_queue_delay_ms=0)
    await b.arrive("running")
    await b.arrive("behind", deadline=1.0)
    await b.clock.advance(1.0)
    assert b.batcher.in_flight == 1
    await finish_all(b)


async def test_a_model_without_replicas_says_so_to_each() -> None:
    b = bench()

    def gone(batch: Sequence[Piece]) -> list[Any]:
        raise NotReady("no replica")

    b.model.answer = gone
    await b.arrive("a", "b")
    await finish_all(b)
    with pytest.raises(NotReady):
        await b.callers["a"]
    assert b.model.batches == ["a b"]  # not tried one by one


# ---- order preserved -------------------------------------------------------------------


async def ordered() -> Bench:
    """Two replicas: the first still runs, the second has answered."""
    b = bench(replicas=2, max_batch_size=1, max_queue_delay_ms=0, preserve_ordering=True)
    await b.arrive("first", deadline=5.0)
    await b.arrive("second")
    await b.model.finish(1)
    assert not b.callers["second"].done()
    return b


async def test_who_has_left_holds_up_nobody_s_answer() -> None:
    b = await ordered()
    b.callers["first"].cancel()
    await settle()
    assert await b.result("second") == "second"


async def test_a_deadline_that_passed_holds_up_nobody_s_answer() -> None:
    b = await ordered()
    await b.clock.advance(5.0)
    assert await b.result("second") == "second"
    await finish_all(b)


async def test_a_batch_takes_no_nearer_length_before_what_came_first() -> None:
    b = bench(max_batch_size=2, preserve_ordering=True)
    await b.arrive(Piece("a", 10), Piece("b", 1), Piece("c", 9), Piece("d", 2))
    await b.model.finish(0)
    assert b.model.batches == ["a b", "c d"]
    await finish_all(b)


async def test_the_delay_counts_from_the_oldest_of_any_priority() -> None:
    b = bench(max_queue_delay_ms=10, priority_levels=2)
    await b.arrive("running")
    await b.arrive("low", priority=2)
    await b.clock.advance(0.008)
    await b.arrive("high", priority=1)
    await b.clock.advance(0.002)
    assert b.model.batches == ["running", "high low"]
    await finish_all(b)


asked_by: ContextVar[str] = ContextVar("asked_by", default="nobody")


async def test_a_batch_runs_in_no_request_s_context() -> None:
    """Serve cancels what was sent from the context of a request whose caller has left."""
    seen: list[str] = []

    async def dispatch(items: Sequence[Piece]) -> BatchReply[str]:
        seen.append(asked_by.get())
        return BatchReply([item.name for item in items], 0.0)

    b = bench(dispatch)
    asked_by.set("a caller")
    await b.arrive("a")
    await finish_all(b)
    assert seen == ["nobody"]


# ---- figures and live changes ----------------------------------------------------------


async def test_the_outcome_tells_queue_time_execution_and_batch_size() -> None:
    b = bench()
    b.model.execution_s = 0.2
    await b.arrive("before")
    await b.arrive("a", "b")
    await b.clock.advance(0.01)
    await b.model.finish(0, 1)
    outcome = await b.callers["a"]
    assert (outcome.batch_size, outcome.execution_s) == (2, 0.2)
    assert outcome.queue_s == pytest.approx(0.01)


async def test_a_new_policy_applies_to_what_waits() -> None:
    b = bench(max_queue_delay_ms=60_000)
    await b.arrive("running")
    await b.arrive("a", "b")
    assert b.model.batches == ["running"]
    b.batcher.reconfigure(BatchPolicy(max_batch_size=2))
    await settle()
    assert b.model.batches == ["running", "a b"]
    await finish_all(b)


async def test_the_mean_batch_size_is_counted() -> None:
    b = bench()
    await b.arrive("a", "b", "c")
    await finish_all(b)
    assert (b.batcher.statistics.execution_count, b.batcher.statistics.inference_count) == (1, 3)
