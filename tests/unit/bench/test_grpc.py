"""The gRPC bench: its ratios, and what it says of them."""

from __future__ import annotations

import pytest

from bench.grpc import AIM, OURS, OURS_HTTP, TRITONS, Measurement, ratios, results


def measured(label: str, *rates: float) -> list[Measurement]:
    return [Measurement(label, number, rate, 10.0, 20.0, 1.0) for number, rate in enumerate(rates)]


def test_ratios_are_taken_within_a_round() -> None:
    both = [*measured(OURS, 200, 300), *measured(TRITONS, 100, 200)]
    assert ratios(both, OURS, TRITONS) == [2.0, 1.5]


@pytest.mark.parametrize(("rate", "failed"), [(100 * AIM, False), (100, True)], ids=["met", "not"])
def test_an_aim_that_is_not_met_fails(rate: float, failed: bool) -> None:
    all_ = [*measured(OURS, rate), *measured(OURS_HTTP, 100), *measured(TRITONS, 100)]
    assert results(all_, 64, 6, 1).failed is failed
