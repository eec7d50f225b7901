"""The serving-overhead bench: what it reads of wrk, takes for an answer, and concludes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.overhead import environments, protocols, report
from bench.overhead.__main__ import run
from bench.overhead.catalogue import PEERS, REFERENCE, Peer, Start, Way
from bench.overhead.report import COLUMNS, Measurement
from bench.overhead.servers import DidNotServe, await_answer, running
from bench.overhead.wrk import Load, LoadFailed, parse

PLAIN = """\
Running 6s test @ http://127.0.0.1:8400/v2/models/speaker/infer
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    38.18ms    6.04ms  71.24ms   88.10%
    Req/Sec     1.62k   100.41     1.79k    75.00%
  Latency Distribution
     50%   38.02ms
     75%   40.11ms
     90%   44.90ms
     99%   59.60ms
  9702 requests in 6.01s, 9.30MB read
Requests/sec:   1614.31
Transfer/sec:      1.55MB
"""
OVERLOADED = """\
Running 3s test @ http://127.0.0.1:25033/
  1 threads and 256 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.20s   522.08ms   2.83s    83.39%
    Req/Sec   224.21    134.00   467.00     64.29%
  Latency Distribution
     50%  965.66us
     75%    1.40s 
     90%    1.99s 
     99%    2.83s 
  600 requests in 3.00s, 527.31KB read
  Socket errors: connect 1, read 2, write 3, timeout 40
  Non-2xx or 3xx responses: 90
Requests/sec:    200.00
Transfer/sec:    166.36KB
"""  # noqa: W291 - wrk writes these spaces


def test_what_wrk_prints_is_read() -> None:
    load = parse(PLAIN)
    assert load == Load(6.01, 9702, 38.02, 59.6, refusals=0, timeouts=0, socket_errors=0)
    assert load.answers_a_second == pytest.approx(1614.3, abs=0.1)


def test_errors_are_counted_and_are_no_answers() -> None:
    load = parse(OVERLOADED)
    assert (load.refusals, load.timeouts, load.socket_errors, load.errors) == (90, 40, 6, 136)
    assert load.answers_a_second == pytest.approx((600 - 90) / 3)


def test_every_latency_is_in_ms() -> None:
    load = parse(OVERLOADED)
    assert [load.p50_ms, load.p99_ms] == pytest.approx([0.96566, 2_830])


def test_another_output_of_wrk_is_shown() -> None:
    with pytest.raises(LoadFailed, match="no such thing"):
        parse("no such thing")


# ---- answers ---------------------------------------------------------------------------

VECTOR = np.eye(protocols.EMBEDDING_SIZE, dtype=np.float32)[
    int(protocols.clip()[0]) % protocols.EMBEDDING_SIZE
]
RAW = protocols.raw({})
TENSORS = protocols.tensors("AUDIO", "EMBEDDING")
JSON = protocols.base64_json(lambda text: text)
TENSOR_HEADER = b'{"model_name":"speaker"}'
ANSWERS = {
    "raw": (RAW, VECTOR.tobytes()),
    "tensors": (TENSORS, TENSOR_HEADER + VECTOR.tobytes()),
    "json": (JSON, json.dumps({"embedding": VECTOR.tolist()}).encode()),
    "json of a batch": (JSON, json.dumps([VECTOR.tolist()]).encode()),
}
HEADERS = {protocols.HEADER_LENGTH: str(len(TENSOR_HEADER))}


@pytest.mark.parametrize(("protocol", "body"), ANSWERS.values(), ids=ANSWERS)
def test_the_models_answer_is_accepted(protocol: protocols.Protocol, body: bytes) -> None:
    protocols.check(protocol, HEADERS, body)


WRONG = {
    "nothing": (RAW, b"", "0 values"),
    "half a value": (RAW, b"abc", "cannot be read"),
    "too few values": (RAW, VECTOR[:-1].tobytes(), "191 values"),
    "another clip's": (RAW, np.roll(VECTOR, 1).tobytes(), "not those of the clip"),
    "another object": (JSON, b'{"error": "busy"}', "cannot be read"),
    "no json": (JSON, b"<html>", "cannot be read"),
}


@pytest.mark.parametrize(("protocol", "body", "message"), WRONG.values(), ids=WRONG)
def test_another_answer_is_refused(protocol: protocols.Protocol, body: bytes, message: str) -> None:
    with pytest.raises(protocols.WrongAnswer, match=message):
        protocols.check(protocol, HEADERS, body)


def test_a_tensor_request_says_where_its_samples_begin() -> None:
    header = int(TENSORS.headers[protocols.HEADER_LENGTH])
    assert json.loads(TENSORS.body[:header])["inputs"][0]["shape"] == [1, protocols.SAMPLES]
    assert TENSORS.body[header:] == protocols.clip().tobytes()


# ---- what is concluded -----------------------------------------------------------------


def _runs(label: str, rates: Sequence[int], callers: int = 64) -> list[Measurement]:
    return [
        Measurement(label, number, callers, Load(1.0, rate, 30.0, 50.0, 0, 0, 0), cpu_s=0.5)
        for number, rate in enumerate(rates)
    ]


MEASURED = [*_runs(REFERENCE, (1_000, 2_000, 900)), *_runs("mosec", (500, 2_000))]


def test_ratios_pair_the_runs_of_a_round() -> None:
    assert report.ratios(MEASURED, "mosec", 64) == [2.0, 1.0]


def test_ratios_are_of_one_number_of_callers() -> None:
    assert report.ratios([*MEASURED, *_runs("mosec", (1,), callers=8)], "mosec", 8) == []


def test_a_row_has_medians_with_their_spread_and_the_share_of_the_ideal() -> None:
    (table,) = report.results(MEASURED, {}, rounds=3, seconds=1).tables
    row = dict(zip(COLUMNS, next(row for row in table.rows if row[0] == "mosec"), strict=True))
    assert row == {
        "server": "mosec",
        "requests/s": "1,250 (500 to 2,000)",
        "of the ideal": "45%",
        f"{REFERENCE}'s rate / its": "1.50 (1.00 to 2.00)",
        "p50 ms": "30.0 (30.0 to 30.0)",
        "p99 ms": "50.0 (50.0 to 50.0)",
        "errors": "0",
        "CPU ms a request": "0.62 (0.25 to 1.00)",
    }


def test_the_fastest_comes_first() -> None:
    (table,) = report.results(MEASURED, {}, rounds=3, seconds=1).tables
    assert [row[0] for row in table.rows] == ["mosec", REFERENCE]


def test_a_server_that_is_missing_has_a_row_that_says_why() -> None:
    (table,) = report.results(MEASURED, {"BentoML": "no network"}, rounds=3, seconds=1).tables
    assert [row for row in table.rows if "BentoML" in str(row[0])] == [
        ("BentoML: not measured, no network", *[None] * (len(COLUMNS) - 1))
    ]


def test_errors_are_named_in_their_row() -> None:
    bad = [Measurement("mosec", 0, 64, Load(1.0, 0, 0.0, 0.0, 7, 2, 0), cpu_s=0.5)]
    (table,) = report.results(bad, {}, rounds=1, seconds=1).tables
    assert table.rows[0][COLUMNS.index("errors")] == "7 refusals, 2 timeouts"


def test_a_server_that_answered_nothing_has_no_latency() -> None:
    silent = [Measurement("mosec", 0, 64, Load(1.0, 0, 0.0, 0.0, 0, 64, 0), cpu_s=0.5)]
    (table,) = report.results(silent, {}, rounds=1, seconds=1).tables
    row = dict(zip(COLUMNS, table.rows[0], strict=True))
    assert (row["p50 ms"], row["p99 ms"], row["CPU ms a request"]) == (None, None, None)


def test_findings_name_the_nearest_first() -> None:
    measured = [*MEASURED, *_runs("LitServe", (100, 200, 100))]
    (finding,) = report.results(measured, {}, rounds=3, seconds=1).findings
    assert finding.endswith(": mosec 1.50 (1.00 to 2.00); LitServe 10.00 (9.00 to 10.00).")


# ---- servers and environments ----------------------------------------------------------


def test_every_way_has_a_label_of_its_own() -> None:
    labels = [way.label for peer in PEERS for way in peer.ways]
    assert len(labels) == len(set(labels))


@pytest.mark.process
def test_a_server_that_ends_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with (
        pytest.raises(DidNotServe, match=r"exit code 1; its log ends: no such model"),
        running(command, {}, tmp_path) as process,
    ):
        await_answer(process, "http://127.0.0.1:9/", RAW)


def _not_to_be_had() -> Start:
    raise environments.NotToBeHad("no network")


def _ends_at_once() -> Start:
    return Start([sys.executable, "-c", "raise SystemExit('no\\nmemory')"], "http://127.0.0.1:9")


UNMEASURABLE = {
    "not installed": (_not_to_be_had, "no network"),
    "not started": (_ends_at_once, "ended with exit code 1; its log ends: no / memory"),
}


@pytest.mark.process
@pytest.mark.parametrize(("prepare", "why"), UNMEASURABLE.values(), ids=UNMEASURABLE)
def test_a_run_goes_on_without_a_server(prepare: Callable[[], Start], why: str) -> None:
    peer = Peer("absent", (), (Way("Absent", "/", RAW),), prepare, "")
    assert run([peer], callers=[1], seconds=1, rounds=2) == ([], {"Absent": why})
