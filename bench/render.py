"""Make ``docs/benchmarks.md`` and its pictures from the JSON files in ``docs/bench``.

python -m bench.render
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from bench.results import FOLDER, Chart, Results, Series, Table, markdown

mpl.use("agg")
from matplotlib import pyplot as plt

PAGE = Path("docs/benchmarks.md")
# In the order of the page; others follow by name.
ORDER = (
    "overhead",
    "stages",
    "replicas",
    "graph",
    "graph-waste",
    "first-audio",
    "growth",
    "accuracy",
    "said",
    "live",
    "gpu",
)
SIZE_INCHES = (7.5, 4.2)


def main() -> None:
    found = sorted(FOLDER.glob("*.json"), key=_place)
    parts = [
        "# Benchmarks\n\n"
        "Made by `make bench` from the JSON files in `docs/bench`, which hold every figure. "
        "Machines differ and drift: the ratios of one run are what counts.\n"
    ]
    parts += [section(json.loads(path.read_text())) for path in found]
    PAGE.write_text("\n".join(parts))
    print(f"wrote {PAGE}")


def _place(path: Path) -> tuple[int, str]:
    return (ORDER.index(path.stem) if path.stem in ORDER else len(ORDER), path.stem)


def section(content: dict[str, Any]) -> str:
    """Write one bench's part of the page, and draw its charts."""
    results = parsed(content)
    parts = [
        f"## {results.title}\n",
        f"`{content['command']}`, {content['taken_at'][:10]}, on {content['machine']}.\n",
    ]
    if results.findings:
        parts.append("\n".join(f"- {finding}" for finding in results.findings) + "\n")
    parts += [f"**{table.title}**\n\n{markdown(table)}\n" for table in results.tables]
    for number, chart in enumerate(results.charts, 1):
        path = FOLDER / f"{results.name}-{number}.png"
        draw(chart, path)
        parts.append(f"![{chart.title}](bench/{path.name})\n")
    parts += [f"{note}\n" for note in results.notes]
    return "\n".join(parts)


def parsed(content: dict[str, Any]) -> Results:
    """Read the results from a JSON file's content."""
    return Results(
        name=content["name"],
        title=content["title"],
        findings=content["findings"],
        tables=[Table(**table) for table in content["tables"]],
        charts=[
            Chart(**{**chart, "series": [Series(**series) for series in chart["series"]]})
            for chart in content["charts"]
        ],
        notes=content["notes"],
        raw=content["raw"],
    )


def draw(chart: Chart, path: Path) -> None:
    figure, axes = plt.subplots(figsize=SIZE_INCHES, layout="constrained")
    for series in chart.series:
        (line,) = axes.plot(series.x, series.y, marker="o", label=series.name)
        if series.least and series.most:
            axes.fill_between(
                series.x, series.least, series.most, color=line.get_color(), alpha=0.2
            )
    axes.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
    axes.set(xscale=chart.x_scale, yscale=chart.y_scale)
    _plain_ticks(axes, [x for series in chart.series for x in series.x], chart.x_scale)
    if chart.y_scale == "linear":
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _plain_ticks(axes: Any, places: Sequence[float], scale: str) -> None:
    """On a logarithmic axis: where points are, as plain numbers."""
    if scale == "log":
        ticks = sorted(set(places))
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()


if __name__ == "__main__":
    main()
