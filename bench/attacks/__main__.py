"""Attacks of strangers: each against a real server with models that do nothing.

    PYTHONPATH=client python -m bench.attacks [--part PART ...]

A part is a module of this package with ``measure() -> list[Row]``; it starts its own servers.
"""

from __future__ import annotations

import argparse
import importlib

from bench.attacks.target import Row
from bench.command import run, some
from bench.results import Results, Table

PARTS = ("uploads", "framing", "slow", "keys", "launcher", "replicas")


def bench(args: argparse.Namespace) -> Results:
    rows: list[Row] = []
    for name in args.part:
        for row in importlib.import_module(f"bench.attacks.{name}").measure():
            print(f"{'held' if row.held else 'FELL'}: {row.tried}: {row.figure}", flush=True)
            rows.append(row)
    held = sum(row.held for row in rows)
    table = Table.of(
        "Attacks",
        rows,
        {
            "attack": lambda row: row.attack,
            "what was tried": lambda row: row.tried,
            "figure": lambda row: row.figure,
            "asked": lambda row: row.held_if,
            "held": lambda row: "yes" if row.held else "no",
        },
    )
    findings = [f"{held} of {len(rows)} attacks held."]
    title = "What strangers can do"
    return Results("attacks", title, findings, [table], failed=held < len(rows))


if __name__ == "__main__":
    run(__doc__, bench, {"part": some(PARTS)})
