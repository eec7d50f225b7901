"""The peers' load generator: run wrk (``apt-get install wrk``) and read what it prints."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.overhead.protocols import Protocol

SCRIPT = Path(__file__).with_name("request.lua")
UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0, "h": 3_600_000.0}
TIMEOUT_S = 10  # an answer that takes longer is an error
SLACK_S = 30.0  # what wrk may take beyond its time


class LoadFailed(Exception):
    """wrk could not load the server; the message says why."""


@dataclass(frozen=True)
class Load:
    """One run of wrk; only answers with a status of 2xx or 3xx count as answers."""

    seconds: float
    answers: int
    p50_ms: float
    p99_ms: float
    refusals: int  # other statuses; their latencies are among the others'
    timeouts: int  # answers after TIMEOUT_S, or none
    socket_errors: int  # connect, read, write

    @property
    def answers_a_second(self) -> float:
        return self.answers / self.seconds

    @property
    def errors(self) -> int:
        return self.refusals + self.timeouts + self.socket_errors


def load(url: str, protocol: Protocol, callers: int, seconds: int) -> Load:
    """Send the protocol's request from so many keep-alive connections, each waiting for its answer.

    Raises:
        LoadFailed: wrk could not connect, or what it printed cannot be read.
    """
    with tempfile.NamedTemporaryFile(prefix="body-") as body:
        body.write(protocol.body)
        body.flush()
        command = ["wrk", "-t1", f"-c{callers}", f"-d{seconds}s", f"--timeout={TIMEOUT_S}s"]
        command += ["--latency", f"--script={SCRIPT}", url, "--", body.name]
        command += [text for header in protocol.headers.items() for text in header]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=seconds + SLACK_S
            )
        except subprocess.TimeoutExpired as error:
            raise LoadFailed(f"wrk did not end: {error}") from error
    if done.returncode:
        raise LoadFailed(f"wrk: {(done.stderr or done.stdout).strip()}")
    return parse(done.stdout)


def parse(text: str) -> Load:
    """Read what ``wrk --latency`` prints.

    Raises:
        LoadFailed: a figure is missing.
    """
    requests, value, unit = _found(r"(\d+) requests in ([\d.]+)(us|ms|s|m|h)\b", text)
    refusals = _count(r"Non-2xx or 3xx responses: (\d+)", text)
    return Load(
        seconds=float(value) * UNIT_MS[unit] / 1_000,
        answers=int(requests) - refusals,
        p50_ms=_latency_ms("50%", text),
        p99_ms=_latency_ms("99%", text),
        refusals=refusals,
        timeouts=_count(r"timeout (\d+)", text),
        socket_errors=sum(_count(rf"{kind} (\d+)", text) for kind in ("connect", "read", "write")),
    )


def _latency_ms(percentile: str, text: str) -> float:
    value, unit = _found(rf"^\s*{percentile}\s+([\d.]+)(us|ms|s|m|h)\s*$", text)
    return float(value) * UNIT_MS[unit]


def _found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise LoadFailed(f"wrk printed nothing like {pattern!r}: {text.strip()}")
    return match.groups()


def _count(pattern: str, text: str) -> int:
    """Read what wrk prints only where it is not zero."""
    match = re.search(rf"\b{pattern}", text)
    return int(match[1]) if match else 0
