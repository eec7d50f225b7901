"""The simulation of several ingresses, and the plan of machines that stands in the docs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.results import markdown
from bench.scaling import plan
from bench.scaling.cluster import Cluster, Sleeper
from bench.scaling.simulation import simulate
from load.steps import Load

MODEL = Sleeper(fixed_ms=40, row_ms=0.5, rows=16)
ANSWERS = 600
LOADS = {
    "as many callers as a batch has rows": Load("closed", 16),
    "twice as many": Load("closed", 32),
    "four times as many": Load("closed", 64),
    "an open loop at 80 %": Load("open", 0.8 * MODEL.capacity),
}


def rows(load: Load, ingresses: int, *, gathers: bool) -> float:
    return simulate(Cluster(MODEL, ingresses=ingresses, gathers=gathers), load, ANSWERS).rows


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_batches_of_four_ingresses_are_as_large_as_those_of_one(load: Load) -> None:
    assert rows(load, 4, gathers=True) >= 0.95 * rows(load, 1, gathers=False)


def test_batches_that_run_alone_shrink() -> None:
    load = LOADS["as many callers as a batch has rows"]
    assert rows(load, 4, gathers=False) < 0.5 * rows(load, 1, gathers=False)


def test_one_ingress_gets_what_the_model_can_do() -> None:
    carried = simulate(Cluster(MODEL), Load("closed", 64), ANSWERS)
    assert carried.requests_s == pytest.approx(MODEL.capacity, rel=0.1)
    assert carried.rows == 16


def test_nodes_add_up_where_connections_stay() -> None:
    cluster = Cluster(MODEL, nodes=3, spread="connections")
    carried = simulate(cluster, Load("closed", 4 * 3 * 16), 3 * ANSWERS)
    assert carried.requests_s >= 0.9 * cluster.capacity


def test_a_stage_is_interpolated_between_what_was_measured() -> None:
    took = {rows: rows / replace(plan.TTS, rows=rows).rate() for rows in (8, 16, 32)}
    assert took[16] == pytest.approx(took[8] + (took[32] - took[8]) / 3)


def test_the_others_carry_a_lost_region() -> None:
    found = plan.plan(1_000_000)
    regions = plan.Assumed().regions
    assert found.with_spare / regions * (regions - 1) >= found.machines


def test_the_page_has_the_plan() -> None:
    page = (Path(__file__).parents[3] / "docs/scaling.md").read_text()
    for table in plan.tables(*plan.USERS):
        assert markdown(table) in page
