"""Whose item leaves next: callers of many items beside callers of one, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from deployments.batching.batch import BatchReply
from deployments.batching.batcher import Batcher
from deployments.batching.forming import LONG_S
from deployments.batching.queue import Share
from deployments.config.policy import BatchPolicy
from models.errors import QueueFull
from tests.support.clock import VirtualClock, settle

WINDOW, CLIP = 30.0, 5.0  # what a window of a long recording costs, and that of a clip
ASR = {
    "max_queue_size": 512,
    "max_batch_size": 8,
    "max_batch_cost": 120,
    "max_queue_delay_ms": 200,
    "max_padding": 0,
}


ROUNDING = 1e-6


@dataclass(frozen=True)
class Piece:
    name: str
    length: float = 1.0


@dataclass
class Model:
    """Runs one batch after another, each as long as its cost says."""

    clock: VirtualClock
    s_a_cost: float
    fixed_s: float = 0.01
    sent: list[list[str]] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)
    free_at: float = 0.0

    async def __call__(self, batch: Sequence[Piece]) -> BatchReply[str]:
        self.sent.append([piece.name for piece in batch])
        self.sent_at.append(self.clock.time())
        longest = max(piece.length for piece in batch)
        took_s = self.fixed_s + self.s_a_cost * len(batch) * longest
        begins = max(self.clock.time(), self.free_at)
        waited_s = begins - self.clock.time()
        self.free_at = begins + took_s
        ended = asyncio.Event()
        self.clock.call_at(self.free_at, ended.set)
        await ended.wait()
        return BatchReply([piece.name for piece in batch], took_s, waited_s)


@dataclass
class Bench:
    clock: VirtualClock
    model: Model
    batcher: Batcher[Piece, str]
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    done_at: dict[str, float] = field(default_factory=dict)

    async def caller(self, name: str, pieces: Sequence[Piece]) -> None:
        """Each piece is a request of its own, as in the graph; all have one caller."""
        share = Share()

        async def one(piece: Piece) -> None:
            with self.batcher.request(share=share) as request:
                await request.submit(piece)

        await asyncio.gather(*map(one, pieces))
        self.done_at[name] = self.clock.time()

    async def arrive(self, name: str, length: float = CLIP, count: int = 1) -> None:
        pieces = [Piece(f"{name}{number}", length) for number in range(count)]
        self.tasks.append(asyncio.create_task(self.caller(name, pieces)))
        await settle()

    async def finish(self) -> None:
        while not all(task.done() for task in self.tasks):
            await self.clock.advance(10)
        await asyncio.gather(*self.tasks)

    async def until_done(self, name: str) -> float:
        while name not in self.done_at:
            await self.clock.advance(0.5)
        return self.done_at[name]


async def bench(s_a_cost: float = 0.01, **policy: Any) -> Bench:
    """A batcher that has learned what its model takes."""
    clock = VirtualClock()
    model = Model(clock, s_a_cost)
    batcher: Batcher[Piece, str] = Batcher("m", model, BatchPolicy(**policy), clock=clock)
    found = Bench(clock, model, batcher)
    for length in (CLIP, WINDOW, CLIP, WINDOW):
        await found.arrive("warm", length)
        await found.finish()
    model.sent.clear()
    model.sent_at.clear()
    found.tasks.clear()
    return found


@pytest.mark.parametrize("callers", [1, 4, 20])
@pytest.mark.parametrize("comes_s", [7.0, 7.3, 9.1, 12.7], ids="after {} s".format)
async def test_a_clip_waits_for_no_more_than_the_running_batch(
    callers: int, comes_s: float
) -> None:
    b = await bench(**ASR)
    for number in range(callers):
        await b.arrive(f"long{number}.", WINDOW, 20)
    await b.clock.advance(comes_s)
    came, before = b.clock.time(), len(b.model.sent)
    await b.arrive("clip")
    took_s = await b.until_done("clip") - came
    assert b.model.sent[before] == ["clip0"]
    assert len(b.model.sent[before - 1]) == 4
    longest_s = b.model.fixed_s + b.model.s_a_cost * 120
    alone_s = b.model.fixed_s + b.model.s_a_cost * CLIP
    assert took_s <= longest_s + alone_s + ROUNDING
    await b.finish()


async def test_a_medium_recording_does_not_wait_for_the_rest_of_long_ones() -> None:
    b = await bench(**ASR)
    for number in range(4):
        await b.arrive(f"long{number}.", WINDOW, 20)
    await b.clock.advance(3)
    came, before = b.clock.time(), len(b.model.sent)
    await b.arrive("medium", WINDOW, 2)
    await b.until_done("medium")
    sent = [name for batch in b.model.sent[before:] for name in batch]
    places = [sent.index(f"medium{number}") for number in range(2)]
    assert max(places) < 3 * 5  # rounds of five callers
    assert b.done_at["medium"] - came < 5 * 1.3
    await b.finish()


async def test_long_recordings_share_what_there_is() -> None:
    b = await bench(**ASR)
    for number in range(4):
        await b.arrive(f"long{number}.", WINDOW, 20)
    await b.finish()
    had = dict.fromkeys(range(4), 0)
    for batch in b.model.sent:
        for name in batch:
            had[int(name[len("long")])] += 1
        assert max(had.values()) - min(had.values()) <= 4  # the first leaves with what is there


async def test_long_recordings_beside_a_flood_of_clips_end() -> None:
    b = await bench(**ASR)
    await b.arrive("long.", WINDOW, 4)
    number = 0
    while "long." not in b.done_at:
        for _ in range(4):  # more than the model can do
            number += 1
            await b.arrive(f"clip{number}.")
        await b.clock.advance(0.1)
        assert b.clock.time() < 60
    await b.finish()


async def test_callers_of_one_item_of_one_cost_keep_their_order() -> None:
    b = await bench(max_batch_size=2)
    for name in "abcdefgh":
        await b.arrive(name)
    await b.finish()
    assert [name[0] for batch in b.model.sent for name in batch] == list("abcdefgh")


async def test_the_order_of_arrival_holds_where_it_is_asked_for() -> None:
    b = await bench(max_batch_size=4, preserve_ordering=True)
    await b.arrive("long.", WINDOW, 9)
    await b.arrive("clip")
    await b.finish()
    assert b.model.sent[-1][-1] == "clip0"


async def test_a_caller_of_many_items_leaves_places_to_others() -> None:
    b = await bench(**{**ASR, "max_queue_size": 8})
    await b.arrive("long.", WINDOW, 20)
    assert b.batcher.pending == 16
    await b.arrive("clip")
    await b.finish()
    assert set(b.done_at) >= {"long.", "clip"}


async def test_a_caller_who_was_let_in_keeps_a_place_in_a_full_queue() -> None:
    b = await bench(**{**ASR, "max_queue_size": 4})
    share = Share()

    async def one(name: str) -> None:
        with b.batcher.request(share=share) as request:
            await request.submit(Piece(name, WINDOW))

    b.tasks.append(asyncio.create_task(one("first")))
    await settle()
    for number in range(4):
        await b.arrive(f"other{number}.", WINDOW)
    with pytest.raises(QueueFull):
        await b.batcher.submit(Piece("new", WINDOW))
    b.tasks.append(asyncio.create_task(one("second")))
    await b.finish()
    assert "second" in [name for batch in b.model.sent for name in batch]


async def test_rows_of_one_request_stay_together() -> None:
    b = await bench(max_batch_size=4)
    await b.arrive("first")

    async def rows(name: str) -> None:
        with b.batcher.request() as request:
            pieces = [Piece(f"{name}{number}", CLIP) for number in range(4)]
            await asyncio.gather(*map(request.submit, pieces))

    for name in "ab":
        b.tasks.append(asyncio.create_task(rows(name)))
    await b.finish()
    assert b.model.sent[1:] == [["a0", "a1", "a2", "a3"], ["b0", "b1", "b2", "b3"]]


@pytest.mark.parametrize(
    ("s_a_cost", "stands_ready"), [(LONG_S / 1000, True), (LONG_S, False)], ids=["short", "long"]
)
async def test_a_full_batch_stands_ready_only_if_it_is_short(
    s_a_cost: float, stands_ready: bool
) -> None:
    b = await bench(s_a_cost, max_batch_size=2, max_queue_delay_ms=60_000)
    await b.arrive("a", WINDOW)
    await b.arrive("b", WINDOW, 2)
    assert (len(b.model.sent) == 2) is stands_ready
    await b.finish()
    assert b.model.sent_at[1] <= b.model.free_at - b.model.s_a_cost * 2 * WINDOW


@pytest.mark.parametrize(
    ("clips", "rows"), [(0, 4), (2, 1)], ids=["nobody else waits", "clips wait"]
)
async def test_a_long_batch_is_bounded_while_short_work_waits(clips: int, rows: int) -> None:
    b = await bench(**{**ASR, "max_batch_size": 4}, max_batch_s=0.5)
    await b.arrive("running", CLIP)
    await b.arrive("long.", WINDOW, 4)
    for number in range(clips):
        await b.arrive(f"clip{number}.")
    await b.finish()
    assert len(b.model.sent[1]) == rows
    assert b.model.sent[1][0] == "long.0"


async def test_a_short_deadline_holds_behind_long_recordings() -> None:
    """What stands behind a clip's turn does not count against its deadline."""
    b = await bench(**ASR)
    for number in range(4):
        await b.arrive(f"long{number}.", WINDOW, 20)
    await b.clock.advance(3)
    deadline = b.clock.time() + 5
    clip = asyncio.create_task(b.batcher.submit(Piece("clip", CLIP), deadline=deadline))
    b.tasks.append(clip)
    await b.finish()
    assert clip.result().result == "clip"


async def test_rows_beyond_one_batch_leave_after_another_callers_item() -> None:
    b = await bench(max_batch_size=4)
    await b.arrive("first")

    async def rows() -> None:
        with b.batcher.request() as request:
            pieces = [Piece(f"row{number}", CLIP) for number in range(8)]
            await asyncio.gather(*map(request.submit, pieces))

    b.tasks.append(asyncio.create_task(rows()))
    await settle()
    await b.arrive("other")
    await b.finish()
    assert "other0" in b.model.sent[2]
