"""What strangers can do to a server: each attack against a real one with models that do nothing.

    PYTHONPATH=client python -m bench.attacks [--part PART ...]

A part is a module of this package with ``measure() -> list[Row]``; it starts its own servers.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from bench.attacks.rows import Row
from bench.results import Results, Table, write

PARTS = ("uploads", "framing", "slow", "keys", "launcher", "replicas")
COLUMNS = ("attack", "what was tried", "figure", "asked", "held")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS, help="only these")
    rows: list[Row] = []
    for name in parser.parse_args().part:
        for row in importlib.import_module(f"bench.attacks.{name}").measure():
            print(f"{'held' if row.held else 'FELL'}: {row.tried}: {row.figure}", flush=True)
            rows.append(row)
    write(results(rows))
    sys.exit(0 if all(row.held for row in rows) else 1)


def results(rows: Sequence[Row]) -> Results:
    cells = [
        (row.attack, row.tried, row.figure, row.held_if, "yes" if row.held else "no")
        for row in rows
    ]
    held = sum(row.held for row in rows)
    finding = f"{held} of {len(rows)} attacks held."
    table = Table("Attacks", COLUMNS, cells)
    return Results("attacks", "What strangers can do", [finding], [table])


if __name__ == "__main__":
    main()
