"""How cost grows: offered load past saturation, models and replicas, and long audio.

    PYTHONPATH=client python -m bench.growth [--quick | --full] [--rounds 2] [--part PART ...]

``--full`` also hears 60 minutes with the real recogniser. Each part starts its own servers.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.growth import long_audio, overload, overload_report, scale
from bench.growth.long_audio import Long
from bench.growth.overload import Swept
from bench.growth.scale import Scaled
from bench.results import Results, write

PARTS = ("overload", "scale", "long-audio")
NOTES = (
    "Capacity is the throughput of a closed loop, and the deadline twice its median latency. "
    "Requests of the open loop arrive by a Poisson schedule, in its own process on the same "
    "cores; latency counts from the scheduled moment, so that the generator's own delay is in it. "
    "A refusal at once is a 503 that names a full queue. `speaker-sleep` only sleeps: 50 ms + "
    "10 ms an item, at most 8 of them.",
    "PSS shares a page's memory among the processes that hold it, USS counts a process's own "
    "pages alone.",
    "The fake recogniser takes no time: what its rows show is decoding, the real detector and "
    "the server. An int16 copy of an hour at 16 kHz is 115 MB.",
)


def main() -> None:
    args = arguments()
    swept: Sequence[Swept] = ()
    scaled: Sequence[Scaled] = ()
    long: Sequence[Long] = ()
    if "overload" in args.part:
        swept = overload.measure(args.quick, args.rounds)
    if "scale" in args.part:
        scaled = scale.measure(args.quick)
    if "long-audio" in args.part:
        long = long_audio.measure(args.quick, args.full)
    write(results(swept, scaled, long))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer points, no real recogniser")
    size.add_argument("--full", action="store_true", help="60 minutes by the real recogniser, too")
    parser.add_argument("--rounds", type=int, help="of each load; default: 2, or 1 with --quick")
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS, help="only these")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 2)
    return args


def results(swept: Sequence[Swept], scaled: Sequence[Scaled], long: Sequence[Long]) -> Results:
    found = overload_report.findings(swept)
    tables = [overload_report.table(each) for each in swept]
    charts = overload_report.charts(swept) if swept else []
    raw: dict[str, Any] = {"swept": [_raw(each) for each in swept]}
    if scaled:
        found += scale.findings(scaled)
        tables.append(scale.table(scaled))
        charts.append(scale.chart(scaled))
        raw["scaled"] = [asdict(each) for each in scaled]
    if long:
        found += long_audio.findings(long)
        tables.append(long_audio.table(long))
        raw["long"] = [asdict(each) for each in long]
    return Results("growth", "How cost grows", found, tables, charts, NOTES, raw)


def _raw(swept: Swept) -> dict[str, Any]:
    return {
        "target": swept.target.name,
        "capacity_rps": swept.capacity_rps,
        "deadline_ms": swept.deadline_ms,
        "steps": [asdict(step) for step in swept.steps],
    }


if __name__ == "__main__":
    main()
