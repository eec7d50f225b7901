"""The load test's arrivals, steps and figures, on a clock that only moves when told to."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from dataclasses import replace

import httpx
import pytest

from dragoman_client import DragomanError, Model, errors, parsing
from load.arrivals import Process, arrivals_s
from load.endpoints import Answer, Ask
from load.figures import StepFigures, mean_batches, percentile, summarise
from load.steps import Failure, Length, Load, Outcome, Recording, Stepper, failure_of
from tests.support import fake_api
from tests.support.clock import VirtualClock

OPEN, CLOSED = Load("open", 10), Load("closed", 2)


class TestClock(VirtualClock):
    """The clock of a step."""

    __test__ = False

    async def sleep_until(self, when_s: float) -> None:
        if when_s > self.time():
            awake = asyncio.get_running_loop().create_future()
            self.call_at(when_s, awake.set_result, None)
            await awake


class LateClock(TestClock):
    """Wakes everyone a second late."""

    async def sleep_until(self, when_s: float) -> None:
        self._now = max(self._now, when_s) + 1.0


def server(clock: TestClock, *durations_s: float) -> Ask:
    """Answers each request after its duration, in turn; all at once, as no server can."""
    turns = itertools.cycle(durations_s)

    async def ask(number: int) -> Answer:
        await clock.sleep_until(clock.time() + next(turns))
        return Answer(audio_s=2.0, queue_ms=30.0, execution_ms=10.0)

    return ask


async def run(
    load: Load, length: Length, *durations_s: float, process: Process = "uniform"
) -> Recording:
    """The recording of one step against ``server``."""
    clock, recording = TestClock(), Recording(load)
    stepper = Stepper(server(clock, *durations_s), clock, process)
    step = asyncio.create_task(stepper.run(recording, length))
    while not step.done():
        await clock.advance(0.5)
    await step
    return recording


def figures(recording: Recording, slo_ms: float | None = None) -> StepFigures:
    return summarise(recording, slo_ms=slo_ms, mean_batch={})


def outcome(latency_ms: float, failure: Failure | None = None, intended_s: float = 0.0) -> Outcome:
    ended_s = intended_s + latency_ms / 1000
    answer = None if failure else Answer()
    return Outcome(intended_s, intended_s, ended_s, answer, failure)


# ---- arrivals -------------------------------------------------------------------------


def test_uniform_arrivals_have_equal_gaps() -> None:
    assert list(itertools.islice(arrivals_s(4, "uniform", 0), 4)) == [0.0, 0.25, 0.5, 0.75]


def test_poisson_arrivals_have_exponential_gaps() -> None:
    offsets = list(itertools.islice(arrivals_s(5, "poisson", 1), 20_000))
    gaps = [later - earlier for earlier, later in itertools.pairwise(offsets)]
    # Of an exponential the deviation is the mean; of 20,000 draws both are within 3 %.
    assert statistics.fmean(gaps) == pytest.approx(0.2, rel=0.03)
    assert statistics.stdev(gaps) == pytest.approx(0.2, rel=0.03)


@pytest.mark.parametrize(("other", "same"), [(7, True), (8, False)], ids=["same", "other"])
def test_the_seed_makes_the_arrivals(other: int, same: bool) -> None:
    first = list(itertools.islice(arrivals_s(5, "poisson", 7), 10))
    assert (first == list(itertools.islice(arrivals_s(5, "poisson", other), 10))) is same


# ---- steps ----------------------------------------------------------------------------


async def test_an_open_loop_sends_by_its_schedule_whatever_the_server_does() -> None:
    recording = await run(OPEN, Length(requests=5), 3.0)
    assert [o.sent_s for o in recording.outcomes] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert recording.elapsed_s == pytest.approx(3.4)


async def test_an_open_loop_of_seconds_begins_nothing_after_them() -> None:
    recording = await run(OPEN, Length(duration_s=1.0), 0.05)
    assert (recording.sent, len(recording.outcomes)) == (10, 10)
    assert recording.elapsed_s == pytest.approx(1.0)


async def test_latency_counts_from_the_intended_moment() -> None:
    """The load generator was held up for a second: no caller is spared it."""

    async def ask(number: int) -> Answer:
        return Answer()

    recording = Recording(OPEN)
    await Stepper(ask, LateClock(), "uniform").run(recording, Length(requests=1))
    assert recording.outcomes[0].latency_ms == pytest.approx(1000)
    assert figures(recording).max_send_delay_ms == pytest.approx(1000)


async def test_callers_wait_for_their_answers() -> None:
    recording = await run(CLOSED, Length(duration_s=1.0), 0.4)
    assert [o.sent_s for o in recording.outcomes] == pytest.approx([0, 0, 0.4, 0.4, 0.8, 0.8])
    assert recording.elapsed_s == pytest.approx(1.2)


async def test_callers_share_the_count_of_requests() -> None:
    recording = await run(CLOSED, Length(requests=5), 0.4)
    assert len(recording.outcomes) == 5


async def test_a_cancelled_step_keeps_what_it_saw() -> None:
    clock, recording = TestClock(), Recording(OPEN)
    stepper = Stepper(server(clock, 0.15), clock, "uniform")
    step = asyncio.create_task(stepper.run(recording, Length(duration_s=60)))
    await clock.advance(1.0)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    seen = figures(recording)
    assert not seen.is_whole
    assert seen.elapsed_s == pytest.approx(1.0)
    assert (seen.answered, seen.abandoned) == (9, 2)


async def test_a_failure_is_an_outcome() -> None:
    async def ask(number: int) -> Answer:
        raise errors.QueueFull("full", status=503, code="queue_full")

    recording = Recording(CLOSED)
    await Stepper(ask, TestClock()).run(recording, Length(requests=3))
    assert [o.failure for o in recording.outcomes] == [Failure("503 queue_full", True)] * 3


# ---- failures -------------------------------------------------------------------------


def refused(status: int, code: str | None) -> DragomanError:
    response = fake_api.refusal(status, code) if code else httpx.Response(status)
    return errors.from_response(response, "r")


@pytest.mark.parametrize(
    ("error", "kind", "is_overload"),
    [
        pytest.param(refused(503, "queue_full"), "503 queue_full", True, id="queue full"),
        pytest.param(refused(503, "overloaded"), "503 overloaded", True, id="overloaded"),
        pytest.param(refused(503, None), "503", True, id="full proxy"),
        pytest.param(refused(503, "draining"), "503 draining", False, id="draining"),
        pytest.param(refused(429, "rate_limited"), "429 rate_limited", True, id="rate"),
        pytest.param(refused(504, "deadline_passed"), "504 deadline_passed", True, id="late"),
        pytest.param(refused(500, "internal"), "500 internal", False, id="fault"),
        pytest.param(errors.TimeoutError("no"), "no answer in time", False, id="silence"),
        pytest.param(errors.ConnectionFailed("no"), "connection failed", False, id="gone"),
    ],
)
def test_the_kind_of_a_failure(error: DragomanError, kind: str, is_overload: bool) -> None:
    assert failure_of(error) == Failure(kind, is_overload)


# ---- figures --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [
        pytest.param(1, 99, 1, id="one value"),
        pytest.param(4, 50, 2, id="even"),
        pytest.param(5, 50, 3, id="odd"),
        pytest.param(10, 99, 10, id="fewer than a hundred"),
        pytest.param(100, 99, 99, id="a hundred"),
        pytest.param(200, 95, 190, id="p95"),
        pytest.param(5, 0, 1, id="least"),
    ],
)
def test_percentile_is_the_nearest_rank(count: int, percent: float, expected: int) -> None:
    assert percentile(range(1, count + 1), percent) == expected


async def test_the_figures_of_a_step() -> None:
    got = figures(await run(CLOSED, Length(requests=4), 0.4, 0.6), slo_ms=500)
    assert got.latency_ms == pytest.approx(
        {"p50": 400, "p90": 600, "p95": 600, "p99": 600, "max": 600}
    )
    assert (got.requests, got.answered, got.errors) == (4, 4, {})
    assert got.throughput_rps == pytest.approx(4 / got.elapsed_s)
    assert got.audio_s_per_s == pytest.approx(8 / got.elapsed_s)
    assert got.goodput_rps == pytest.approx(2 / got.elapsed_s)
    assert (got.slo_share, got.queue_share) == (0.5, 0.75)


def test_errors_are_counted_by_kind_and_are_no_latencies() -> None:
    full, fault = Failure("503 queue_full", True), Failure("500 internal", False)
    outcomes = [outcome(100), outcome(1, full), outcome(1, full), outcome(1, fault)]
    got = figures(Recording(OPEN, outcomes, sent=4, elapsed_s=1.0), slo_ms=200)
    assert got.errors == {"503 queue_full": 2, "500 internal": 1}
    assert (got.answered, got.overloaded, got.failed) == (1, 2, 1)
    assert (got.latency_ms or {})["p50"] == pytest.approx(100)
    assert got.slo_share == 0.25


def test_nothing_measured_is_no_figure() -> None:
    got = figures(Recording(OPEN), slo_ms=100)
    assert (got.latency_ms, got.slo_share, got.audio_s_per_s, got.queue_share) == (None,) * 4
    assert (got.throughput_rps, got.goodput_rps) == (0, 0)


def model(name: str, items: int, batches: int) -> Model:
    statistics = {**fake_api.MODEL["statistics"], "items": items, "batches": batches}
    body = {"data": [{**fake_api.MODEL, "id": name, "statistics": statistics}]}
    return parsing.models(httpx.Response(200, json=body))[0]


def test_the_mean_batch_is_of_the_step_alone() -> None:
    before = [model("asr", 100, 90), model("nmt", 7, 7)]
    after = [model("asr", 112, 94), model("nmt", 7, 7), model("new", 5, 5)]
    assert mean_batches(before, after) == {"asr": 3.0}


def test_a_load_names_its_unit() -> None:
    loads = [OPEN, CLOSED, replace(CLOSED, value=1)]
    assert [str(load) for load in loads] == ["10 requests/s", "2 callers", "1 caller"]
