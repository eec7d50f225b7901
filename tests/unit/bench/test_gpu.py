"""The bench on a GPU: what it reckons, what it says, and that a part's failure is named."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.gpu import report, served_report
from bench.gpu.__main__ import PARTS, Part, Run, arguments, run_all
from bench.gpu.ceilings import Ceilings
from bench.gpu.measure import Found, OutOfTimeError, Row, Setup, bounded, busy_ms
from bench.results import Spread

REPOSITORY = Path(__file__).parents[3]
ROW = Row("ECAPA-TDNN", "float32, launched", 32, "1 s", "float32", Spread(10.0, 9.0, 12.0, 3))
CEILINGS = Ceilings({"float32": 50.0, "float16": 500.0}, copy_gb_s=2000.0)


def events(*spans: tuple[str, float, float, bool]) -> Any:
    return SimpleNamespace(
        events=lambda: [
            SimpleNamespace(
                device_type=SimpleNamespace(name=device),
                time_range=SimpleNamespace(start=start, end=end),
                is_user_annotation=is_annotation,
            )
            for device, start, end, is_annotation in spans
        ]
    )


@pytest.mark.parametrize(
    ("spans", "expected_ms"),
    [
        pytest.param([], 0.0, id="nothing"),
        pytest.param([("CUDA", 0, 1000, False), ("CUDA", 2000, 3000, False)], 2.0, id="apart"),
        pytest.param([("CUDA", 0, 2000, False), ("CUDA", 1000, 3000, False)], 3.0, id="at once"),
        pytest.param([("CUDA", 0, 3000, False), ("CUDA", 1000, 2000, False)], 3.0, id="inside"),
        pytest.param([("CPU", 0, 1000, False), ("CUDA", 0, 9000, True)], 0.0, id="no kernels"),
    ],
)
def test_the_device_is_busy_while_any_kernel_runs(
    spans: list[tuple[str, float, float, bool]], expected_ms: float
) -> None:
    assert busy_ms(events(*spans)) == pytest.approx(expected_ms)


@pytest.mark.parametrize(
    ("row", "expected_ms"),
    [
        pytest.param(ROW, None, id="nothing known"),
        pytest.param(replace(ROW, gflop=100.0), 2.0, id="products"),
        pytest.param(replace(ROW, gbytes=1.0), 0.5, id="weights"),
        pytest.param(replace(ROW, gflop=100.0, gbytes=8.0), 4.0, id="the larger of both"),
        pytest.param(replace(ROW, gflop=100.0, precision="bfloat16"), None, id="no such ceiling"),
    ],
)
def test_the_limit_is_what_products_or_weights_would_take(
    row: Row, expected_ms: float | None
) -> None:
    assert CEILINGS.limit_ms(row) == expected_ms


def test_what_has_had_its_time_is_stopped() -> None:
    with pytest.raises(OutOfTimeError), bounded(0.05):
        time.sleep(60)


def test_a_limit_ends_with_its_part() -> None:
    with bounded(60):
        pass

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], Part]:
    def of(function: Callable[..., Any]) -> Part:
        module = SimpleNamespace(work=function)
        monkeypatch.setitem(sys.modules, "bench.gpu.of_a_test", module)
        return Part("of_a_test", "work", 60)

    return of


def run_of(tmp_path: Path, budget_s: float = 60.0) -> Run:
    return Run(Setup(False, tmp_path, 1), time.monotonic() + budget_s, 1.0, {}, {}, {})


def test_a_part_that_fails_is_named_and_keeps_what_it_found(
    tmp_path: Path, part: Callable[[Callable[..., Any]], Part]
) -> None:
    def work(setup: Setup, found: Found) -> None:
        found.add(ROW)
        raise ValueError("no such kernel")

    run = run_of(tmp_path)
    run.run("speaker", part(work))

    assert run.skipped["speaker"] == "failed: ValueError: no such kernel"
    assert run.found["speaker"].rows == [ROW]
    assert "no such kernel" in run.found["speaker"].raw["traceback"]


def test_what_the_budget_does_not_hold_is_skipped(
    tmp_path: Path, part: Callable[[Callable[..., Any]], Part]
) -> None:
    run = run_of(tmp_path, budget_s=1.0)

    run.run("speaker", part(lambda setup, found: pytest.fail("it ran")))

    assert "budget" in run.skipped["speaker"]


def test_a_second_card_is_written_beside_the_first(tmp_path: Path) -> None:
    spent = ["--budget-s", "0", "--only", "silero", "--out", str(tmp_path)]

    run_all(arguments(spent), tmp_path, "NVIDIA L4")
    run_all(arguments([*spent, "--name", "gpu-h200"]), tmp_path, "NVIDIA H200")

    titles = {path.name: json.loads(path.read_text())["title"] for path in tmp_path.iterdir()}
    assert titles == {
        "gpu.json": "Every model on NVIDIA L4",
        "gpu-h200.json": "Every model on NVIDIA H200",
    }


def test_without_a_gpu_it_says_so() -> None:
    said = report.results({"ecapa": Found([ROW])}, {}, {"ecapa": 1.0}, Ceilings(), None)

    assert list(said.findings) == [report.NOT_ON_GPU]
    assert report.NOT_ON_GPU in said.notes


def test_findings_compare_rows_of_one_run() -> None:
    captured = replace(ROW, variant="float32, captured", wall_ms=Spread(5.0, 4.0, 6.0, 3))

    said = report.findings([ROW, captured], {})

    assert said == [
        "ECAPA-TDNN, 32 clips of 1 s: 20 times faster than today's service says of itself "
        "(float32, captured).",
        "ECAPA-TDNN, 32 x 1 s: float32, captured takes 0.50 of the time of float32, launched.",
    ]


@pytest.mark.parametrize("name", PARTS)
def test_each_part_is_where_the_table_says(name: str) -> None:
    part = PARTS[name]
    source = (REPOSITORY / f"bench/gpu/{part.module}.py").read_text()

    assert f"def {part.function}(setup: Setup, found: Found)" in source


def test_a_part_whose_packages_are_not_there_is_skipped_by_name(
    tmp_path: Path, part: Callable[[Callable[..., Any]], Part]
) -> None:
    run = run_of(tmp_path)

    run.run("served", replace(part(lambda setup, found: None), needs=("no_such_package", "sys")))

    assert run.skipped["served"] == "skipped: no_such_package not installed"


def test_what_a_part_found_in_its_own_process_comes_back_whole() -> None:
    own, parent = Found([ROW], {"lines": [1]}, ["a note"]), Found()

    parent.take(json.loads(json.dumps(own.as_raw())))

    assert (parent.rows, parent.raw, parent.notes) == ([ROW], {"lines": [1]}, ["a note"])


def test_a_model_is_told_beside_the_cpu_where_it_ran_on_both() -> None:
    cuda = replace(ROW, model="Piper medium", batch_size=8, wall_ms=Spread(100.0, 90.0, 120.0, 3))
    alone = replace(cuda, on="cpu", batch_size=1)
    together = replace(cuda, on="cpu", wall_ms=Spread(400.0, 390.0, 420.0, 3))

    (said,) = (line for line in report.findings([cuda, alone, together], {}) if "CUDA" in line)

    assert said == (
        "Piper medium, 8 at a time: 80 items/s on CUDA, 4.0 times those of the CPU, 8.0 times "
        "those of the CPU one at a time."
    )


LINE = {"work": "speaker, 1 s", "model": "speaker", "callers": 64, "mean_batch": 21.4}
LINE |= {"p50_ms": 9.0, "p95_ms": 20.0, "ingress_cpu": 0.8, "model_cpu": 1.1, "callers_cpu": 0.1}


def test_what_is_served_is_told_as_a_share_of_the_best_batch_in_process() -> None:
    captured = replace(ROW, variant="float16, captured")  # 3,200 items/s
    slower = replace(captured, batch_size=1)
    raw = {"lines": [{**LINE, "requests_a_s": 1600.0}], "gpu_under_load": {}}

    assert served_report.findings(raw, [ROW, captured, slower]) == [
        "Served, speaker, 1 s: 1,600 requests/s at 64 callers, 0.50 of the same model called "
        "in-process with its best batch (32: 3,200/s); 21.4 items a batch."
    ]
    assert "in-process" not in served_report.findings(raw, [])[0]
    (table,) = served_report.tables(raw, [captured])
    assert table.rows[0][:7] == ["speaker, 1 s", 64, 1600.0, 9.0, 20.0, 21.4, 0.5]
