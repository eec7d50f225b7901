"""NVIDIA's perf_analyzer as it is on PyPI, on real models and real speech: it ends well."""

from __future__ import annotations

import csv
import itertools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench import perf_analyzer
from tests.support.server import Running

WITHIN_S = 240
WINDOW = ("--measurement-mode", "count_windows", "--measurement-request-count", "4")
COUNTED = ("Inferences/Second", "Server Queue", "Server Compute Infer")  # the latter two by us


@dataclass(frozen=True)
class Run:
    """What is measured, and at which loads."""

    model: str
    load: tuple[str, ...]
    loads: int  # how many of them
    steps: tuple[str, ...] = ()  # of an ensemble
    protocol: str = "http"


RUNS = {
    "speaker-by-callers": Run("speaker", ("--concurrency-range", "1:4:3"), 2),
    "speaker-rows": Run("speaker", ("--concurrency-range", "2", "-b", "3"), 1),
    "speaker-asynchronous": Run("speaker", ("--concurrency-range", "4", "--async"), 1),
    "speaker-shared-memory": Run(
        "speaker", ("--concurrency-range", "2", "--shared-memory", "system"), 1
    ),
    "vad-as-json": Run("vad", ("--input-tensor-format", "json"), 1),
    "asr-by-rate": Run("asr", ("--request-rate-range", "2"), 1),
    "nmt-by-rate": Run("nmt", ("--request-rate-range", "5:10:5"), 2),
    "tts-by-callers": Run("tts-en", ("--concurrency-range", "2"), 1),
    "speaker-over-grpc": Run("speaker", ("--concurrency-range", "4"), 1, protocol="grpc"),
    "speaker-in-streams": Run(
        "speaker", ("--concurrency-range", "4", "--streaming"), 1, protocol="grpc"
    ),
    "graph-by-callers": Run(
        "speech_translation",
        ("--concurrency-range", "2", "--request-count", "4"),
        1,
        ("vad", "asr", "nmt", "tts"),
    ),
}


@pytest.fixture(scope="module")
def program() -> list[str]:
    try:
        return perf_analyzer.command()
    except perf_analyzer.NotToBeHad as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_model_is_measured(program: list[str], server: Running, tmp_path: Path, run: Run) -> None:
    report = tmp_path / "report.csv"
    address = server.grpc_address if run.protocol == "grpc" else urlsplit(server.url).netloc
    window = () if "--request-count" in run.load else WINDOW
    done = subprocess.run(
        [
            *(*program, "-m", run.model, "-i", run.protocol, "-u", address, *run.load, *window),
            *("--stability-percentage", "999"),  # whatever the first windows say is the answer
            *("--input-data", str(perf_analyzer.write_inputs(run.model, tmp_path))),
            *("-f", str(report), "--verbose-csv"),
        ],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    with report.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == run.loads
    for row, name in itertools.product(rows, COUNTED):
        assert float(row[name]) > 0, name
    for step in run.steps:
        assert re.search(rf"  {step}, version: 1\n +Inference count: [1-9]", done.stdout), step
