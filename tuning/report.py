"""The tuner's report: a line a measurement, the tables, the choice in words, and all as JSON."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from dragoman_client import console
from load.steps import Load
from tuning.choice import Choice, Finalist
from tuning.search import Search
from tuning.space import Candidate
from tuning.trial import Trial
from tuning.writing import Change

MB = 1e6


def line(trial: Trial, start: Candidate, budget_s: float, spent_s: float) -> str:
    """Tell one measurement, and how much of the budget is spent."""
    text = f"{spent_s:4.0f} of {budget_s:.0f} s  {trial.candidate.told(start)}: "
    if trial.figures is not None and trial.p99_ms is not None:
        text += f"{trial.figures.throughput_rps:.1f}/s, p99 {trial.p99_ms:.0f} ms, "
    return text + trial.verdict


def show_trials(trials: Sequence[Trial], start: Candidate) -> None:
    """Print the table of the search; the most goodput is the last line."""
    columns = ("settings", "answers/s", "in SLO/s", "p50 ms", "p99 ms", "batch", "MB", "verdict")
    ordered = sorted(trials, key=lambda trial: (trial.meets, trial.goodput_rps))
    console.show_table(columns, [_row(trial, start) for trial in ordered])


def _row(trial: Trial, start: Candidate) -> tuple[console.Cell, ...]:
    mark = " (present)" if trial.candidate == start and len(start.models) == 1 else ""
    figures, latency = trial.figures, trial.figures.latency_ms if trial.figures else None
    alone = start.models[0][0] if len(start.models) == 1 else ""
    return (
        trial.candidate.told(start) + mark,
        figures.throughput_rps if figures else None,
        figures.goodput_rps if figures else None,
        latency["p50"] if latency else None,
        latency["p99"] if latency else None,
        figures.mean_batch.get(alone) if figures else None,
        trial.memory_bytes / MB if trial.memory_bytes else None,
        trial.verdict,
    )


def show_finalists(finalists: Sequence[Finalist], start: Candidate) -> None:
    """Print what was measured in turns."""
    columns = ("in turns", "in SLO/s", "least", "most", "p99 ms, middle", "verdict")
    console.show_table(columns, [_finalist_row(finalist, start) for finalist in finalists])


def _finalist_row(finalist: Finalist, start: Candidate) -> tuple[console.Cell, ...]:
    rates = finalist.goodputs_rps
    latencies = sorted(t.p99_ms for t in finalist.trials if t.p99_ms is not None)
    return (
        finalist.candidate.told(start),
        finalist.median_rps,
        min(rates),
        max(rates),
        latencies[len(latencies) // 2] if latencies else None,
        "ok" if finalist.meets else "objective missed",
    )


def verdict(
    choice: Choice, start: Candidate, trials: Sequence[Trial], load: Load, slo_ms: float
) -> str:
    """Tell the choice in a sentence or two."""
    if choice.outcome == "missed":
        return _missed(choice, start, trials, load, slo_ms)
    if choice.outcome == "present":
        what = "they stay" if len(trials) > 1 else "nothing else was tried"
        return f"nothing beats the present settings ({choice.chosen.told(start)}): {what}"
    text = f"chosen: {choice.chosen.told(start)}"
    if choice.gain is None:
        return f"{text}; the present settings answer nothing within {slo_ms:g} ms"
    return f"{text}; {choice.gain} times the goodput of the present settings"


def _missed(
    choice: Choice, start: Candidate, trials: Sequence[Trial], load: Load, slo_ms: float
) -> str:
    text = (
        f"at {load} no setting that was tried answers every request with a p99 within {slo_ms:g} ms"
    )
    nearest = next(trial for trial in trials if trial.candidate == choice.chosen)
    if nearest.p99_ms is None:
        return f"{text}: {nearest.verdict}"
    return (
        f"{text}; the nearest is {nearest.candidate.told(start)}: p99 {nearest.p99_ms:.0f} ms, "
        f"{nearest.goodput_rps:.1f} answers/s in time, {nearest.verdict}"
    )


def skipped(search: Search) -> str | None:
    """Say what there was no time for."""
    parts = []
    if untried := search.skipped - search.trials.keys():
        parts.append(f"{len(untried)} settings were not tried")
    finalists = search.finalists(search.history[0].candidate)
    if len(search.rounds) < search.turns and len(finalists) > 1:
        parts.append(f"{len(search.rounds)} of {search.turns} turns were measured")
    if not parts:
        return None
    return f"the budget of {search.budget.total_s:.0f} s is spent: {', '.join(parts)}"


def document(
    search: Search,
    choice: Choice,
    start: Candidate,
    wanted: Sequence[Change],
    options: Mapping[str, Any],
    started: datetime,
) -> dict[str, Any]:
    """Everything, as plain values for JSON; ``turn`` is None of the search's measurements."""
    return {
        "command": sys.argv,
        "started": started.isoformat(timespec="seconds"),
        "options": dict(options),
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
        "present": _settings(start),
        "points": [_point(trial, turn) for trial, turn in _all(search)],
        "outcome": choice.outcome,
        "chosen": _settings(choice.chosen),
        "changes": {".".join(path): value for path, value in wanted},
        "gain": asdict(choice.gain) if choice.gain else None,
        "not_tried": [_settings(candidate) for candidate in search.skipped - search.trials.keys()],
        "spent_s": round(search.budget.spent_s, 1),
    }


def _all(search: Search) -> Iterator[tuple[Trial, int | None]]:
    for trial in search.history:
        yield trial, None
    for turn, trials in enumerate(search.rounds, 1):
        for trial in trials.values():
            yield trial, turn


def _settings(candidate: Candidate) -> dict[str, Any]:
    return {name: asdict(settings) for name, settings in candidate.models}


def _point(trial: Trial, turn: int | None) -> dict[str, Any]:
    return {
        "settings": _settings(trial.candidate),
        "turn": turn,
        "meets_slo": trial.meets,
        "verdict": trial.verdict,
        "memory_bytes": trial.memory_bytes,
        "busy_s": dict(trial.busy_s),
        "figures": asdict(trial.figures) if trial.figures else None,
    }
