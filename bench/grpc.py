"""Dragoman over gRPC and HTTP, and Triton over gRPC, under one load of perf_analyzer, in turns.

    python -m bench.grpc [--callers 64] [--seconds 6] [--rounds 3] [--quick]

The first run installs Triton (PyTriton) into an environment of its own in Dragoman's cache, and
fetches perf_analyzer. It does not send optional inputs through shared memory, so that is not
measured here.
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench import command, perf_analyzer
from bench.command import flag, value
from bench.overhead.catalogue import CONFIG, ROOT, Start, triton
from bench.overhead.environments import NotToBeHad
from bench.overhead.protocols import (
    BINARY,
    EMBEDDING_SIZE,
    HEADER_LENGTH,
    SAMPLES,
    Protocol,
    clip,
    tensors,
)
from bench.overhead.servers import CpuClock, DidNotServe, await_answer, running
from bench.results import Aim, Results, Spread, Table
from bench.serving import BenchFailed
from deployments.serve.cleanup_process import adopt_orphans
from deployments.serve.ports import free_port

INFER = "/v2/models/speaker/infer"
AIM = 1.3  # times Triton's requests/s over gRPC
OURS, OURS_HTTP, TRITONS = "Dragoman, gRPC", "Dragoman, HTTP", "Triton (PyTriton), gRPC"
SLACK_S, WARM_UP_S = 60, 2
COLUMNS = ("Inferences/Second", "p50 latency", "p99 latency")  # of perf_analyzer's report


@dataclass(frozen=True)
class Way:
    """One way to ask a server: a row of the table."""

    label: str
    protocol: str  # as perf_analyzer calls it
    address: str


@dataclass(frozen=True)
class Peer:
    """A server that runs for the length of a turn."""

    start: Start
    audio: str  # the names of its tensors
    embedding: str
    ways: Sequence[Way]


@dataclass(frozen=True)
class Measurement:
    """One run of perf_analyzer against one server."""

    label: str
    round: int
    requests_s: float
    p50_ms: float
    p99_ms: float
    cpu_s: float  # of all the server's processes


def bench(options: argparse.Namespace) -> Results:
    adopt_orphans()
    seconds = 3 if options.quick else options.seconds
    rounds = 1 if options.quick else options.rounds
    try:
        program = perf_analyzer.command()
        with tempfile.TemporaryDirectory() as folder:
            peers = [dragoman(Path(folder)), tritons()]
            measured = list(_rounds(program, peers, options.callers, seconds, rounds))
    except (NotToBeHad, perf_analyzer.NotToBeHad, DidNotServe) as error:
        raise BenchFailed(str(error)) from error
    return results(measured, options.callers, seconds, rounds)


# ---- the servers -------------------------------------------------------------------------


def dragoman(folder: Path) -> Peer:
    """Return Dragoman as the overhead bench runs it, with gRPC beside HTTP."""
    config = yaml.safe_load(CONFIG.read_text())
    ingress = config["applications"][0]["args"]["ingress"]
    ingress["grpc"] = {"port": free_port()}
    path = folder / "overhead.yaml"
    path.write_text(yaml.safe_dump(config))
    start = [sys.executable, "-m", "deployments.cli", "serve", "--config", str(path)]
    http, grpc = (f"127.0.0.1:{port}" for port in (ingress["port"], ingress["grpc"]["port"]))
    ways = [Way(OURS, "grpc", grpc), Way(OURS_HTTP, "http", http)]
    return Peer(Start(start, f"http://{http}", ROOT, os.environ), "AUDIO", "EMBEDDING", ways)


def tritons() -> Peer:
    """Return Triton with the same model, which takes the same float32 samples."""
    start = triton()
    python, script, http, grpc, metrics = start.command
    as_floats = Start(
        [python, script, http, grpc, metrics, "float32"],
        start.url,
        start.folder,
        start.environment,
    )
    ways = [Way(TRITONS, "grpc", f"127.0.0.1:{grpc}")]
    return Peer(as_floats, "audio", "embedding", ways)


def floats(audio: str, embedding: str) -> Protocol:
    """Ask over HTTP for the embedding of the clip as float32, to see that it is the model's."""
    samples = _samples()
    of_int16 = tensors(audio, embedding)
    size = {"binary_data_size": samples.nbytes}
    inputs = [{"name": audio, "shape": [1, SAMPLES], "datatype": "FP32", "parameters": size}]
    outputs = [{"name": embedding, "parameters": {"binary_data": True}}]
    header = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    headers = {"Content-Type": BINARY, HEADER_LENGTH: str(len(header))}
    return Protocol(headers, header + samples.tobytes(), of_int16.read)


def _samples() -> np.ndarray[Any, np.dtype[np.float32]]:
    return (clip() / 32768).astype("<f4")


# ---- the load ----------------------------------------------------------------------------


def _rounds(
    program: Sequence[str], peers: Sequence[Peer], callers: int, seconds: int, rounds: int
) -> Iterator[Measurement]:
    """Take all rounds; every second one goes backwards, so that a drift favours nobody."""
    for number in range(rounds):
        for peer in peers if number % 2 == 0 else reversed(peers):
            with running(peer.start.command, peer.start.environment, peer.start.folder) as process:
                await_answer(process, peer.start.url + INFER, floats(peer.audio, peer.embedding))
                for way in peer.ways:
                    _load(program, way, peer.audio, callers, WARM_UP_S)
                for way in peer.ways if number % 2 == 0 else reversed(peer.ways):
                    clock = CpuClock()
                    figures = _load(program, way, peer.audio, callers, seconds)
                    measurement = Measurement(way.label, number, *figures, clock.seconds())
                    print(measurement, flush=True)
                    yield measurement


def _load(
    program: Sequence[str], way: Way, audio: str, callers: int, seconds: int
) -> tuple[float, float, float]:
    """Load a server; return its requests/s, and the median and 99th percentile in ms."""
    with tempfile.TemporaryDirectory() as folder:
        report, data = Path(folder, "report.csv"), Path(folder, "data.json")
        samples = base64.b64encode(_samples().tobytes()).decode()
        data.write_text(json.dumps({"data": [{audio: {"b64": samples, "shape": [SAMPLES]}}]}))
        done = subprocess.run(
            [
                *(*program, "-m", "speaker", "-i", way.protocol, "-u", way.address, "--async"),
                *("--concurrency-range", str(callers), "--input-data", str(data)),
                *("--measurement-interval", str(1000 * seconds), "--stability-percentage", "999"),
                *("-f", str(report), "--verbose-csv"),
            ],
            capture_output=True,
            text=True,
            timeout=10 * seconds + SLACK_S,
        )
        if done.returncode:
            raise DidNotServe(f"perf_analyzer of {way.label}: {(done.stdout + done.stderr)[-500:]}")
        with report.open() as file:
            (row,) = csv.DictReader(file)
        rate, p50_us, p99_us = (float(row[column]) for column in COLUMNS)
        return rate, p50_us / 1000, p99_us / 1000


# ---- the report --------------------------------------------------------------------------


def results(measured: Sequence[Measurement], callers: int, seconds: int, rounds: int) -> Results:
    """Tell what was measured, and whether the aim is met."""
    labels = list(dict.fromkeys(each.label for each in measured))
    ratio = Spread.of(ratios(measured, OURS, TRITONS))
    aim = Aim.at_least(f"{OURS} / {TRITONS}", ratio.median, AIM)
    compared = [f"{OURS} / {TRITONS} {ratio.text(2)}"]
    compared.append(f"{OURS} / {OURS_HTTP} {_ratio(measured, OURS, OURS_HTTP)}")
    table = Table.of(
        f"{callers} callers",
        labels,
        {
            "server": lambda label: label,
            "requests/s": _figure(measured, lambda each: each.requests_s, 0),
            "p50 ms": _figure(measured, lambda each: each.p50_ms, 1),
            "p99 ms": _figure(measured, lambda each: each.p99_ms, 1),
            "CPU s": _figure(measured, lambda each: each.cpu_s, 1),
        },
    )
    return Results(
        name="grpc",
        title="gRPC",
        findings=[f"At {callers} callers, requests/s: {'; '.join(compared)}."],
        tables=[table, Table("Aim", ("figure", "measured", "aim", "met"), [aim.row])],
        notes=[
            "A model that sleeps 5 ms + 0.2 ms an item in batches of at most 32, as in the "
            "overhead bench. Each caller sends 1 s of float32 samples, 64,000 bytes, and gets "
            f"{EMBEDDING_SIZE} float32; perf_analyzer {perf_analyzer.VERSION} is the client of "
            f"all, on the same cores. {rounds} rounds of windows of {seconds} s, in turns; medians "
            "(least to most). Ratios are taken within a round. CPU is that of all processes of the "
            "server, over all windows of a run."
        ],
        raw={"measurements": [asdict(each) for each in measured]},
        failed=not aim.met,
    )


def ratios(measured: Sequence[Measurement], label: str, other: str) -> list[float]:
    """Divide the requests/s of one by those of another, in each round that has both."""
    rates = {(each.label, each.round): each.requests_s for each in measured}
    numbers = sorted({each.round for each in measured})
    return [
        rates[label, number] / rates[other, number]
        for number in numbers
        if (label, number) in rates and (other, number) in rates
    ]


def _ratio(measured: Sequence[Measurement], label: str, other: str) -> str:
    return Spread.of(ratios(measured, label, other)).text(2)


def _figure(
    measured: Sequence[Measurement], read: Callable[[Measurement], float], digits: int
) -> Callable[[str], str]:
    def cell(label: str) -> str:
        return Spread.of([read(each) for each in measured if each.label == label]).text(digits)

    return cell


OPTIONS: command.Options = {
    "callers": value(64, "that wait for their answers"),
    "seconds": value(6, "of each window"),
    "rounds": value(3),
    "quick": flag("one round of windows of 3 s"),
}

if __name__ == "__main__":
    command.run(__doc__, bench, OPTIONS)
