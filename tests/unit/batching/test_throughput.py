"""What is known of a model's speed: learned from full batches, and never stuck too high."""

from __future__ import annotations

import pytest

from deployments.batching.estimates.throughput import Pace, is_too_long


def ran(pace: Pace, now: float, took_s: float, cost: float, *, is_full: bool = True) -> float:
    """One batch after another; the time after it."""
    pace.sent(cost, now)
    pace.came_back(cost, int(cost), is_full=is_full, now=now + took_s)
    return now + took_s


def test_nothing_is_expected_before_a_full_batch_has_run() -> None:
    pace = Pace()
    now = ran(pace, 0.0, 5.0, cost=1, is_full=False)
    assert pace.needs_s(100, now) == 0.0


def test_a_full_batch_tells_seconds_a_cost() -> None:
    pace = Pace()
    now = ran(pace, 0.0, 2.0, cost=8)
    assert pace.needs_s(4, now) == pytest.approx(1.0)


def test_before_a_full_batch_has_run_a_guess_tells() -> None:
    pace = Pace()
    pace.guess(4.0, 8.0, items=4)
    assert pace.needs_s(2.0, now=0.0) == pytest.approx(1.0)


def test_the_last_guess_tells_whatever_batches_with_room_took() -> None:
    pace = Pace()
    pace.guess(4.0, 8.0, items=4)
    now = ran(pace, 0.0, 0.1, cost=2, is_full=False)
    pace.guess(8.0, 8.0, items=4)
    assert pace.is_guessed
    assert pace.needs_s(2.0, now) == pytest.approx(2.0)


def test_the_first_full_batch_takes_the_place_of_a_guess() -> None:
    pace = Pace()
    pace.guess(4.0, 8.0, items=4)
    pace.sent(8.0, now=0.0)
    pace.came_back(8.0, 4, is_full=True, now=16.0)
    assert not pace.is_guessed
    assert pace.needs_s(2.0, now=16.0) == pytest.approx(4.0)


def test_a_batch_with_room_that_is_slower_an_item_tells_nothing() -> None:
    pace = Pace()
    now = ran(pace, 0.0, 2.0, cost=8)
    now = ran(pace, now, 1.5, cost=1, is_full=False)
    assert pace.needs_s(4, now) == pytest.approx(1.0)


def test_what_is_in_flight_comes_first_less_what_has_run() -> None:
    pace = Pace()
    now = ran(pace, 0.0, 2.0, cost=8)
    pace.sent(8, now)
    pace.sent(8, now)
    assert pace.needs_s(8, now + 0.5) == pytest.approx(2.0 + 2.0 - 0.5 + 2.0)


def test_a_pause_is_no_batch_s_time() -> None:
    pace = Pace()
    for cost in (0.1, 0.2, 0.3):  # their sum less each of them is not 0
        pace.sent(cost, 0.0)
    for cost in (0.1, 0.2, 0.3):
        pace.came_back(cost, 1, is_full=False, now=1.0)
    now = ran(pace, 3600.0, 2.0, cost=8)
    assert pace.needs_s(8, now) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("reached_at", "back_at"),
    [
        pytest.param(14.0, 16.0, id="a-wait-for-one-to-start-is-left-out"),
        pytest.param(0.5, 2.0, id="the-way-to-one-counts"),
    ],
)
def test_a_batch_s_time_at_a_replica(reached_at: float, back_at: float) -> None:
    pace = Pace()
    pace.sent(8, 0.0)
    pace.reached_a_replica(reached_at)
    pace.came_back(8, 8, is_full=True, now=back_at)
    assert pace.needs_s(8, back_at) == pytest.approx(2.0)


def test_the_wait_behind_another_batch_is_that_one_s_time() -> None:
    pace = Pace()
    pace.sent(8, 0.0)
    pace.sent(8, 0.5)
    pace.came_back(8, 8, is_full=True, now=2.0)
    pace.reached_a_replica(0.5)
    pace.came_back(8, 8, is_full=True, now=4.0)
    assert pace.needs_s(8, 4.0) == pytest.approx(2.0)


def test_two_batches_at_once_count_as_one_model() -> None:
    pace = Pace()
    pace.sent(8, 0.0)
    pace.sent(8, 0.0)
    pace.came_back(8, 8, is_full=True, now=2.0)
    pace.came_back(8, 8, is_full=True, now=2.0)
    assert pace.needs_s(8, 2.0) == pytest.approx(1.0, rel=0.1)  # the later counts more


def test_a_slow_batch_does_not_refuse_for_ever() -> None:
    """Batches with room mend it: who is refused makes none that are full."""
    pace = Pace()
    now = ran(pace, 0.0, 14.0, cost=1)  # its replica died
    for _ in range(60):
        now = ran(pace, now, 0.01, cost=1, is_full=False)
    assert pace.needs_s(1, now) < 0.05


def test_what_gave_up_tells_nothing_and_is_in_nobody_s_way() -> None:
    pace = Pace()
    now = ran(pace, 0.0, 2.0, cost=8)
    pace.sent(8, now)
    pace.given_up(8)
    assert pace.needs_s(8, now + 60) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("after_s", "needs_s"),
    [(1.0, 2.0), (4.0, 3.05)],  # 0.9 x 2 + 4 for 0.9 x 8 + 8
    ids=["sooner than known", "later than known"],
)
def test_what_hung_takes_at_least_that_long(after_s: float, needs_s: float) -> None:
    pace = Pace()
    now = ran(pace, 0.0, 2.0, cost=8)
    pace.sent(8, now)
    pace.hung(8, 8, now + after_s)
    assert pace.needs_s(8, now + after_s) == pytest.approx(needs_s, rel=0.01)


def shared() -> tuple[Pace, float]:
    """A full batch was four items of 3 and took 12 s."""
    pace = Pace()
    pace.sent(12.0, 0.0)
    pace.came_back(12.0, 4, is_full=True, now=12.0)
    return pace, 12.0


@pytest.mark.parametrize(
    ("before", "own", "wait_s"),
    [(0, None, 3), (0, 5.0, 5), (4, None, 4 + 3 + 4), (30, None, 30 + 3 + 9)],
    ids=["its usual cost", "its own", "as many beside it as wait", "a full batch at most"],
)
def test_a_wait_is_for_the_queue_and_for_who_shares_its_batch(
    before: float, own: float | None, wait_s: float
) -> None:
    pace, now = shared()
    assert pace.wait_s(before, own, now) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    ("expected_s", "left_s", "refused"),
    [(0.0, 0.0, False), (0.9, 1.0, True), (0.7, 1.0, False)],
    ids=["nothing expected", "too near the deadline", "with headroom"],
)
def test_a_wait_in_vain(expected_s: float, left_s: float, refused: bool) -> None:
    assert is_too_long(expected_s, left_s) == refused
