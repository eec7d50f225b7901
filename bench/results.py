"""What a bench found: tables and charts with their command, machine and spread, as one JSON file.

``bench.render`` makes ``docs/benchmarks.md`` and its pictures of these files, so that no figure is
copied by hand.
"""

from __future__ import annotations

import json
import shlex
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bench import machine

FOLDER = Path("docs/bench")
Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True)
class Spread:
    """One thing measured some times."""

    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values), len(values))

    def text(self, digits: int = 1) -> str:
        """Such as ``12.3 (11.9 to 13.0)``."""
        middle, least, most = (
            f"{value:,.{digits}f}" for value in (self.median, self.least, self.most)
        )
        return f"{middle} ({least} to {most})"


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]  # with units
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Series:
    """One line of a chart; ``least`` and ``most`` are its spread, where it has one."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    least: Sequence[float] = ()
    most: Sequence[float] = ()


@dataclass(frozen=True)
class Chart:
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    x_scale: Literal["linear", "log"] = "linear"
    y_scale: Literal["linear", "log"] = "linear"


@dataclass(frozen=True)
class Results:
    """All that one bench has to say.

    ``findings`` are the sentences that its figures prove, as ratios of one run; ``notes`` say what
    to know to read them. ``raw`` is kept for whoever computes something else.
    """

    name: str  # of the file and the pictures
    title: str
    findings: Sequence[str]
    tables: Sequence[Table]
    charts: Sequence[Chart] = ()
    notes: Sequence[str] = ()
    raw: dict[str, Any] = field(default_factory=dict)


def write(results: Results, folder: Path = FOLDER) -> Path:
    """Save the results and print them."""
    path = save(results, folder)
    show(results.tables, results.findings)
    return path


def save(results: Results, folder: Path = FOLDER) -> Path:
    """Write ``NAME.json`` with this run's command, machine and time."""
    taken = {
        "command": shlex.join(["python", "-m", _module(), *sys.argv[1:]]),
        "machine": machine.describe(),
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results.name}.json"
    path.write_text(json.dumps({**taken, **asdict(results)}, indent=1) + "\n")
    return path


def show(tables: Sequence[Table], findings: Sequence[str] = ()) -> None:
    for table in tables:
        print(f"\n{table.title}\n{markdown(table)}")
    for finding in findings:
        print(f"- {finding}", flush=True)


def markdown(table: Table) -> str:
    lines = [_row(table.columns), _row(["---"] * len(table.columns)), *map(_row, table.rows)]
    return "\n".join(lines)


def _row(cells: Sequence[Cell]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        digits = 0 if abs(cell) >= 100 else 1 if abs(cell) >= 10 else 2
        return f"{cell:,.{digits}f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _module() -> str:
    spec = sys.modules["__main__"].__spec__
    return spec.name.removesuffix(".__main__") if spec else Path(sys.argv[0]).stem
