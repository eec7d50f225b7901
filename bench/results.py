"""The results of a bench: tables and charts with their command, machine and spread, as one JSON.

``bench.render`` makes ``docs/benchmarks.md`` and its pictures of these files, so that no figure is
copied by hand.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

FOLDER = Path("docs/bench")
Cell: TypeAlias = str | int | float | None
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Spread:
    """Hold one figure that was measured some times."""

    median: float
    least: float
    most: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values), len(values))

    @classmethod
    def of_ratios(cls, values: Sequence[float], references: Sequence[float]) -> Spread:
        """Divide the values by those that were measured beside them, pair by pair."""
        return cls.of([value / beside for value, beside in zip(values, references, strict=True)])

    def text(self, digits: int = 1) -> str:
        """Write it like ``12.3 (11.9 to 13.0)``."""
        middle, least, most = (
            f"{value:,.{digits}f}" for value in (self.median, self.least, self.most)
        )
        return f"{middle} ({least} to {most})"


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]  # with units
    rows: Sequence[Sequence[Cell]]

    @classmethod
    def of(
        cls,
        title: str,
        things: Iterable[Thing],
        columns: Mapping[str, Callable[[Thing], Cell]],
    ) -> Table:
        """Make a row of each thing; a column is a name and how to compute its cell."""
        return cls(
            title, [*columns], [[cell(each) for cell in columns.values()] for each in things]
        )


@dataclass(frozen=True)
class Series:
    """Draw one line of a chart; ``least`` and ``most`` are its spread, where it has one."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    least: Sequence[float] = ()
    most: Sequence[float] = ()

    @classmethod
    def of(cls, name: str, points: Mapping[float, Spread] | Mapping[int, Spread]) -> Series:
        """Make a line of medians with its spread, by their place on the x axis."""
        spreads = points.values()
        figures = ([getattr(s, which) for s in spreads] for which in ("median", "least", "most"))
        return cls(name, [*points], *figures)


@dataclass(frozen=True)
class Aim:
    """One figure, and what it should be."""

    what: str
    measured: str
    aim: str
    met: bool

    @classmethod
    def at_most(cls, what: str, measured: float, aim: float, unit: str = "") -> Aim:
        met = measured <= aim + 1e-9
        return cls(what, f"{measured:.2f}{unit}", f"at most {aim:g}{unit}", met)

    @classmethod
    def at_least(cls, what: str, measured: float, aim: float, unit: str = "") -> Aim:
        met = measured >= aim - 1e-9
        return cls(what, f"{measured:.1f}{unit}", f"at least {aim:g}{unit}", met)

    @property
    def row(self) -> list[Cell]:
        return [self.what, self.measured, self.aim, "yes" if self.met else "no"]


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
    """Hold all that one bench has to say.

    ``findings`` are the sentences that its figures prove, as ratios of one run; ``notes`` say what
    to know to read them. ``raw`` is kept for whoever computes something else. Where something
    ``failed``, such as an aim, the command exits with 1.
    """

    name: str  # of the file and the pictures
    title: str
    findings: Sequence[str]
    tables: Sequence[Table]
    charts: Sequence[Chart] = ()
    notes: Sequence[str] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    failed: bool = False


def write(results: Results, folder: Path = FOLDER) -> Path:
    """Save the results and print them."""
    path = save(results, folder)
    show(results.tables, results.findings)
    return path


def save(results: Results, folder: Path = FOLDER) -> Path:
    """Write ``NAME.json`` with this run's command, machine and time."""
    taken = {
        "command": shlex.join(["python", "-m", _module(), *sys.argv[1:]]),
        "machine": machine(),
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results.name}.json"
    path.write_text(json.dumps({**taken, **asdict(results)}, indent=1) + "\n")
    return path


def machine() -> str:
    """Describe in one line what a figure was measured on: processor, cores, system, Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores, system = len(os.sched_getaffinity(0)), f"{platform.system()} {platform.release()}"
    name = names[0] if names else platform.machine()
    return f"{name}, {cores} cores, {system}, Python {platform.python_version()}"


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
