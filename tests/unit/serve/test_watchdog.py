"""A replica that hangs is ended by the process beside it; one that is slow is not."""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterator
from subprocess import Popen

import psutil
import pytest

from deployments.batching.estimates.batch_time import Line
from deployments.serve.watchdog import Watchdog
from deployments.serve.watchdog_process import PAGE, QUIET_LOOKS, Judge, Look
from tests.support.processes import spawn

LOOK_S = 1.0
RESTS = Look(False)
STOPPED = Look(True)


def verdict(*looks: Look, is_overdue: bool = True) -> bool:
    """The verdict of the last of some looks, each a second after the one before."""
    judge = Judge(LOOK_S)
    return [judge.hangs(look, is_overdue=is_overdue) for look in looks][-1]


def busy(
    cpu_s_a_look: float = 0.0, faults_a_look: int = 0, *, is_ready: bool = False
) -> list[Look]:
    return [
        Look(False, is_ready, cpu_s_a_look * number, faults_a_look * number)
        for number in range(3 * QUIET_LOOKS)
    ]


HANGS = {
    "overdue, and uses no CPU": [RESTS] * (QUIET_LOOKS + 1),
    "stopped": [STOPPED] * QUIET_LOOKS,
    "only the threads around the model run": busy(cpu_s_a_look=0.02),
}
SLOW = {
    "computes": busy(cpu_s_a_look=0.9),
    "has a tenth of a CPU": busy(cpu_s_a_look=0.1),
    "waits for a CPU": busy(is_ready=True),
    "reads what was swapped out": busy(faults_a_look=3),
    "has rested for less": [RESTS] * QUIET_LOOKS,
    "stopped for a moment": [STOPPED] * (QUIET_LOOKS - 1),
    "goes on": [*[RESTS] * QUIET_LOOKS, Look(False, cpu_s=0.5), RESTS],
}


@pytest.mark.parametrize("looks", HANGS.values(), ids=HANGS)
def test_who_hangs_is_told(looks: list[Look]) -> None:
    assert verdict(*looks)


@pytest.mark.parametrize("looks", SLOW.values(), ids=SLOW)
def test_who_is_slow_is_let_alone(looks: list[Look]) -> None:
    assert not verdict(*looks)


def test_without_a_late_batch_who_rests_is_let_alone() -> None:
    assert not verdict(*[RESTS] * 20, is_overdue=False)


def test_without_any_batch_who_is_stopped_hangs() -> None:
    assert verdict(*[STOPPED] * QUIET_LOOKS, is_overdue=False)


@pytest.mark.parametrize(
    ("batches", "cost", "takes_s"),
    [
        pytest.param([(1.0, 2.0)], 10.0, 20.0, id="larger than any, no slope known"),
        pytest.param([(1.0, 2.0), (1.0, 2.0)], 0.1, 2.0, id="smaller than any, no slope known"),
        pytest.param([(10.0, 15.0), (20.0, 25.0)], 40.0, 53.1, id="larger than any"),
        pytest.param([(0.0, 2.0)], 8.0, 2.0, id="of no cost"),
        pytest.param([], 8.0, 0.0, id="nothing known"),
    ],
)
def test_a_larger_batch_may_take_longer(
    batches: list[tuple[float, float]], cost: float, takes_s: float
) -> None:
    line = Line()
    for each, took_s in batches:
        line.learn(each, took_s)
    assert math.isclose(line.generous_s(cost), takes_s, rel_tol=0.01)


# ---- real processes ----------------------------------------------------------------------

KILLED = -signal.SIGKILL
BEHAVIOURS = {
    "stops, between batches": (("stops", "1", "idle"), KILLED),
    "stops, in the first batch": (("stops", "0", "in a batch"), KILLED),
    "hangs, in a batch like those before": (("hangs", "3", "in a batch"), KILLED),
    "rests, in a larger batch": (("rests", "3", "in a larger batch"), 0),
    "rests, in the first batch": (("rests", "0", "in a batch"), 0),
    "rests, between batches": (("rests", "3", "idle"), 0),
    "computes": (("computes", "3", "in a batch"), 0),
    "computes on another thread": (("computes_beside", "3", "in a batch"), 0),
    "computes in another process": (("computes_below", "3", "in a batch"), 0),
}


@pytest.fixture(scope="module")
def victims() -> Iterator[dict[str, Popen[str]]]:
    """All at once: each takes a second."""
    started = {
        name: spawn("-m", "tests.support.victim", *arguments)
        for name, (arguments, _) in BEHAVIOURS.items()
    }
    yield started
    for victim in started.values():
        victim.kill()
        victim.communicate()


@pytest.mark.parametrize("name", BEHAVIOURS)
@pytest.mark.process
def test_a_process_is_ended_if_it_hangs(victims: dict[str, Popen[str]], name: str) -> None:
    victim = victims[name]
    assert victim.stdout is not None
    watchdog_pid = int(victim.stdout.readline())
    assert victim.wait(60) == BEHAVIOURS[name][1]
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(watchdog_pid).wait(60)  # never left behind


@pytest.mark.process
def test_who_was_ended_is_said(victims: dict[str, Popen[str]]) -> None:
    victim = victims["stops, in the first batch"]
    _, said = victim.communicate(timeout=60)
    assert said.strip() == (
        f"dragoman: a replica of model 'm' hangs (it is stopped): process {victim.pid} is ended"
    )


@pytest.mark.process
def test_a_batch_that_waits_for_a_service_may_take_as_long_as_its_engine_says() -> None:
    dog = Watchdog("m", "cpu", bound_s=60.0)
    try:
        for _ in range(3):
            dog.begin(1.0)
            dog.end(1.0, 0.01)
        dog.begin(1.0)
        assert dog._page is not None
        began, until = PAGE.unpack_from(dog._page)
    finally:
        dog.stop()
    assert until - began == pytest.approx(60.0)
