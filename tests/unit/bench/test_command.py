"""The benches' command line: what is written, and that what failed is told by the exit code."""

from __future__ import annotations

import argparse
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import command
from bench.results import Results, Table
from bench.serving import BenchFailed, config_of, serving


def results(args: argparse.Namespace) -> Results:
    table = Table.of("numbers", range(args.count), {"n": lambda n: n, "square": lambda n: n * n})
    return Results("some", "Some", ["it is so"], [table], failed=args.fail)


@pytest.fixture(autouse=True)
def sigterm() -> Iterator[None]:
    """Keep this process's own way to be ended."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


OPTIONS = {"count": command.value(3), "fail": command.flag("fails")}


def test_what_was_measured_is_written(tmp_path: Path) -> None:
    command.run("Some.", results, OPTIONS, ["--count", "2", "--folder", str(tmp_path)])

    written = json.loads((tmp_path / "some.json").read_text())
    assert written["tables"] == [
        {"title": "numbers", "columns": ["n", "square"], "rows": [[0, 0], [1, 1]]}
    ]


def test_what_failed_is_written_and_told_by_the_exit_code(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as raised:
        command.run("Some.", results, OPTIONS, ["--fail", "--folder", str(tmp_path)])

    assert raised.value.code == 1
    assert (tmp_path / "some.json").exists()


@pytest.mark.process
def test_a_bench_whose_server_does_not_start_tells_what_the_server_said(tmp_path: Path) -> None:
    def measure(args: argparse.Namespace) -> Results:
        with serving(config_of({"speaker": {"engine": "no-such-engine"}})):
            raise AssertionError("it started")

    with pytest.raises(SystemExit) as raised:
        command.run("Some.", measure, {}, ["--folder", str(tmp_path)])

    assert re.match(r"the bench failed: (?s:.*)no-such-engine", str(raised.value.code))
    assert not list(tmp_path.iterdir())


def test_a_refused_request_fails_a_bench(tmp_path: Path) -> None:
    def measure(args: argparse.Namespace) -> Results:
        raise BenchFailed("503 queue_full: the queue is full")

    with pytest.raises(SystemExit, match="the queue is full"):
        command.run("Some.", measure, {}, ["--folder", str(tmp_path)])
