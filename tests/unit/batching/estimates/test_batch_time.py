"""When the batch behind a running one leaves: just before that ends, as was measured."""

from __future__ import annotations

import pytest

from deployments.batching.batch import BatchReply
from deployments.batching.estimates.batch_time import BatchTime

WAY_S, BACK_S = 2.0, 1.0


def taught(*batches: tuple[float, float]) -> BatchTime:
    """What has learned of batches of a cost that took some time."""
    batch_time = BatchTime()
    for cost, took_s in batches:
        batch_time.learn(cost, BatchReply([], took_s, input_s=WAY_S, output_s=BACK_S))
    return batch_time


LINE = ((10.0, 15.0), (20.0, 25.0))  # 5 s and 1 s a cost


def test_nothing_is_known_before_a_batch_came_back() -> None:
    batch_time = BatchTime()
    batch_time.sent("a", 10.0, 0.0, replicas=1)
    assert batch_time.next_at(1) is None


@pytest.mark.parametrize(
    ("batches", "cost", "takes_s"),
    [
        pytest.param(LINE, 30.0, 35.0, id="larger than any before"),
        pytest.param(LINE, 5.0, 10.0, id="smaller than any before"),
        pytest.param(((10.0, 15.0), (10.0, 17.0)), 30.0, 16.05, id="all were of one cost"),
        pytest.param(((10.0, 20.0), (20.0, 10.0)), 30.0, 14.74, id="larger ones took less"),
    ],
)
def test_a_batch_leaves_the_way_before_the_running_one_ends(
    batches: tuple[tuple[float, float], ...], cost: float, takes_s: float
) -> None:
    batch_time = taught(*batches)
    batch_time.sent("running", cost, 100.0, replicas=1)
    # It begins after the way, and the next needs the way as well.
    assert batch_time.next_at(1) == pytest.approx(100.0 + WAY_S + takes_s - WAY_S, abs=0.01)


def test_what_stood_behind_begins_when_the_one_before_has_ended() -> None:
    batch_time = taught(*LINE)
    batch_time.sent("first", 10.0, 0.0, replicas=1)
    batch_time.sent("second", 10.0, 5.0, replicas=1)
    batch_time.over("first", 20.0)  # its answer was on the way back for a second
    assert batch_time.next_at(1) == pytest.approx(20.0 - BACK_S + 15.0 - WAY_S)


def test_of_two_replicas_the_first_to_end_gets_the_next() -> None:
    batch_time = taught(*LINE)
    batch_time.sent("long", 30.0, 0.0, replicas=2)
    batch_time.sent("short", 10.0, 0.0, replicas=2)
    assert batch_time.next_at(2) == pytest.approx(15.0)
    batch_time.sent("behind", 10.0, 13.0, replicas=2)
    assert batch_time.next_at(2) == pytest.approx(35.0)


def test_one_that_never_began_leaves_the_running_ones_alone() -> None:
    batch_time = taught(*LINE)
    batch_time.sent("running", 10.0, 0.0, replicas=1)
    batch_time.sent("behind", 10.0, 5.0, replicas=1)
    batch_time.over("behind", 6.0)
    assert batch_time.next_at(1) == pytest.approx(15.0)


@pytest.mark.parametrize(
    ("batches", "fixed_s"),
    [
        pytest.param(LINE, 5.0, id="where the line meets no cost"),
        pytest.param(((10.0, 15.0),), 0.0, id="not known from one cost alone"),
        pytest.param(((10.0, 10.0), (20.0, 25.0)), 0.0, id="never less than nothing"),
        pytest.param((*LINE, *[(10.0, 15.0)] * 200), 5.0, id="still known when costs are all one"),
    ],
)
def test_what_a_batch_takes_whatever_it_costs(
    batches: tuple[tuple[float, float], ...], fixed_s: float
) -> None:
    assert taught(*batches).fixed_s == pytest.approx(fixed_s, abs=0.2)


def test_what_was_measured_apart_counts_until_a_batch_ran() -> None:
    times = BatchTime()
    times.line.seed([(10.0, 0.2), (40.0, 0.5)])
    assert times.times.expected_s(20.0) == pytest.approx(0.3)
    times.learn(10.0, BatchReply([], 0.4))
    learned = times.times
    times.line.seed([(10.0, 9.0)])
    assert times.times == learned
