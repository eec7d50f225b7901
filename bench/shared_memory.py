"""Tensors in shared memory against tensors in the body, over HTTP; needs wrk.

    python -m bench.shared_memory [--callers 16] [--seconds 6] [--rounds 3] [--quick]

The model sleeps, as in `bench.overhead`, so that what is left is the server's own work.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from bench import command
from bench.command import flag, value
from bench.overhead.catalogue import CONFIG, dragoman
from bench.overhead.protocols import (
    BINARY,
    EMBEDDING_SIZE,
    HEADER_LENGTH,
    JSON,
    Headers,
    Protocol,
    Vector,
    clip,
)
from bench.overhead.servers import CpuClock, DidNotServe, await_answer, running
from bench.overhead.wrk import Load, LoadFailed, load
from bench.results import Results, Spread, Table
from bench.serving import BenchFailed
from deployments.serve.cleanup_process import adopt_orphans
from deployments.serve.ports import free_port

LENGTHS_S = (1, 10)
PREFIX = "/dragoman-bench-"
INFER, REGISTER = "/v2/models/speaker/infer", "/v2/systemsharedmemory/region/{}/register"
OUTPUT_BYTES = EMBEDDING_SIZE * 4
WARM_UP_S = 1
BODY, SHARED = "in the body", "in shared memory"


@dataclass(frozen=True, eq=False)
class Way:
    """One way to send one length of audio: a row of the table."""

    audio_s: int
    tensors: str
    protocol: Protocol


@dataclass(frozen=True)
class Measurement:
    way: Way
    load: Load
    cpu_s: float  # of the server's processes

    @property
    def cpu_ms(self) -> float:
        """Return what one request took of the processors."""
        return 1000 * self.cpu_s / max(self.load.answers, 1)


def bench(options: argparse.Namespace) -> Results:
    if shutil.which("wrk") is None:
        raise BenchFailed("wrk is needed: apt-get install wrk")
    adopt_orphans()
    rounds, seconds = (1, 2) if options.quick else (options.rounds, options.seconds)
    with tempfile.TemporaryDirectory() as folder, memory() as places:
        config = Path(folder, "serve_config.yaml")
        url = f"http://127.0.0.1:{write_config(config)}"
        start = dragoman()
        serve = [*start.command[:-1], str(config)]
        ways = [way for audio_s in LENGTHS_S for way in ways_of(audio_s, places)]
        try:
            with running(serve, os.environ, start.folder) as process:
                for way in ways:
                    if way.tensors == BODY:  # it waits for the start
                        await_answer(process, url + INFER, way.protocol)
                for name, size_bytes in places.items():
                    register(url, name, size_bytes)
                for way in ways:
                    await_answer(process, url + INFER, way.protocol)
                    load(url + INFER, way.protocol, options.callers, WARM_UP_S)
                measured = [
                    measure(url, way, options.callers, seconds)
                    for number in range(rounds)
                    for way in (ways if number % 2 == 0 else reversed(ways))
                ]
        except (DidNotServe, LoadFailed) as error:
            raise BenchFailed(str(error)) from error
    return results(measured, options.callers)


def write_config(path: Path) -> int:
    """Write the configuration of `bench.overhead` with shared memory; return its port."""
    config = yaml.safe_load(CONFIG.read_text())
    arguments, port = config["applications"][0]["args"], free_port()
    arguments["ingress"]["port"] = port
    arguments["shared_memory"] = {"prefix": PREFIX}
    path.write_text(yaml.safe_dump(config))
    return port


# ---- requests ----------------------------------------------------------------------------


@contextmanager
def memory() -> Iterator[dict[str, int]]:
    """Lay each length of audio into shared memory; yield the regions' names with their sizes."""
    contents = {f"audio-{audio_s}": audio(audio_s) for audio_s in LENGTHS_S}
    contents["embedding"] = bytes(OUTPUT_BYTES)
    try:
        for name, data in contents.items():
            path_of(name).write_bytes(data)
        yield {name: len(data) for name, data in contents.items()}
    finally:
        for name in contents:
            path_of(name).unlink(missing_ok=True)


def path_of(name: str) -> Path:
    return Path("/dev/shm", f"{PREFIX[1:]}{name}")


def audio(audio_s: int) -> bytes:
    """Return the clip of `bench.overhead`, which has one second, so often: int16."""
    return np.tile(clip(), audio_s).tobytes()


def register(url: str, name: str, size_bytes: int) -> None:
    body = json.dumps({"key": f"{PREFIX}{name}", "byte_size": size_bytes}).encode()
    request = urllib.request.Request(url + REGISTER.format(name), body, {"Content-Type": JSON})
    urllib.request.urlopen(request).close()


def ways_of(audio_s: int, places: dict[str, int]) -> list[Way]:
    """Ask for the embedding of so much audio, in both ways."""
    samples, name = audio(audio_s), f"audio-{audio_s}"
    entry = {"name": "AUDIO", "shape": [1, len(samples) // 2], "datatype": "INT16"}
    head = document(entry, {"binary_data_size": len(samples)}, {"binary_data": True})
    headers = {"Content-Type": BINARY, HEADER_LENGTH: str(len(head))}
    in_body = Protocol(headers, head + samples, _behind)
    lies = _part(name, places[name]), _part("embedding", places["embedding"])
    shared = Protocol({"Content-Type": JSON}, document(entry, *lies), _written)
    return [Way(audio_s, BODY, in_body), Way(audio_s, SHARED, shared)]


def document(entry: dict[str, object], given: dict[str, object], asked: dict[str, object]) -> bytes:
    """Return the JSON of a request, with the parameters of its input and output."""
    inputs = [{**entry, "parameters": given}]
    outputs = [{"name": "EMBEDDING", "parameters": asked}]
    return json.dumps({"inputs": inputs, "outputs": outputs}).encode()


def _part(name: str, size_bytes: int) -> dict[str, object]:
    return {"shared_memory_region": name, "shared_memory_byte_size": size_bytes}


def _behind(headers: Headers, body: bytes) -> Vector:
    return np.frombuffer(body[-OUTPUT_BYTES:], np.float32)


def _written(headers: Headers, body: bytes) -> Vector:
    return np.frombuffer(path_of("embedding").read_bytes(), np.float32)


# ---- figures -----------------------------------------------------------------------------


def measure(url: str, way: Way, callers: int, seconds: int) -> Measurement:
    clock = CpuClock()
    taken = load(url + INFER, way.protocol, callers, seconds)
    found = Measurement(way, taken, clock.seconds())
    print(
        f"{way.audio_s} s {way.tensors}: {taken.answers_a_second:,.0f} requests/s, "
        f"{found.cpu_ms:.2f} ms of CPU a request, {taken.errors} errors",
        flush=True,
    )
    return found


def results(measured: list[Measurement], callers: int) -> Results:
    ways = list(dict.fromkeys(each.way for each in measured))
    of = {way: [each for each in measured if each.way is way] for way in ways}

    def speeds(way: Way) -> list[float]:
        return [each.load.answers_a_second for each in of[way]]

    def costs(way: Way) -> list[float]:
        return [each.cpu_ms for each in of[way]]

    table = Table.of(
        f"One embedding a request, {callers} callers",
        ways,
        {
            "audio (s)": lambda way: way.audio_s,
            "tensors": lambda way: way.tensors,
            "requests/s": lambda way: Spread.of(speeds(way)).text(0),
            "CPU a request (ms)": lambda way: Spread.of(costs(way)).text(2),
            "errors": lambda way: sum(each.load.errors for each in of[way]),
        },
    )
    findings = []
    for body, shared in zip(ways[::2], ways[1::2], strict=True):
        faster = Spread.of_ratios(speeds(shared), speeds(body)).text(2)
        cheaper = Spread.of_ratios(costs(shared), costs(body)).text(2)
        findings.append(
            f"{body.audio_s} s of audio in shared memory: {faster} times the requests/s, "
            f"{cheaper} times the CPU a request."
        )
    failed = any(each.load.errors for each in measured)
    title = "Shared memory against tensors in the body"
    return Results("shared-memory", title, findings, [table], failed=failed)


OPTIONS: command.Options = {
    "callers": value(16),
    "seconds": value(6, "of each load"),
    "rounds": value(3),
    "quick": flag("one round, 2 s a load"),
}

if __name__ == "__main__":
    command.run(__doc__, bench, OPTIONS)
