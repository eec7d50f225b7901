"""How soon callers come back: measured from batches that ended."""

from __future__ import annotations

import math

import pytest

from deployments.batching.estimates.returning_callers import ReturningCallers


def come(callers: ReturningCallers, rows: int, at: float) -> None:
    for _ in range(rows):
        callers.came(at)


def returned(rows: int, after_s: float) -> ReturningCallers:
    """What has seen the callers of one batch, which ended at 0, all come at one moment."""
    callers = ReturningCallers()
    callers.ended(rows, 1.0, 0.0, replicas=1)
    come(callers, rows, after_s)
    return callers


def test_nothing_is_known_of_callers_before_a_batch_came_back() -> None:
    assert not ReturningCallers().expected().is_worth(math.inf)


@pytest.mark.parametrize(
    ("fixed_s", "is_worth"),
    [
        pytest.param(4.0, True, id="sooner than a batch of its own costs"),
        pytest.param(2.0, False, id="hardly sooner"),
        pytest.param(0.0, False, id="a batch costs nothing by itself"),
    ],
)
def test_the_wait_is_worth_less_than_a_batch(fixed_s: float, is_worth: bool) -> None:
    assert returned(10, after_s=2.0).expected().is_worth(fixed_s) is is_worth


def test_the_wait_ends_a_little_after_they_usually_come() -> None:
    callers = returned(10, after_s=2.0)
    callers.ended(10, 1.0, 100.0, replicas=1)
    come(callers, 9, at=101.0)
    assert callers.expected().until == pytest.approx(102.5)


def test_the_wait_ends_when_all_have_come() -> None:
    callers = returned(10, after_s=2.0)
    callers.ended(10, 1.0, 100.0, replicas=1)
    come(callers, 10, at=101.0)
    assert callers.expected().until == -math.inf


def test_a_few_who_leave_do_not_lengthen_the_wait() -> None:
    callers = ReturningCallers()
    callers.ended(10, 1.0, 0.0, replicas=1)
    come(callers, 8, at=2.0)
    callers.ended(8, 1.0, 50.0, replicas=1)
    assert callers.expected().until == pytest.approx(52.5)


def test_who_does_not_come_is_not_waited_for() -> None:
    callers = returned(10, after_s=2.0)
    for ended_at in (100.0, 200.0, 300.0):
        callers.ended(10, 1.0, ended_at, replicas=1)
        come(callers, 5, at=ended_at + 2.0)
    assert not callers.expected().is_worth(30.0)


def test_of_two_replicas_the_callers_of_the_older_batch_come_first() -> None:
    callers = ReturningCallers()
    callers.ended(10, 1.0, 0.0, replicas=2)
    callers.ended(10, 1.0, 1.0, replicas=2)
    come(callers, 10, at=2.0)
    come(callers, 10, at=4.0)
    assert callers.expected().wait_s == pytest.approx(1.25 * 3.0)


def test_the_callers_of_as_many_batches_as_replicas_are_missing() -> None:
    callers = ReturningCallers()
    for ended_at in (0.0, 1.0, 2.0):
        callers.ended(10, 1.0, ended_at, replicas=2)
    assert callers.expected().missing == 20


def test_the_wait_is_for_the_callers_of_the_last_batch_too() -> None:
    callers = returned(10, after_s=2.0)
    callers.ended(10, 1.0, 100.0, replicas=2)
    callers.ended(10, 1.0, 101.0, replicas=2)
    assert callers.expected().until == pytest.approx(103.5)


def test_who_has_left_for_good_is_not_missing_once_the_wait_is_over() -> None:
    callers = returned(10, after_s=2.0)
    callers.ended(10, 1.0, 100.0, replicas=2)
    callers.ended(5, 1.0, 103.0, replicas=2)
    assert callers.expected().missing == 5


def after_batches(*took_s: float) -> ReturningCallers:
    """What has seen batches of one caller each, who came back after so long."""
    callers, now = ReturningCallers(), 0.0
    for after_s in took_s:
        callers.ended(1, 1.0, now, replicas=1)
        callers.came(now + after_s)
        now += 100.0
    return callers


@pytest.mark.parametrize(
    ("took_s", "wait_s"),
    [
        pytest.param([60.0, 2, 2, 2, 2], 2.5, id="a pause before the first calls is forgotten"),
        pytest.param([2, 2, 2, 60.0, 2, 2, 2, 60.0, 2], 2.5, id="two pauses of nine batches"),
        pytest.param([1, 8, 1, 8, 1, 8, 1, 8], 10.0, id="large batches and small in turns"),
        pytest.param([2] * 9 + [8] * 9, 10.0, id="nine batches are remembered"),
    ],
)
def test_what_three_in_four_batches_take_is_usual(took_s: list[float], wait_s: float) -> None:
    assert after_batches(*took_s).expected().wait_s == pytest.approx(wait_s)


def test_batches_that_ran_together_count_as_one() -> None:
    callers = ReturningCallers()
    for ended_at in (0.0, 0.01):
        callers.ended(4, 1.0, ended_at, replicas=1, ran_s=1.0)
    assert callers.expected().missing == 8
    come(callers, 8, 2.0)
    assert callers.expected().usual_s == 2.0
