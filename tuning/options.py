"""The command line of ``dragoman tune``, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The command line; names are the parameters' of ``tune``."""

    config: Path
    slo_p99_ms: float
    model: str | None
    graph: bool
    batch_sizes: str | None
    delays_ms: str | None
    replicas: str | None
    threads: str | None
    callers: int | None
    rate: float | None
    duration: float
    warm_up: float
    turns: int
    budget_s: float
    audio: Path | None
    text: list[str] | None
    source: str
    to: str
    timeout: float | None
    seed: int
    output: Path
    json_file: Path | None
    picture: Path | None
