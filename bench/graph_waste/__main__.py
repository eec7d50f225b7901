"""What the graph wastes: its utterances/s over what its slowest stage alone could do.

    python -m bench.graph_waste [--quick] [--virtual]

Models sleep for the times that were measured on a GPU. ``--virtual`` leaves the server out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.command import flag, run
from bench.graph_waste import served, virtual
from bench.graph_waste.profiles import GPU, bound, reachable
from bench.results import Cell, Chart, Results, Series, Table

CALLERS = (1, 8, 32, 64)
NOTE = (
    "The bound is what the slowest stage alone does with full batches. Few callers cannot fill "
    "them: what is reachable for so many is computed from the same times, with callers in equal "
    "groups of the best size. On the virtual clock the real graph and batchers run, and whatever "
    "is no model takes no time: what is lost there is lost by the forming of batches. The served "
    "rows add the processes, on the cores of this machine, which the callers share."
)


@dataclass(frozen=True)
class Formed:
    """What so many callers get on the virtual clock."""

    callers: int
    rate: float
    batches: dict[str, float]


def results(formed: Sequence[Formed], through: Sequence[served.Served]) -> Results:
    top = bound(GPU)

    def of_bound(one: Formed | served.Served) -> float:
        return one.rate / top

    def of_reachable(one: Formed | served.Served) -> float:
        return one.rate / reachable(GPU, one.callers)

    def mean(one: Formed | served.Served) -> str:
        return ", ".join(f"{name} {items:.1f}" for name, items in one.batches.items())

    every: list[tuple[str, Formed | served.Served]] = [
        *(("virtual clock", one) for one in formed),
        *(("served", one) for one in through),
    ]
    rows: list[list[Cell]] = [
        [how, one.callers, one.rate, f"{of_bound(one):.2f}", f"{of_reachable(one):.2f}", mean(one)]
        for how, one in every
    ]
    columns = ["how", "callers", "utterances/s", "of the bound", "of the reachable", "mean batch"]
    tables = [Table(f"The graph, bound {top:.1f} utterances/s", columns, rows)]
    if through:
        tables.append(
            Table.of(
                "Processor time of an utterance, ms",
                through,
                {
                    "callers": lambda one: one.callers,
                    "ingress": lambda one: one.ingress_ms,
                    "models": lambda one: one.models_ms,
                    "the rest of Ray": lambda one: one.rest_ms,
                    "the callers": lambda one: one.callers_ms,
                    "answer p50 ms": lambda one: one.p50_ms,
                },
            )
        )
    findings = [
        f"{how}, {one.callers} callers: {of_bound(one):.2f} of the bound, "
        f"{of_reachable(one):.2f} of what so many can reach."
        for how, one in every
    ]
    series = [
        Series("virtual clock", [o.callers for o in formed], [*map(of_bound, formed)]),
        Series("reachable", [*CALLERS], [reachable(GPU, n) / top for n in CALLERS]),
    ]
    if through:
        series.append(Series("served", [o.callers for o in through], [*map(of_bound, through)]))
    return Results(
        name="graph-waste",
        title="What the graph wastes",
        findings=findings,
        tables=tables,
        charts=[Chart("Share of the bound", "callers", "share", series, x_scale="log")],
        notes=[NOTE],
        raw={
            "profile": {name: asdict(stage) for name, stage in GPU.items()},
            "virtual": [asdict(one) for one in formed],
            "served": [asdict(one) for one in through],
        },
    )


def bench(args: argparse.Namespace) -> Results:
    counts = CALLERS[1:3] if args.quick else CALLERS
    formed = [Formed(count, *virtual.run(GPU, count)) for count in counts]
    through = [] if args.virtual else served.measure(GPU, counts, 3 if args.quick else 10)
    return results(formed, through)


if __name__ == "__main__":
    options = {
        "quick": flag("8 and 32 callers, and rough"),
        "virtual": flag("the virtual clock alone, which takes no server"),
    }
    run(__doc__, bench, options)
