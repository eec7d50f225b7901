"""What is known of a model's speed: learned from full batches, and never stuck too high."""

from __future__ import annotations

import pytest

from deployments.batching.estimates.throughput import Throughput, is_too_long


def ran(
    throughput: Throughput, now: float, took_s: float, cost: float, *, is_full: bool = True
) -> float:
    """One batch after another; the time after it."""
    throughput.sent(cost, now)
    throughput.came_back(cost, int(cost), is_full=is_full, now=now + took_s)
    return now + took_s


def test_nothing_is_expected_before_a_full_batch_has_run() -> None:
    throughput = Throughput()
    now = ran(throughput, 0.0, 5.0, cost=1, is_full=False)
    assert throughput.needs_s(100, now) == 0.0


def test_a_full_batch_tells_seconds_a_cost() -> None:
    throughput = Throughput()
    now = ran(throughput, 0.0, 2.0, cost=8)
    assert throughput.needs_s(4, now) == pytest.approx(1.0)


def test_before_a_full_batch_has_run_a_guess_tells() -> None:
    throughput = Throughput()
    throughput.guess(4.0, 8.0, items=4)
    assert throughput.needs_s(2.0, now=0.0) == pytest.approx(1.0)


def test_the_last_guess_tells_whatever_batches_with_room_took() -> None:
    throughput = Throughput()
    throughput.guess(4.0, 8.0, items=4)
    now = ran(throughput, 0.0, 0.1, cost=2, is_full=False)
    throughput.guess(8.0, 8.0, items=4)
    assert throughput.is_guessed
    assert throughput.needs_s(2.0, now) == pytest.approx(2.0)


def test_the_first_full_batch_takes_the_place_of_a_guess() -> None:
    throughput = Throughput()
    throughput.guess(4.0, 8.0, items=4)
    throughput.sent(8.0, now=0.0)
    throughput.came_back(8.0, 4, is_full=True, now=16.0)
    assert not throughput.is_guessed
    assert throughput.needs_s(2.0, now=16.0) == pytest.approx(4.0)


def test_a_batch_with_room_that_is_slower_an_item_tells_nothing() -> None:
    throughput = Throughput()
    now = ran(throughput, 0.0, 2.0, cost=8)
    now = ran(throughput, now, 1.5, cost=1, is_full=False)
    assert throughput.needs_s(4, now) == pytest.approx(1.0)


def test_what_is_in_flight_comes_first_less_what_has_run() -> None:
    throughput = Throughput()
    now = ran(throughput, 0.0, 2.0, cost=8)
    throughput.sent(8, now)
    throughput.sent(8, now)
    assert throughput.needs_s(8, now + 0.5) == pytest.approx(2.0 + 2.0 - 0.5 + 2.0)


def test_a_pause_is_no_batch_s_time() -> None:
    throughput = Throughput()
    for cost in (0.1, 0.2, 0.3):  # their sum less each of them is not 0
        throughput.sent(cost, 0.0)
    for cost in (0.1, 0.2, 0.3):
        throughput.came_back(cost, 1, is_full=False, now=1.0)
    now = ran(throughput, 3600.0, 2.0, cost=8)
    assert throughput.needs_s(8, now) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("reached_at", "back_at"),
    [
        pytest.param(14.0, 16.0, id="a-wait-for-one-to-start-is-left-out"),
        pytest.param(0.5, 2.0, id="the-way-to-one-counts"),
    ],
)
def test_a_batch_s_time_at_a_replica(reached_at: float, back_at: float) -> None:
    throughput = Throughput()
    throughput.sent(8, 0.0)
    throughput.reached_a_replica(reached_at)
    throughput.came_back(8, 8, is_full=True, now=back_at)
    assert throughput.needs_s(8, back_at) == pytest.approx(2.0)


def test_the_wait_behind_another_batch_is_that_one_s_time() -> None:
    throughput = Throughput()
    throughput.sent(8, 0.0)
    throughput.sent(8, 0.5)
    throughput.came_back(8, 8, is_full=True, now=2.0)
    throughput.reached_a_replica(0.5)
    throughput.came_back(8, 8, is_full=True, now=4.0)
    assert throughput.needs_s(8, 4.0) == pytest.approx(2.0)


def test_two_batches_at_once_count_as_one_model() -> None:
    throughput = Throughput()
    throughput.sent(8, 0.0)
    throughput.sent(8, 0.0)
    throughput.came_back(8, 8, is_full=True, now=2.0)
    throughput.came_back(8, 8, is_full=True, now=2.0)
    assert throughput.needs_s(8, 2.0) == pytest.approx(1.0, rel=0.1)  # the later counts more


def test_a_slow_batch_does_not_refuse_for_ever() -> None:
    """Batches with room mend it: who is refused makes none that are full."""
    throughput = Throughput()
    now = ran(throughput, 0.0, 14.0, cost=1)  # its replica died
    for _ in range(60):
        now = ran(throughput, now, 0.01, cost=1, is_full=False)
    assert throughput.needs_s(1, now) < 0.05


def test_what_gave_up_tells_nothing_and_is_in_nobody_s_way() -> None:
    throughput = Throughput()
    now = ran(throughput, 0.0, 2.0, cost=8)
    throughput.sent(8, now)
    throughput.given_up(8)
    assert throughput.needs_s(8, now + 60) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("after_s", "needs_s"),
    [(1.0, 2.0), (4.0, 3.05)],  # 0.9 x 2 + 4 for 0.9 x 8 + 8
    ids=["sooner than known", "later than known"],
)
def test_what_hung_takes_at_least_that_long(after_s: float, needs_s: float) -> None:
    throughput = Throughput()
    now = ran(throughput, 0.0, 2.0, cost=8)
    throughput.sent(8, now)
    throughput.hung(8, 8, now + after_s)
    assert throughput.needs_s(8, now + after_s) == pytest.approx(needs_s, rel=0.01)


def shared() -> tuple[Throughput, float]:
    """A full batch was four items of 3 and took 12 s."""
    throughput = Throughput()
    throughput.sent(12.0, 0.0)
    throughput.came_back(12.0, 4, is_full=True, now=12.0)
    return throughput, 12.0


@pytest.mark.parametrize(
    ("before", "own", "wait_s"),
    [(0, None, 3), (0, 5.0, 5), (4, None, 4 + 3 + 4), (30, None, 30 + 3 + 9)],
    ids=["its usual cost", "its own", "as many beside it as wait", "a full batch at most"],
)
def test_a_wait_is_for_the_queue_and_for_who_shares_its_batch(
    before: float, own: float | None, wait_s: float
) -> None:
    throughput, now = shared()
    assert throughput.wait_s(before, own, now) == pytest.approx(wait_s)


@pytest.mark.parametrize(
    ("expected_s", "left_s", "refused"),
    [(0.0, 0.0, False), (0.9, 1.0, True), (0.7, 1.0, False)],
    ids=["nothing expected", "too near the deadline", "with headroom"],
)
def test_a_wait_in_vain(expected_s: float, left_s: float, refused: bool) -> None:
    assert is_too_long(expected_s, left_s) == refused


def test_batches_that_ran_together_tell_their_time_once() -> None:
    throughput = Throughput()
    now = ran(throughput, 0.0, 2.0, cost=8)
    throughput.sent(4.0, now)
    throughput.sent(4.0, now)
    for after_s in (2.0, 2.01):
        throughput.came_back(4.0, 4, is_full=False, now=now + after_s, ran_s=2.0)
    assert throughput.needs_s(4, now + 2.01) == pytest.approx(1.0)
