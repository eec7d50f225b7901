"""What the graph could do at best, by the times of its stages; and the bench's virtual clock."""

from __future__ import annotations

import pytest

from bench.graph_waste import virtual
from bench.graph_waste.profiles import GPU, Stage, bound, reachable


def test_the_bound_is_the_slowest_stage_with_full_batches() -> None:
    stages = {"a": Stage(100, 0, 10), "b": Stage(100, 100, 2, items=2), "c": Stage(1, 1, 1)}
    assert bound(stages) == pytest.approx(2 / 0.3 / 2)


def test_few_callers_reach_what_their_own_way_takes() -> None:
    stages = {"a": Stage(100, 0, 10), "b": Stage(300, 0, 10), "aside": Stage(50, 0, 10, aside=True)}
    assert reachable(stages, 1) == pytest.approx(1 / 0.4)
    assert reachable(stages, 20) == pytest.approx(bound(stages))


def test_callers_of_the_graph_reach_most_of_it_on_the_virtual_clock() -> None:
    rate, batches = virtual.run(GPU, 8)
    assert 0.8 * reachable(GPU, 8) < rate < bound(GPU)
    assert batches["nmt"] > batches["asr"] > 1  # two sentences each
