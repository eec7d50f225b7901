"""The load test's report: a table for people, a JSON document for programs."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Any

import httpx
from msgspec import structs

from dragoman_client import Model, __version__, console

from .endpoints import Work
from .figures import StepFigures
from .steps import Outcome
from .sweep import Sweep

LATE_MS = 50.0  # a generator that is later than this measures itself, too
LATENCIES = ("p50", "p90", "p95", "p99", "max")


def show(steps: Sequence[StepFigures]) -> None:
    """Print the table, and on stderr what should be known of its figures.

    In a pipe a step is a line; on a terminal it is a column, as there are more figures.
    """
    table = [("load", *(str(step.load) for step in steps)), *_figures(steps)]
    if not sys.stdout.isatty():
        table = list(zip(*table, strict=True))
    console.show_table([str(name) for name in table[0]], table[1:])
    for step in steps:
        if step.max_send_delay_ms > LATE_MS:
            console.notice(
                f"{step.load}: the load generator itself was late by up to "
                f"{step.max_send_delay_ms:.0f} ms; its latencies include that"
            )
        if not step.is_whole:
            console.notice(
                f"{step.load}: interrupted, {step.abandoned} requests were not waited for"
            )


def document(
    sweep: Sweep, work: Work, settings: Mapping[str, Any], started: datetime
) -> dict[str, Any]:
    """Return all that was asked, where, and what was measured, as plain values for JSON.

    ``outcomes`` of a step has a row for each request, in order of their ends: the second it was
    intended at, its latency in ms, and the kind of its error or null.
    """
    return {
        "command": sys.argv,
        "started": started.isoformat(timespec="seconds"),
        "settings": dict(settings),
        "input": {
            "endpoint": work.endpoint,
            "clips": [{"name": c.name, "bytes": len(c.content)} for c in work.clips],
            "texts": list(work.texts),
            "source_language": work.source_language,
            "target_language": work.target_language,
        },
        "versions": {
            "dragoman_client": __version__,
            "httpx": httpx.__version__,
            "python": platform.python_version(),
        },
        "load_generator": {"platform": platform.platform(), "cpus": os.cpu_count()},
        "models": [_model(model) for model in sweep.models],
        "steps": [
            {**asdict(step), "outcomes": [_outcome(outcome) for outcome in outcomes]}
            for step, outcomes in zip(sweep.steps, sweep.outcomes, strict=True)
        ],
    }


def _figures(steps: Sequence[StepFigures]) -> Iterator[tuple[console.Cell, ...]]:
    """Yield the name of each figure, and its value in each step; only those that a step has."""
    rows: list[tuple[str, Callable[[StepFigures], console.Cell]]] = [
        ("requests", lambda step: step.requests),
        ("answered", lambda step: step.answered),
        ("answers/s", lambda step: step.throughput_rps),
        *((f"{name} ms", partial(_latency_ms, name=name)) for name in LATENCIES),
        ("in SLO/s", lambda step: step.goodput_rps),
        ("in SLO %", lambda step: _percent(step.slo_share)),
        ("audio s/s", lambda step: step.audio_s_per_s),
        ("queue %", lambda step: _percent(step.queue_share)),
        *((f"batch of {name}", partial(_mean_batch, model=name)) for name in _models(steps)),
        *((kind, partial(_errors, kind=kind)) for kind in _kinds(steps)),
    ]
    for name, figure in rows:
        values = [figure(step) for step in steps]
        if any(value is not None for value in values):
            yield (name, *values)


def _latency_ms(step: StepFigures, name: str) -> float | None:
    return None if step.latency_ms is None else step.latency_ms[name]


def _mean_batch(step: StepFigures, model: str) -> float | None:
    return step.mean_batch.get(model)


def _errors(step: StepFigures, kind: str) -> int:
    return step.errors.get(kind, 0)


def _models(steps: Sequence[StepFigures]) -> list[str]:
    return list(dict.fromkeys(model for step in steps for model in step.mean_batch))


def _kinds(steps: Sequence[StepFigures]) -> list[str]:
    return list(dict.fromkeys(kind for step in steps for kind in step.errors))


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _model(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "engine": model.engine,
        "weights": model.weights,
        "replicas": model.replicas,
        "device": structs.asdict(model.device),
    }


def _outcome(outcome: Outcome) -> list[float | str | None]:
    kind = None if outcome.failure is None else outcome.failure.kind
    return [round(outcome.intended_s, 4), round(outcome.latency_ms, 2), kind]
