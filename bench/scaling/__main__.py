"""What several ingresses and nodes make of batches, simulated and served; and a plan of machines.

    python -m bench.scaling [--quick] [--virtual | --kept]
    python -m bench.scaling --plan 100000

A model sleeps for a GPU's times. ``--virtual`` leaves the server out, ``--kept`` takes what was
measured on it the last time.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.command import flag, run, value
from bench.results import Results, show
from bench.scaling import measured, plan, served
from bench.scaling.cluster import Cluster
from bench.scaling.measured import INGRESSES, MODEL, Run
from bench.scaling.report import results
from bench.scaling.simulation import simulate
from load.steps import Load

SECONDS = 4.0  # of each load on a server
OPEN_SHARE = 0.8  # of the capacity


def bench(args: argparse.Namespace) -> Results:
    if args.plan:
        show(plan.tables(args.plan))
        sys.exit(0)
    answers = measured.ANSWERS // (6 if args.quick else 1)
    real = [] if args.virtual else _kept(args.folder) if args.kept else _served(args.quick)
    through = [(each, _simulated(each, answers)) for each in real]
    return results([*measured.ingresses(answers)], [*measured.nodes(answers)], through)


def _kept(folder: Path) -> list[served.Served]:
    content = json.loads((folder / "scaling.json").read_text())
    return [served.Served.read(real) for real, _ in content["raw"]["served"]]


def _served(is_quick: bool) -> list[served.Served]:
    loads = [*measured.closed(MODEL), Load("open", round(OPEN_SHARE * MODEL.capacity))]
    seconds = 2.0 if is_quick else SECONDS
    return [each for count in INGRESSES for each in served.measure(MODEL, count, loads, seconds)]


def _simulated(real: served.Served, answers: int) -> Run:
    count, gathers = real.ingresses, real.gathers and real.ingresses > 1
    cluster = Cluster(MODEL, ingresses=count, gathers=gathers, spread="chance", cores=real.cores)
    return Run(cluster, real.load, simulate(cluster, real.load, answers))


if __name__ == "__main__":
    options = {
        "quick": flag("rough"),
        "kept": flag("the simulation beside what was measured on a server the last time"),
        "virtual": flag("the simulation alone, which takes no server"),
        "plan": value(0, "only print the machines for so many users"),
    }
    run(__doc__, bench, options)
