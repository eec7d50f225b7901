"""The loads that are judged, and what several ingresses make of them in the simulation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from bench.scaling.cluster import Carried, Cluster, Sleeper, Spread
from bench.scaling.simulation import simulate
from load.steps import Load

MODEL = Sleeper(fixed_ms=40, row_ms=0.5, rows=32)  # as a short batch of a GPU
INGRESSES = (1, 2, 4)
NODES = (1, 2, 3)
CALLERS = (1, 2, 4)  # of closed loops, in full batches
SHARES = (0.5, 0.8, 0.95)  # of open loops, of the capacity
SPREADS: tuple[Spread, ...] = ("turns", "connections")
ANSWERS = 4000


@dataclass(frozen=True)
class Run:
    """One load on one cluster."""

    cluster: Cluster
    load: Load
    carried: Carried


def closed(capacity_in: Sleeper, nodes: int = 1) -> list[Load]:
    return [Load("closed", many * capacity_in.rows * nodes) for many in CALLERS]


def opened(capacity_in: Sleeper, nodes: int = 1) -> list[Load]:
    return [Load("open", round(share * capacity_in.capacity * nodes)) for share in SHARES]


def ingresses(answers: int) -> Iterator[Run]:
    """Simulate 1, 2 and 4 ingresses before one replica, with batches alone and together."""
    for load in [*closed(MODEL), *opened(MODEL)]:
        for gathers in (False, True):
            for count in INGRESSES if gathers else INGRESSES[1:]:
                cluster = Cluster(MODEL, ingresses=count, gathers=gathers and count > 1)
                yield Run(cluster, load, simulate(cluster, load, answers))


def nodes(answers: int) -> Iterator[Run]:
    """Simulate 1, 2 and 3 nodes, each with an ingress, a replica and as many callers."""
    for many, count, spread, shares in itertools.product(CALLERS, NODES, SPREADS, (False, True)):
        if shares and count == 1:
            continue
        cluster = Cluster(MODEL, nodes=count, gathers=count > 1, spread=spread, shares=shares)
        load = Load("closed", many * MODEL.rows * count)
        yield Run(cluster, load, simulate(cluster, load, answers * count))
