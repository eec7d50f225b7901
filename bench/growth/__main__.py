"""The growth of cost: offered load past saturation, models and replicas, and long audio.

    PYTHONPATH=client python -m bench.growth [--quick | --full] [--rounds 2] [--part PART ...]

``--full`` also hears 60 minutes with the real recogniser. Each part starts its own servers.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bench.command import flag, run, some
from bench.growth import long_audio, overload, scale
from bench.results import Results

PARTS: dict[str, Callable[[argparse.Namespace], Results]] = {
    "overload": overload.measure,
    "scale": scale.measure,
    "long-audio": long_audio.measure,
}


def bench(args: argparse.Namespace) -> Results:
    args.rounds = args.rounds or (1 if args.quick else 2)
    found = [PARTS[name](args) for name in args.part]
    return Results(
        name="growth",
        title="How cost grows",
        findings=[each for part in found for each in part.findings],
        tables=[each for part in found for each in part.tables],
        charts=[each for part in found for each in part.charts],
        notes=[each for part in found for each in part.notes],
        raw={part.name: part.raw["steps"] for part in found},
    )


if __name__ == "__main__":
    OPTIONS = {
        "quick": flag("fewer points, no real recogniser"),
        "full": flag("60 minutes by the real recogniser, too"),
        "rounds": {"type": int, "help": "of each load; default: 2, or 1 with --quick"},
        "part": some(PARTS),
    }
    run(__doc__, bench, OPTIONS)
