"""The load test's picture: latency percentiles and throughput against load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .figures import StepFigures

SIZE_INCHES, RESOLUTION_DPI = (8.0, 5.0), 150
SHADES = {"p50": "#9ecae1", "p90": "#4292c6", "p99": "#08306b"}  # from often to rare
THROUGHPUT_COLOUR, SLO_COLOUR = "#d95f02", "#b2182b"


def draw(steps: Sequence[StepFigures], title: str, path: Path) -> None:
    """Write a PNG of the steps that had answers.

    Raises:
        OSError: the file cannot be written.
    """
    answered = sorted((s for s in steps if s.latency_ms is not None), key=lambda s: s.load.value)
    loads = [step.load.value for step in answered]
    figure = Figure(figsize=SIZE_INCHES, dpi=RESOLUTION_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    latency = figure.subplots()
    for name, colour in SHADES.items():
        values = [step.latency_ms[name] for step in answered if step.latency_ms is not None]
        latency.plot(loads, values, marker="o", color=colour, label=f"latency {name}")
    slo_ms = steps[0].slo_ms if steps else None
    if slo_ms is not None:
        latency.axhline(slo_ms, color=SLO_COLOUR, linestyle=":", label=f"SLO {slo_ms:g} ms")
    is_open = bool(steps) and steps[0].load.loop == "open"
    latency.set_xlabel("arrivals (requests/s)" if is_open else "concurrent callers")
    latency.set_ylabel("latency (ms)")
    latency.set_ylim(bottom=0)
    latency.set_xlim(left=0)
    latency.grid(alpha=0.3)
    throughput = latency.twinx()
    rates = [step.throughput_rps for step in answered]
    throughput.plot(
        loads, rates, marker="s", linestyle="--", color=THROUGHPUT_COLOUR, label="throughput"
    )
    throughput.set_ylabel("throughput (answers/s)")
    throughput.set_ylim(bottom=0)
    latency.set_title(title)
    figure.legend(loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, format="png")
