"""Load one node, two and three, with as many callers a node, and compare what they answer."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import numpy as np
import uvloop

from bench.cluster.costs import Costs, serving_processes
from bench.results import Aim, Cell, Results, Spread, Table
from bench.serving import BenchFailed
from load.connections import Connections, connected, prepared
from tests.support.cluster.cluster import Cluster, fakes_config, running, wait_for
from tests.support.cluster.load import HEADERS, PATH, SIZE, clip
from tests.support.cluster.replicas import processes_of
from tests.support.fakes import SLEEP

NODES = (1, 2, 3)
BASE_MS, ROWS = 400.0, 16  # of a batch, whatever its rows: a node can answer 40 a second
CALLERS = 2 * ROWS  # of each node, who ask again once they are answered: two batches of them
SETTLE_S = 10.0  # after the server was changed, and after the first load
RAMP_S = 8.0  # of a load, before it counts: the estimates learn
REPLACE_S = 100.0  # for the new replicas to be all that run
LEAST_LINEAR, MOST_CPU, MOST_BUSY_PERCENT = 0.9, 1.2, 70.0


@dataclass(frozen=True)
class Window:
    """One load, beside the idle time before it."""

    rate: float  # right answers a second
    rows: float  # of a batch
    serving_ms: float  # of a request: CPU time in ingresses and models
    all_ms: float  # of a request: CPU time of the whole machine but its callers
    busy_percent: float  # of this machine's cores
    idle_percent: float


@dataclass(frozen=True)
class Measured:
    """All loads of one number of nodes."""

    replicas: Sequence[int]  # on each node
    windows: Sequence[Window]

    @property
    def nodes(self) -> int:
        return len(self.replicas)

    def of(self, figure: Callable[[Window], float]) -> Spread:
        return Spread.of([figure(each) for each in self.windows])

    @property
    def rate(self) -> float:
        return self.of(lambda each: each.rate).median

    @property
    def serving_ms(self) -> float:
        return self.of(lambda each: each.serving_ms).median


def measure(args: argparse.Namespace) -> Results:
    """Begin with one node, and add one after another, with one replica more each time."""
    found = []
    with running(NODES[0]) as cluster:
        for count in NODES:
            while len(cluster.nodes) < count:
                cluster.add()
            cluster.deploy(_config(count))
            cluster.until_ready()
            _until_replaced(cluster)
            found.append(_measured(cluster, args.rounds, args.seconds))
    return results(found)


def _config(replicas: int) -> dict[str, Any]:
    speaker = {"engine": SLEEP, "replicas": replicas, "options": {"base_ms": BASE_MS}}
    config = fakes_config(speaker=speaker)
    batching = {"batching": {"speaker": {"max_batch_size": ROWS}}}
    config["applications"][0]["deployments"][0]["user_config"] = batching
    return config


def _until_replaced(cluster: Cluster) -> None:
    """Wait until as many replicas run as there are nodes, and none of those before."""

    def is_replaced() -> bool:
        return sum(_replicas(cluster)) == len(cluster.nodes)

    wait_for(is_replaced, "as many replicas as nodes", REPLACE_S)


def _replicas(cluster: Cluster) -> Sequence[int]:
    """Count the replicas on each node."""
    return [*map(len, processes_of(cluster.nodes, "speaker"))]


def _measured(cluster: Cluster, rounds: int, seconds: float) -> Measured:
    time.sleep(SETTLE_S)
    uvloop.run(_window(cluster, seconds))  # the estimates learn
    windows = [uvloop.run(_window(cluster, seconds)) for _ in range(rounds)]
    found = Measured(_replicas(cluster), windows)
    print(found, flush=True)
    return found


async def _window(cluster: Cluster, seconds: float) -> Window:
    """Measure the machine idle, then under load."""
    serving = serving_processes(cluster)
    before = Costs.now(serving)
    await asyncio.sleep(seconds)
    idle = Costs.now(serving) - before
    async with AsyncExitStack() as stack:
        ways = [await stack.enter_async_context(connected(url)) for url in cluster.urls]
        callers = [_Caller(way, number) for way in ways for number in range(CALLERS)]
        tasks = [asyncio.create_task(caller.run()) for caller in callers]
        await asyncio.sleep(RAMP_S)
        ran, answered, before = _ran(cluster), sum(c.answered for c in callers), Costs.now(serving)
        await asyncio.sleep(seconds)
        cost = Costs.now(serving) - before
        answered = sum(c.answered for c in callers) - answered
        items, count = (after - at for after, at in zip(_ran(cluster), ran, strict=True))
        for caller in callers:
            caller.is_over = True
        await asyncio.gather(*tasks)
    if not answered:
        raise BenchFailed("no request was answered")
    return Window(
        rate=answered / cost.at_s,
        rows=items / count,
        serving_ms=1000 * cost.serving_s / answered,
        all_ms=1000 * (cost.machine_s - cost.callers_s) / answered,
        busy_percent=cost.busy_percent,
        idle_percent=idle.busy_percent,
    )


class _Caller:
    """Ask one ingress for one clip's embedding, again and again."""

    def __init__(self, way: Connections, number: int) -> None:
        self.answered = 0
        self.is_over = False
        self._way = way
        self._request = prepared("http://localhost" + PATH, content=clip(number), headers=HEADERS)
        right = np.zeros(SIZE, np.float32)
        right[number] = 1.0
        self._right = right.tobytes()

    async def run(self) -> None:
        """Ask until it is over. Raises BenchFailed: an answer is not the right one."""
        while not self.is_over:
            reply = await self._way.send(self._request)
            if reply.status != httpx.codes.OK or reply.body != self._right:
                raise BenchFailed(f"a caller got {reply.status} {reply.body[:200]!r}")
            self.answered += 1


def _ran(cluster: Cluster) -> tuple[int, int]:
    """Count the items and batches of all replicas."""
    url = f"{cluster.urls[0]}/v1/models/speaker"
    counts = httpx.get(url, timeout=30).json()["statistics"]
    return counts["items"], counts["batches"]


def _linear(some: Measured, one: Measured) -> Aim:
    share = some.rate / some.nodes / one.rate
    what = f"requests/s of {some.nodes} nodes, of {some.nodes} times one's"
    return Aim(what, f"{share:.2f}", f"at least {LEAST_LINEAR:g}", share >= LEAST_LINEAR)


def results(found: Sequence[Measured]) -> Results:
    alone, most = found[0], found[-1]
    busiest = max(window.busy_percent for each in found for window in each.windows)
    aims = [
        *(_linear(each, alone) for each in found[1:]),
        Aim.at_most(
            f"CPU time of a request on {most.nodes} nodes, of that on one",
            most.serving_ms / alone.serving_ms,
            MOST_CPU,
        ),
        Aim.at_most("this machine's cores, busy", busiest, MOST_BUSY_PERCENT, " %"),
    ]
    columns: dict[str, Callable[[Measured], Cell]] = {
        "nodes": lambda each: each.nodes,
        "replicas on each": lambda each: ", ".join(map(str, each.replicas)),
        "requests/s": lambda each: each.of(lambda w: w.rate).text(),
        "rows a batch": lambda each: each.of(lambda w: w.rows).text(),
        "CPU ms a request, ingresses and models": lambda each: each.of(lambda w: w.serving_ms).text(
            2
        ),
        "CPU ms a request, whole machine but the callers": lambda each: each.of(
            lambda w: w.all_ms
        ).text(2),
        "cores busy, %": lambda each: each.of(lambda w: w.busy_percent).text(),
        "cores busy without load, %": lambda each: each.of(lambda w: w.idle_percent).text(),
    }
    title = f"{CALLERS} callers a node; a batch of up to {ROWS} rows takes {BASE_MS:g} ms"
    return Results(
        name="cluster",
        title="More nodes",
        findings=[f"{aim.what}: {aim.measured} ({aim.aim})." for aim in aims],
        tables=[Table.of(title, found, columns)],
        notes=[
            "All nodes share this machine's cores, so what is seen is whether the nodes' models "
            "are kept busy, and what that costs. Each node has an ingress, and the server spreads "
            "the replicas. A request's CPU time is all that these processes spend under load,"
            " with what they spend idle; Ray's own processes are in the whole machine's, with all"
            " else that runs there."
        ],
        raw={"measured": [asdict(each) for each in found]},
        failed=not all(aim.met for aim in aims),
    )
