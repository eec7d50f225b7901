"""What serving costs: requests/s of a model that only sleeps, through the public port.

A batch of n takes 5 ms + 0.2 ms x n and at most 32 rows, so no server can exceed 2,807
requests/s. Needs ``wrk`` (Debian: ``apt-get install wrk``).

    python -m bench.overhead [--callers 64] [--seconds 8] [--runs 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread

from bench import machine
from deployments.config import load

FOLDER = Path(__file__).parent
CONFIG = FOLDER / "overhead.yaml"
IDEAL = 32 / (0.005 + 32 * 0.0002)  # requests/s of full batches back to back
UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Load:
    """One run of the load generator."""

    requests_a_second: float
    p50_ms: float
    p99_ms: float
    errors: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=8, help="of each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed: apt-get install wrk")
    with subprocess.Popen(
        [sys.executable, "-m", "deployments.launch", str(CONFIG)],
        cwd=FOLDER.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            _wait_until_ready(server)
            assert server.stdout is not None
            Thread(target=server.stdout.read, daemon=True).start()  # it must never wait to write
            run(options.callers, 3)  # warm-up
            before = _counts()
            loads = [run(options.callers, options.seconds) for _ in range(options.runs)]
            after = _counts()
        finally:
            server.terminate()
            server.wait()
    mean_batch = (after[0] - before[0]) / (after[1] - before[1])
    _report(options.callers, loads, mean_batch, options.json)
    return 0 if not any(load.errors for load in loads) else 1


def run(callers: int, seconds: int) -> Load:
    """Load the server with so many callers on keep-alive connections."""
    command = ["wrk", "-t1", f"-c{callers}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    command += ["-s", str(FOLDER / "overhead.lua"), f"{_url()}/v1/audio/embeddings"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Load(
        requests_a_second=float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        p50_ms=_latency_ms("50%", text),
        p99_ms=_latency_ms("99%", text),
        errors=sum(map(int, re.findall(r"(?:Non-2xx.*:|connect|read|write|timeout) (\d+)", text))),
    )


def _report(callers: int, loads: Sequence[Load], mean_batch: float, path: Path | None) -> None:
    rates = sorted(load.requests_a_second for load in loads)
    median = statistics.median(rates)
    print(f"machine: {machine.describe()}; the load generator runs on it, too")
    print(f"callers {callers}, mean batch {mean_batch:.1f}, ideal {IDEAL:.0f} requests/s")
    print(f"requests/s: {median:.0f} ({rates[0]:.0f} to {rates[-1]:.0f}), {median / IDEAL:.0%}")
    for name in ("p50_ms", "p99_ms"):
        values = sorted(getattr(load, name) for load in loads)
        print(f"{name}: {statistics.median(values):.1f} ({values[0]:.1f} to {values[-1]:.1f})")
    print(f"errors: {sum(load.errors for load in loads)}")
    if path is not None:
        figures = {"machine": machine.describe(), "callers": callers, "mean_batch": mean_batch}
        path.write_text(json.dumps({**figures, "runs": [asdict(load) for load in loads]}))


def _url() -> str:
    return load(CONFIG).url


def _counts() -> tuple[int, int]:
    """Items and batches, as the server counts them."""
    with urllib.request.urlopen(f"{_url()}/v1/models/speaker", timeout=30) as answer:
        counts = json.load(answer)["statistics"]
    return counts["items"], counts["batches"]


def _wait_until_ready(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    for line in server.stdout:
        if "ready at" in line:
            return
    sys.exit("the server did not start")


def _latency_ms(percentile: str, text: str) -> float:
    value, unit = re.findall(rf"{percentile}\s+([\d.]+)(us|ms|s)", text)[0]
    return float(value) * UNIT_MS[unit]


def _found(pattern: str, text: str) -> str:
    return str(re.findall(pattern, text)[0])


if __name__ == "__main__":
    sys.exit(main())
