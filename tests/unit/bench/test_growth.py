"""The growth bench: goodput as a share of its peak, and the kinds of processes."""

from __future__ import annotations

import pytest

from bench.growth.swept import Step, Swept, finding, table
from bench.memory import INGRESS, RAY, REPLICAS, kind_of


def step(multiple: float, goodput_rps: float, refused: int = 0) -> Step:
    latencies_ms, refusals_ms = [100.0] * 10, [4.0] * refused
    requests = len(latencies_ms) + refused
    figures = (multiple, 10 * multiple, requests, 10, goodput_rps, latencies_ms, refusals_ms)
    return Step(*figures, 0, 0, [1.0] * refused, {}, 0.0, 0.1)


SWEPT = Swept("nmt", (1.0, 3.0), 10.0, 200.0, [step(1.0, 10.0), step(3.0, 9.0, refused=10)])


def test_goodput_is_told_as_a_share_of_its_peak() -> None:
    assert finding(SWEPT) == (
        "nmt: at 3 times the capacity offered, goodput is 0.90 (0.90 to 0.90) of its peak; p99 of "
        "the answers is 0.50 of the deadline, that of the refusals 0.02."
    )


def test_a_load_is_a_row() -> None:
    found = table(SWEPT)
    row = dict(zip(found.columns, found.rows[1], strict=True))
    assert (row["refused at once"], row["failed"], row["Retry-After s"]) == ("50%", "0%", "1")


def test_what_did_not_happen_has_no_figure() -> None:
    found = table(SWEPT)
    row = dict(zip(found.columns, found.rows[0], strict=True))
    assert (row["refusals p99 ms"], row["Retry-After s"]) == (None, None)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        pytest.param("ray::ServeReplica:dragoman:Ingress", INGRESS, id="ingress"),
        pytest.param("ray::ServeReplica:asr-1f:asr.infer", REPLICAS, id="replica"),
        pytest.param("python /x/deployments/serve/watchdog_process.py 5", REPLICAS, id="watchdog"),
        pytest.param("python -m deployments.cli serve --config x.yaml", "launcher", id="launcher"),
        pytest.param("/x/raylet --a", RAY, id="raylet"),
    ],
)
def test_a_process_has_a_kind(command: str, kind: str) -> None:
    assert kind_of(command) == kind
