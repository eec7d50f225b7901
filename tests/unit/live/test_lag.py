"""How late events are, by the arrival of the last sample that they tell of."""

from __future__ import annotations

import pytest

from deployments.live.events import TranscriptDelta, TurnDone
from deployments.live.lag import Arrivals, Lag, figures
from tests.support.clock import VirtualClock


def test_figures_are_of_nearest_rank_and_a_slope_by_least_squares() -> None:
    found = figures([(float(second), 1.0 + 0.1 * second) for second in range(20)])
    assert found is not None
    assert found.p50_s == pytest.approx(1.9)
    assert found.p95_s == pytest.approx(2.8)
    assert found.slope == pytest.approx(0.1)
    assert found.events == 20
    assert figures([]) is None


def test_arrivals_are_found_by_place() -> None:
    arrivals = Arrivals()
    for number in range(10):
        arrivals.add(1.0 * (number + 1), now=100.0 + number)
    assert arrivals.at(0.2) == 100.0
    assert arrivals.at(1.0) == 100.0
    assert arrivals.at(1.1) == 101.0
    assert arrivals.at(99.0) == 109.0  # not received yet: the last that was
    assert Arrivals().at(1.0) is None


def test_tiny_chunks_and_long_sessions_keep_a_bounded_memory() -> None:
    arrivals = Arrivals()
    for number in range(200_000):
        arrivals.add(number * 0.01, now=number * 0.01)
    assert len(arrivals._at) <= 6_001
    assert arrivals.at(1_999.0) == pytest.approx(1_999.0, abs=0.11)


async def test_a_minute_is_kept_of_what_has_text() -> None:
    clock, noted = VirtualClock(), list[tuple[str, float]]()
    lag = Lag(clock, lambda stage, lag_s: noted.append((stage, lag_s)))
    lag.received(1.0)
    await clock.advance(2.0)
    lag.told(TranscriptDelta(0, "Hi", 0.0, 1.0, "en"))
    lag.told(TurnDone(0, "", 0.0, 1.0, "en", 1.0, 0.0, 0.0))
    assert lag.figures()["recognised"].p95_s == 2.0
    await clock.advance(61.0)
    assert lag.figures() == {}
    assert noted == [("recognised", 2.0)]
