"""The tuner's picture: latency against throughput, and where the choice lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from load.picture import RESOLUTION_DPI, SHADES, SIZE_INCHES, SLO_COLOUR, THROUGHPUT_COLOUR
from tuning.choice import Choice
from tuning.space import Candidate
from tuning.trial import Trial

MISSED_COLOUR = "#bdbdbd"


def draw(
    trials: Sequence[Trial], choice: Choice, start: Candidate, slo_ms: float, title: str, path: Path
) -> None:
    """Write a PNG of the trials that had answers.

    Raises:
        OSError: the file cannot be written.
    """
    figure = Figure(figsize=SIZE_INCHES, dpi=RESOLUTION_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    good = [trial for trial in trials if trial.meets]
    missed = [trial for trial in trials if not trial.meets]
    _scatter(axes, missed, "objective missed", color=MISSED_COLOUR, marker="x")
    _scatter(axes, good, "objective met", color=SHADES["p90"], marker="o")
    of_start = [trial for trial in trials if trial.candidate == start]
    _scatter(axes, of_start, "present", marker="s", s=140, facecolors="none", edgecolors="black")
    if choice.outcome != "missed":
        chosen = [trial for trial in trials if trial.candidate == choice.chosen]
        _scatter(axes, chosen, "chosen", marker="*", s=220, color=THROUGHPUT_COLOUR, zorder=3)
    axes.axhline(slo_ms, color=SLO_COLOUR, linestyle=":", label=f"SLO {slo_ms:g} ms")
    axes.set_xlabel("throughput (answers/s)")
    axes.set_ylabel("latency p99 (ms)")
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.set_title(title)
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, format="png")


def _scatter(axes: Axes, trials: Sequence[Trial], label: str, **style: Any) -> None:
    points = [
        (trial.figures.throughput_rps, trial.p99_ms)
        for trial in trials
        if trial.figures is not None and trial.p99_ms is not None
    ]
    if points:
        axes.scatter(*zip(*points, strict=True), label=label, **style)
