"""Tables and aims of the scaling bench."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from bench.results import Aim, Cell, Results, Table
from bench.scaling.cluster import Carried, Cluster
from bench.scaling.measured import MODEL, Run
from bench.scaling.served import Served

LEAST_ROWS = 0.95  # of one ingress'
OFF = 0.15  # by which the simulation may miss
NOTE = (
    "The simulation runs the real batchers, the real gathering at the replica and the real choice "
    "of a replica on a virtual clock; a model sleeps, and all else is a cost. `alone`: no batch "
    "may join another's, as if every ingress had the model to itself. The served rows are one "
    "machine's: a server with so many ingress processes on one port, over which the kernel spreads "
    "connections by chance, and the callers on the same two cores."
)


def results(
    ingresses: Sequence[Run], nodes: Sequence[Run], served: Sequence[tuple[Served, Run]]
) -> Results:
    aims = [*_rows_aims(ingresses), *_served_aims(served)]
    tables = [_of_ingresses(ingresses), _of_nodes(nodes)]
    if served:
        tables.append(_of_servers(served))
    tables.append(Table("Aims", ["figure", "measured", "aim", "met"], [aim.row for aim in aims]))
    return Results(
        name="scaling",
        title="Several ingresses and nodes",
        findings=[f"{aim.what}: {aim.measured} ({aim.aim})." for aim in aims],
        tables=tables,
        notes=[NOTE],
        raw={
            "model": asdict(MODEL),
            "ingresses": [asdict(run) for run in ingresses],
            "nodes": [asdict(run) for run in nodes],
            "served": [[asdict(real), asdict(run)] for real, run in served],
        },
        failed=not all(aim.met for aim in aims),
    )


def _cells(carried: Carried) -> list[Cell]:
    return [carried.rows, carried.requests_s, carried.p50_ms, carried.p95_ms]


FIGURES = ("rows a batch", "requests/s", "p50 ms", "p95 ms")


def _how(cluster: Cluster) -> str:
    return "together" if cluster.gathers else "alone"


def _of_ingresses(runs: Iterable[Run]) -> Table:
    rows: list[list[Cell]] = [
        [str(run.load), run.cluster.ingresses, _how(run.cluster), *_cells(run.carried)]
        for run in sorted(runs, key=lambda run: (run.load.loop, run.load.value))
    ]
    title = (
        f"Ingresses before one replica, simulated; a batch of n takes {MODEL.fixed_ms:g} + "
        f"n * {MODEL.row_ms:g} ms, at most {MODEL.rows} rows"
    )
    return Table(title, ["load", "ingresses", "batches", *FIGURES], rows)


def _of_nodes(runs: Sequence[Run]) -> Table:
    rows: list[list[Cell]] = []
    for run in runs:
        (one,) = (
            each.carried.requests_s
            for each in runs
            if each.cluster.nodes == 1
            and each.cluster.spread == run.cluster.spread
            and each.load.value == run.load.value / run.cluster.nodes
        )
        linear = run.carried.requests_s / run.cluster.nodes / one
        spread = "requests" if run.cluster.spread == "turns" else "connections"
        own = run.cluster.replicas_of_an_ingress
        how: list[Cell] = [str(run.load), run.cluster.nodes, spread, own]
        rows.append([*how, *_cells(run.carried), f"{linear:.2f}"])
    columns = ["load", "nodes", "in turn", "replicas an ingress counts on", *FIGURES, "of linear"]
    return Table("Nodes with an ingress and a replica each, simulated", columns, rows)


def _of_servers(pairs: Iterable[tuple[Served, Run]]) -> Table:
    rows: list[list[Cell]] = [
        [
            *(str(real.load), real.ingresses, _how(run.cluster), *_cells(real.carried)),
            *(real.ingress_ms, real.busy_percent, run.carried.rows),
            f"{run.carried.requests_s / real.carried.requests_s:.2f}",
        ]
        for real, run in pairs
    ]
    columns = ["load", "ingresses", "batches", *FIGURES, "ingress CPU ms a request"]
    columns += ["cores busy, %", "rows, simulated", "requests/s, simulated over served"]
    return Table("A real server, beside its simulation", columns, rows)


def _rows_aims(runs: Sequence[Run]) -> list[Aim]:
    most = max(run.cluster.ingresses for run in runs)
    one = {run.load: run.carried for run in runs if run.cluster.ingresses == 1}
    return [
        _at_least(
            f"rows a batch of {most} ingresses over one's, {run.load}, simulated",
            run.carried.rows / one[run.load].rows,
        )
        for run in runs
        if run.cluster.ingresses == most and run.cluster.gathers
    ]


def _served_aims(pairs: Sequence[tuple[Served, Run]]) -> list[Aim]:
    if not pairs:
        return []
    one = {real.load: real.carried.rows for real, _ in pairs if real.ingresses == 1}
    most = max(real.ingresses for real, _ in pairs)
    aims = [
        _at_least(
            f"rows a batch of {most} ingresses over one's, {real.load}, served",
            real.carried.rows / one[real.load],
        )
        for real, _ in pairs
        if real.ingresses == most and real.gathers
    ]
    misses = [
        abs(run.carried.requests_s / real.carried.requests_s - 1)
        for real, run in pairs
        if real.gathers or real.ingresses == 1
    ]
    what = "the simulation's requests/s over the server's, off by at most"
    return [*aims, Aim.at_most(what, max(misses), OFF)]


def _at_least(what: str, measured: float) -> Aim:
    return Aim(what, f"{measured:.2f}", f"at least {LEAST_ROWS:g}", measured >= LEAST_ROWS)
