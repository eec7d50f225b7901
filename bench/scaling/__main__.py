"""What several ingresses and nodes make of batches, simulated and served; and a plan of machines.

    python -m bench.scaling [--quick] [--virtual]
    python -m bench.scaling --plan 100000

A model sleeps for a GPU's times. ``--virtual`` leaves the server out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from bench.command import flag, run, value
from bench.results import Results, show
from bench.scaling import measured, plan, served
from bench.scaling.cluster import Cluster
from bench.scaling.measured import INGRESSES, MODEL, Run
from bench.scaling.report import results
from load.steps import Load

SECONDS = 4.0  # of each load on a server
OPEN_SHARE = 0.8  # of the capacity


def bench(args: argparse.Namespace) -> Results:
    if args.plan:
        show(plan.tables(args.plan))
        sys.exit(0)
    answers = measured.ANSWERS // (6 if args.quick else 1)
    through = [] if args.virtual else [*_served(2.0 if args.quick else SECONDS, answers)]
    return results([*measured.ingresses(answers)], [*measured.nodes(answers)], through)


def _served(seconds: float, answers: int) -> Iterator[tuple[served.Served, Run]]:
    """Measure servers, and simulate each."""
    loads = [*measured.closed(MODEL), Load("open", round(OPEN_SHARE * MODEL.capacity))]
    for count in INGRESSES:
        for real in served.measure(MODEL, count, loads, seconds):
            gathers = real.gathers and count > 1
            cluster = Cluster(MODEL, ingresses=count, gathers=gathers, spread="chance")
            (run_,) = measured.like(cluster, [real.load], answers)
            yield real, run_


if __name__ == "__main__":
    options = {
        "quick": flag("rough"),
        "virtual": flag("the simulation alone, which takes no server"),
        "plan": value(0, "only print the machines for so many users"),
    }
    run(__doc__, bench, options)
