"""Turns of what decodes and encodes: whose it is, by a clock of numbers; and the threads."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.graph.codecs import (
    FORGET_S,
    OLDEST_EVERY,
    PATIENCE_S,
    Caller,
    Codecs,
    Job,
    Line,
)
from models.audio.steps import Steps, finished
from models.errors import DeadlinePassed, QueueDeadlinePassed
from tests.support.clock import settle

FAR_S = 60.0  # a deadline that no test reaches
KIB = 1 << 10


# ---- whose turn it is ------------------------------------------------------------------


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Of the jobs' answers, which nobody awaits."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def job(loop: asyncio.AbstractEventLoop, caller: Caller | None = None) -> Job[Any]:
    return Job(lambda: None, caller or Caller(), loop.create_future())


def served(line: Line, now: float, took_s: float, held_bytes: int = 0) -> Job[Any]:
    """Give one turn; the job, which waits for its next one."""
    its = line.next(now)
    assert its is not None
    line.pause(its, now + took_s, held_bytes)
    return its


def test_nobody_has_a_turn_of_an_empty_line() -> None:
    assert Line().next(0) is None


def test_new_jobs_have_their_turns_in_the_order_of_arrival(
    loop: asyncio.AbstractEventLoop,
) -> None:
    line, jobs = Line(), [job(loop) for _ in range(3)]
    for each in jobs:
        line.add(each, 0)
    assert [line.next(0) for _ in jobs] == jobs


def test_who_was_served_least_goes_on(loop: asyncio.AbstractEventLoop) -> None:
    line, long, short = Line(), job(loop), job(loop)
    line.add(long, 0)
    served(line, 0, 0.02)
    line.add(short, 0.02)
    assert [served(line, at / 100, 0.01) for at in (2, 3, 4)] == [short, short, long]


def test_the_jobs_of_one_caller_have_one_share(loop: asyncio.AbstractEventLoop) -> None:
    line, one, many = Line(), Caller(), Caller()
    line.add(job(loop, one), 0)
    for _ in range(5):
        line.add(job(loop, many), 0)
    turns = [served(line, at / 100, 0.01).caller for at in range(10)]
    assert [turns.count(one), turns.count(many)] == [5, 5]


@pytest.mark.parametrize(
    ("later_s", "first"), [(FORGET_S / 2, "other"), (FORGET_S * 2, "same")], ids=["soon", "later"]
)
def test_what_a_caller_was_served_counts_for_a_while(
    later_s: float, first: str, loop: asyncio.AbstractEventLoop
) -> None:
    line, same, other = Line(), Caller(), Caller()
    before = job(loop, same)
    line.add(before, 0)
    line.next(0)
    line.end(before, 1)
    line.add(job(loop, same), 1 + later_s)
    line.add(job(loop, other), 1 + later_s)
    chosen = line.next(1 + later_s)
    assert chosen is not None
    assert chosen.caller is {"same": same, "other": other}[first]


def test_who_was_served_most_gives_way(loop: asyncio.AbstractEventLoop) -> None:
    line, short, long, newcomer = Line(), job(loop), job(loop), job(loop)
    for each in (long, short):
        line.add(each, 0)
    served(line, 0, 1)
    assert [line.next(1), line.next(1)] == [short, long]
    line.interrupt_for(newcomer, 1.5)
    assert [short.gives_way, long.gives_way] == [False, True]


def test_nobody_gives_way_to_a_caller_who_was_served_more(
    loop: asyncio.AbstractEventLoop,
) -> None:
    line, running, newcomer = Line(), job(loop), job(loop, Caller(served_s=1))
    line.add(running, 0)
    line.next(0)
    line.interrupt_for(newcomer, 0.5)
    assert not running.gives_way


def test_nobody_takes_the_turn_of_who_waited_longest(loop: asyncio.AbstractEventLoop) -> None:
    line, old = Line(), job(loop, Caller(served_s=100, jobs=1))
    line.add(old, 0)
    now, turn = 2 * PATIENCE_S, None
    while turn is not old:
        line.add(job(loop), now)
        turn = line.next(now)
    line.interrupt_for(job(loop), now)
    assert not old.gives_way


@given(st.lists(st.floats(0.001, 0.02), min_size=1, max_size=60), st.integers(1, 5))
def test_nobody_starves_behind_newcomers(turns_s: list[float], others: int) -> None:
    """However many come, those that waited long have one turn in some, each in its order."""
    loop = asyncio.new_event_loop()
    line, now = Line(), 0.0
    old = [job(loop, Caller(served_s=100, jobs=1)) for _ in range(others)]
    for each in old:
        line.add(each, now)
    had: set[Job[Any]] = set()
    now += 2 * PATIENCE_S
    for number in range(OLDEST_EVERY * others):
        line.add(job(loop), now)
        its = line.next(now)
        assert its is not None
        now += turns_s[number % len(turns_s)]
        had.add(its)
        if its in old:
            line.pause(its, now, 0)
        else:
            line.end(its, now)
    loop.close()
    assert had >= set(old)


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=30),
    st.integers(1, 4),
    st.integers(0, 2**32),
)
def test_what_jobs_hold_is_bounded(sizes_kib: list[int], threads: int, seed: int) -> None:
    """By the bound, what any job may hold, and one whole job a thread; and all of them end."""
    loop = asyncio.new_event_loop()
    small, bound = 16 * KIB, 256 * KIB
    line, left = Line(bound, small), {job(loop): size * KIB for size in sizes_kib}
    for each in left:
        line.add(each, 0)
    running: list[Job[Any]] = []
    step, most, now = 8 * KIB, 0, 0.0
    while left:
        while len(running) < threads and (its := line.next(now)):
            running.append(its)
        now += 0.001
        its = running.pop(seed % len(running))
        held = its.held_bytes + step
        if held >= left[its]:
            del left[its]
            line.end(its, now)
        else:
            line.pause(its, now, held)
        most = max(most, line.held_bytes)
    loop.close()
    largest = max(sizes_kib) * KIB
    assert most <= bound + len(sizes_kib) * (small + step) + threads * (largest + step)
    assert line.held_bytes == 0


def test_beyond_the_bound_who_is_nearest_its_end_goes_on(
    loop: asyncio.AbstractEventLoop,
) -> None:
    line, far, near = Line(open_bytes=100, small_bytes=10), job(loop), job(loop)
    line.add(far, 0)
    served(line, 0, 0.01, held_bytes=40)
    line.add(near, 0.01)
    served(line, 0.01, 0.5, held_bytes=80)
    assert served(line, 1, 0.01, held_bytes=90) is near
    line.add(new := job(loop), 2)
    assert served(line, 2, 0.01, held_bytes=5) is new


def test_a_job_that_ended_gives_back_what_it_held(loop: asyncio.AbstractEventLoop) -> None:
    line, its = Line(), job(loop)
    line.add(its, 0)
    served(line, 0, 0.01, held_bytes=50)
    assert line.drop(its, 1)
    assert (line.held_bytes, len(line), its.caller.jobs) == (0, 0, 0)
    line.end(its, 2)
    assert its.caller.jobs == 0


# ---- the threads -----------------------------------------------------------------------


class Gate:
    """Steps that each wait for a word: what stands for long work."""

    def __init__(self) -> None:
        self.begun, self.may_go_on = threading.Event(), threading.Event()
        self.steps_done, self.is_closed = 0, threading.Event()

    def steps(self) -> Steps[str]:
        try:
            while True:
                self.begun.set()
                assert self.may_go_on.wait(10)
                self.steps_done += 1
                yield self.steps_done
        finally:
            self.is_closed.set()


async def until(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


def deadline(after_s: float = FAR_S) -> float:
    return asyncio.get_running_loop().time() + after_s


def counted(result: object, steps: int = 3) -> Generator[int, None, Any]:
    yield from range(steps)
    return result


def test_steps_can_be_run_at_once() -> None:
    assert finished(counted("all")) == "all"


@pytest.mark.parametrize("work", [lambda: "x", counted("x")], ids=["call", "steps"])
async def test_work_has_its_result(work: Any) -> None:
    with Codecs(1) as codecs:
        assert await codecs.run(work, deadline()) == "x"


def _fail() -> Any:
    raise ValueError("mine")


def _fail_later() -> Steps[None]:
    yield 1
    raise ValueError("mine")


@pytest.mark.parametrize("work", [_fail, _fail_later()], ids=["call", "steps"])
async def test_work_has_its_own_error(work: Any) -> None:
    with Codecs(1) as codecs:
        with pytest.raises(ValueError, match="mine"):
            await codecs.run(work, deadline())
        assert await codecs.run(lambda: "next", deadline()) == "next"


async def test_a_timeout_of_the_works_own_is_no_deadline() -> None:
    def late() -> None:
        raise TimeoutError("its own")

    with Codecs(1) as codecs, pytest.raises(TimeoutError, match="its own"):
        await codecs.run(late, deadline())


async def test_short_work_passes_long_work_on_one_thread() -> None:
    long = Gate()
    with Codecs(1) as codecs:
        waiting = asyncio.create_task(codecs.run(long.steps(), deadline()))
        await until(long.begun)
        short = asyncio.create_task(codecs.run(counted("short"), deadline()))
        await settle()
        long.may_go_on.set()
        assert await short == "short"
        assert not waiting.done()
        waiting.cancel()
        await until(long.is_closed)


async def test_every_thread_has_work() -> None:
    together = threading.Barrier(3)
    with Codecs(3) as codecs:
        await asyncio.gather(*(codecs.run(lambda: together.wait(10), deadline()) for _ in "abc"))


async def test_work_whose_deadline_passes_before_its_turn_is_not_begun() -> None:
    long, began = Gate(), []
    with Codecs(1) as codecs:
        waiting = asyncio.create_task(codecs.run(long.steps(), deadline()))
        await until(long.begun)
        with pytest.raises(QueueDeadlinePassed):
            await codecs.run(lambda: began.append(1), deadline(0))
        waiting.cancel()
        long.may_go_on.set()
        await until(long.is_closed)
    assert not began


async def test_work_whose_deadline_passes_on_the_way_stops_after_its_step() -> None:
    long = Gate()
    with Codecs(1) as codecs:
        late = asyncio.create_task(codecs.run(long.steps(), deadline(0.5)))
        await until(long.begun)
        with pytest.raises(DeadlinePassed):
            await late
        long.may_go_on.set()
        await until(long.is_closed)
    assert long.steps_done == 1


async def test_work_of_a_caller_who_leaves_stops_after_its_step() -> None:
    long = Gate()
    with Codecs(1) as codecs:
        task = asyncio.create_task(codecs.run(long.steps(), deadline()))
        await until(long.begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        long.may_go_on.set()
        await until(long.is_closed)
    assert long.steps_done == 1


async def test_closing_ends_the_threads_when_all_is_done() -> None:
    codecs = Codecs(2)
    results = await asyncio.gather(*(codecs.run(counted(n), deadline()) for n in range(20)))
    await asyncio.to_thread(codecs.close)
    assert results == list(range(20))
    with pytest.raises(RuntimeError, match="shutdown"):
        await codecs.run(lambda: None, deadline())


class Upload(bytearray):
    """Something large that can be watched."""


@pytest.mark.parametrize("in_steps", [False, True], ids=["call", "steps"])
async def test_failed_work_is_not_kept_in_a_cycle(in_steps: bool) -> None:
    """Collection is all but off in an ingress: what was uploaded must go without it."""
    upload = Upload(10)
    watched = weakref.ref(upload)

    def steps(data: Upload) -> Steps[None]:
        yield 1
        raise ValueError(len(data))

    def call(data: Upload = upload) -> None:
        raise ValueError(len(data))

    work: Any = steps(upload) if in_steps else call
    gc.collect()
    gc.disable()
    try:
        with Codecs(1) as codecs:
            with pytest.raises(ValueError, match="10"):
                await codecs.run(work, deadline())
            del upload, work, call
        await settle()
        assert watched() is None
    finally:
        gc.enable()
