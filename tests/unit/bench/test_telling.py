"""The tables and findings of benches that need a server: made of figures that are known."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from bench import endurance, fair, first_audio, graph, libraries, stages
from bench.growth import long_audio, scale
from bench.libraries import Job
from bench.memory import ALL_KINDS, Held
from bench.render import parsed
from bench.results import Results
from dragoman_client import Voice


def of_graph() -> Results:
    served = {1: graph.Seen([2.0], [0.5] * 4), 8: graph.Seen([6.0], [1.3] * 8)}
    sequence, threads = graph.Seen([1.5], [0.7] * 4), graph.Seen([2.0], [4.0] * 8)
    figures = graph.Figures("en to pt, text", 5.0, served, sequence, threads, [(0.5, 1.0)])
    return graph.results([figures])


def of_first_audio() -> Results:
    streamed = first_audio.Streamed((0.5, 1.0), (24_000, 48_000))
    voices = {
        language: Voice(f"{language}-voice", language, "piper", "tts", 24_000)
        for language in first_audio.TEXTS
    }
    pairs = {language: [first_audio.Pair(streamed, 2.0)] for language in first_audio.TEXTS}
    return first_audio.results(pairs, [streamed], voices)


def of_fair() -> Results:
    alone, beside = fair.Clip(10.0, 200.0, 0.0), fair.Clip(20.0, 700.0, 1.0)
    taken = fair.Round([alone], [beside], {"asr": 1.0, "vad": 0.1}, 30.0)
    return fair.results([taken], 120.0, [20, 3, 300, 500, 310, 1.5])


def of_endurance() -> Results:
    outcomes = endurance.Outcomes()
    outcomes.ended["right"]["speech"] += 7
    outcomes.ended["lost"]["speech"] += 1
    args = argparse.Namespace(minutes=1.0, callers=8)
    return endurance.results(outcomes, {"asr": 300.0}, {"asr": 301.0, "nmt": 5.0}, args)


def of_scale() -> Results:
    def scaled(models: int, replicas: int, pss_mb: float) -> scale.Scaled:
        held = dict.fromkeys(ALL_KINDS, Held(1, pss_mb, pss_mb / 2))
        return scale.Scaled(f"{models} x {replicas}", models, replicas, 5.0 * models, held)

    return scale.results([scaled(1, 1, 100.0), scaled(4, 1, 130.0), scaled(1, 4, 120.0)])


def of_long_audio() -> Results:
    def long(minutes: int) -> long_audio.Long:
        mb = (100.0, 100.0 + 2 * minutes, 101.0)
        return long_audio.Long("transcription", minutes, 6.0 * minutes, mb, mb, [3.0], [1.0], 9)

    return long_audio.results([long(1), long(10)])


def of_stages() -> Results:
    seen = stages.Seen([90.0], [7.5], [0.1], [0.9], [0.2], [{"nmt": 8.0, "Ingress": 1.0, "x": 2.0}])
    served = dict.fromkeys(stages.QUICK.callers, seen)
    figures = stages.Figures("nmt", "nmt", {1: 20.0, 8: 95.0}, [100.0], [20.0], served)
    return stages.told([figures], stages.QUICK, replicas=1)


TOLD: dict[str, tuple[Callable[[], Results], str]] = {
    "graph": (of_graph, "8 callers get 3.00 (3.00 to 3.00) times the throughput of 8 threads"),
    "first audio": (of_first_audio, "is there after 25% (25% to 25%) of the time of the whole"),
    "fair": (of_fair, "decoding takes 2.0 times as long as alone"),
    "endurance": (of_endurance, "8 callers had 8 requests answered or refused, 0 of them wrongly"),
    "scale": (of_scale, "4 models hold 1.30 times the memory of 1 (50 MB PSS each more)"),
    "long audio": (of_long_audio, "10 times the audio takes 10.0 times the time"),
    "stages": (of_stages, "32 callers get 0.90 (0.90 to 0.90) of the in-process limit"),
}


@pytest.mark.parametrize(("made", "finding"), TOLD.values(), ids=TOLD)
def test_figures_are_told(made: Callable[[], Results], finding: str) -> None:
    assert any(finding in said for said in made().findings), made().findings


@pytest.mark.parametrize("made", [made for made, _ in TOLD.values()], ids=TOLD)
def test_what_is_written_can_be_read_for_the_page(made: Callable[[], Results]) -> None:
    results = made()
    content: dict[str, Any] = json.loads(json.dumps(asdict(results)))
    assert [len(table.rows) for table in parsed(content).tables] == [
        len(table.rows) for table in results.tables
    ]
    assert all(len(row) == len(table.columns) for table in results.tables for row in table.rows)


def test_a_lost_request_fails_the_endurance_bench() -> None:
    assert of_endurance().failed


class Libraries:
    """Counts what is translated."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def translate(self, job: Job) -> None:
        self.jobs.append(job)


@pytest.mark.parametrize("callers", [1, 4])
def test_libraries_are_called_by_so_many_threads(
    callers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = Libraries()
    monkeypatch.setattr(libraries, "_libraries", called, raising=False)
    jobs = [Job(np.zeros(1600, np.int16), "en", "pt", None) for _ in range(3)]

    rate, took_s = libraries._in_sequence(jobs, callers, counted=6)

    assert (len(took_s), rate > 0, len(called.jobs) >= 6) == (6, True, True)
