"""Live speech beside other work in one model's queue, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from functools import partial

import pytest

from deployments.batching.live import LIVE, UPDATE, LiveWork
from deployments.batching.queue import Share
from models.errors import QueueFull
from tests.support.clock import settle
from tests.unit.batching.test_fairness import ASR, CLIP, WINDOW, Bench, Piece, bench

LIVE_PIECE = 10.0  # of open audio


async def ask(
    b: Bench,
    name: str,
    length: float = LIVE_PIECE,
    share: Share | None = None,
    priority: int = LIVE,
) -> None:
    """Let a live item wait."""

    async def one() -> None:
        with b.batcher.request(priority=priority, share=share) as request:
            await request.submit(Piece(name, length))
        b.done_at[name] = b.clock.time()

    b.tasks.append(asyncio.create_task(one()))
    await settle()


def sent(b: Bench) -> list[str]:
    return [name for batch in b.model.sent for name in batch]


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("priority", [0, 1])
async def test_live_items_leave_before_all_that_wait(levels: int, priority: int) -> None:
    b = await bench(**ASR, priority_levels=levels)
    await b.arrive("running", CLIP)

    async def other(number: int) -> None:
        await b.batcher.submit(Piece(f"other{number}", LIVE_PIECE), priority=priority)

    b.tasks += [asyncio.create_task(other(number)) for number in range(20)]
    await settle()
    with b.batcher.open_live():
        await ask(b, "live")
        await b.finish()
    assert b.model.sent[1][0] == "live"


@pytest.mark.parametrize("max_batch_s", [0.4, 0.7, None])
async def test_a_batch_of_others_is_short_while_a_session_is_open(
    max_batch_s: float | None,
) -> None:
    b = await bench(**ASR, max_batch_s_beside_live=max_batch_s)
    rows = {0.4: 1, 0.7: 2, None: 4}[max_batch_s]  # a window takes 0.3 s, four fill a batch
    with b.batcher.open_live():
        await b.arrive("long.", WINDOW, 12)
        await b.clock.advance(2)
    assert max(map(len, b.model.sent)) == rows
    await b.finish()
    assert max(map(len, b.model.sent)) == 4


async def test_batches_are_short_until_the_last_session_closes() -> None:
    b = await bench(**ASR)
    with ExitStack() as first, b.batcher.open_live():
        first.enter_context(b.batcher.open_live())
        await b.arrive("long.", WINDOW, 20)
        await b.clock.advance(1)
        first.close()
        await b.clock.advance(2)
        assert max(map(len, b.model.sent)) == 1
    await b.finish()
    assert max(map(len, b.model.sent)) == 4


async def test_live_items_wait_for_no_more_than_a_short_batch() -> None:
    b = await bench(**ASR)
    with b.batcher.open_live():
        for number in range(8):
            await b.arrive(f"long{number}.", WINDOW, 20)
        await b.clock.advance(2.05)
        came = b.clock.time()
        await ask(b, "live")
        took_s = await b.until_done("live") - came
        alone_s = b.model.fixed_s + b.model.s_a_cost * LIVE_PIECE
        assert took_s <= 0.5 + alone_s
    await b.finish()


async def test_live_items_share_a_batch_within_its_time() -> None:
    b = await bench(**ASR, max_batch_s_beside_live=0.33)
    with b.batcher.open_live():
        await ask(b, "running")
        for number in range(6):
            await ask(b, f"live{number}")
        await b.finish()
    assert [len(batch) for batch in b.model.sent] == [1, 3, 3]


async def test_updates_go_behind_what_ends_a_turn() -> None:
    b = await bench(**ASR, max_batch_s_beside_live=0.33)
    with b.batcher.open_live():
        await ask(b, "running")
        for number in range(3):
            await ask(b, f"update{number}", priority=UPDATE)
        await ask(b, "final")
        await b.arrive("other.", LIVE_PIECE)
        await b.finish()
    assert sent(b) == ["running", "final", "update0", "update1", "update2", "other.0"]


async def test_others_fill_up_a_live_batch_within_its_time() -> None:
    b = await bench(**ASR, max_batch_s_beside_live=0.33)
    with b.batcher.open_live():
        await ask(b, "running")
        await ask(b, "live")
        for number in range(6):
            await b.arrive(f"other{number}.", LIVE_PIECE)
        await b.finish()
    assert b.model.sent[1] == ["live", "other0.0", "other1.0"]


async def forever(again: Callable[[], Awaitable[None]]) -> None:
    while True:
        await again()


async def test_other_work_goes_on_beside_live_sessions_that_fill_the_model() -> None:
    """Each of many sessions asks again at once; a file has its part of the time all the same."""
    b = await bench(**ASR)

    async def session(share: Share) -> None:
        with b.batcher.request(priority=LIVE, share=share) as request:
            await request.submit(Piece("live", LIVE_PIECE))

    with b.batcher.open_live():
        sessions = [
            asyncio.create_task(forever(lambda share=share: session(share)))  # type: ignore[misc]
            for share in [Share() for _ in range(30)]
        ]
        await b.clock.advance(1)
        await b.arrive("long.", WINDOW, 10)
        came = b.clock.time()
        took_s = await b.until_done("long.") - came
        for task in sessions:
            task.cancel()
    alone_s = 10 * (b.model.fixed_s + b.model.s_a_cost * WINDOW)
    assert alone_s < took_s < 7 * alone_s  # a fifth, and the batches that it waits for
    assert sent(b).count("live") > 10


@pytest.mark.parametrize("max_batch_s", [0.5, None], ids=["short", "unbounded"])
@pytest.mark.parametrize("length", [LIVE_PIECE, WINDOW], ids=["alike", "longer"])
async def test_others_have_a_quarter_of_the_time_of_live_work(
    length: float, max_batch_s: float | None
) -> None:
    b = await bench(**ASR, max_batch_s_beside_live=max_batch_s)

    async def live(share: Share) -> None:
        with b.batcher.request(priority=LIVE, share=share) as request:
            await request.submit(Piece("live", LIVE_PIECE))

    async def other(share: Share) -> None:
        with b.batcher.request(share=share) as request:
            await request.submit(Piece("other", length))

    with b.batcher.open_live():
        asked = [partial(ask, Share()) for ask in [live] * 30 + [other] * 30]
        callers = [asyncio.create_task(forever(again)) for again in asked]
        await b.clock.advance(100)
        for task in callers:
            task.cancel()
    lengths, taken_s = {"live": LIVE_PIECE, "other": length}, {"live": 0.0, "other": 0.0}
    for batch in b.model.sent:
        longest = max(lengths[name] for name in batch)
        took_s = b.model.fixed_s + b.model.s_a_cost * len(batch) * longest
        for name in batch:
            taken_s[name] += took_s / len(batch)
    assert 0.2 < taken_s["other"] / taken_s["live"] < 0.3


async def test_what_is_owed_ends_with_the_last_session() -> None:
    work = LiveWork(lambda: None)
    with work.opened():
        work.sent(8.0, 1.0, others_wait=True)
        assert work.is_others_turn(2.0)
    with work.opened():
        assert not work.is_others_turn(2.0)


async def test_sessions_have_turns_beside_one_that_asks_for_much() -> None:
    b = await bench(**{**ASR, "max_batch_size": 2})
    with b.batcher.open_live():
        await ask(b, "running")
        greedy = Share()
        for number in range(6):
            await ask(b, f"greedy{number}", share=greedy)
        await ask(b, "modest", share=Share())
        await b.finish()
    assert "modest" in b.model.sent[1]


async def test_a_full_queue_takes_live_items() -> None:
    b = await bench(**{**ASR, "max_queue_size": 2})
    for number in range(6):
        await b.arrive(f"other{number}.", WINDOW)
    with b.batcher.open_live():
        await ask(b, "live")
        while not all(task.done() for task in b.tasks):
            await b.clock.advance(1)
    refused = [isinstance(task.exception(), QueueFull) for task in b.tasks]
    assert refused.count(True) >= 1
    assert not refused[-1]
