"""Requests a second on 1, 2 and 3 nodes of one machine, and what a request costs on each."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import psutil

from bench.results import Aim, Cell, Results, Table
from tests.support.cluster.cluster import Cluster, fakes_config, running, wait_for
from tests.support.cluster.load import SIZE, WAIT_S, ask
from tests.support.cluster.replicas import batches
from tests.support.fakes import SLEEP

NODES = (1, 2, 3)
CALLERS = 32  # of each node, who ask again once they are answered
BASE_MS, ROWS = 400.0, 16
BUSY_PERCENT = 70.0  # of this machine's cores, at most: else they are what is measured


@dataclass(frozen=True)
class Measured:
    nodes: int
    right: int
    other: int
    rate: float
    cpu_ms: float  # of a request, in the server's and Ray's processes, beyond what they take idle
    busy_percent: float


def measure(args: argparse.Namespace) -> Results:
    """Begin with one node, and add one after another with a replica each."""
    found = []
    with running(NODES[0]) as cluster:
        for count in NODES:
            while len(cluster.nodes) < count:
                cluster.add()
            cluster.deploy(_config(count))
            cluster.until_ready()
            _until_spread(cluster)
            found.append(_one(cluster, args.seconds))
            print(found[-1], flush=True)
    return results(found)


def _until_spread(cluster: Cluster) -> None:
    def is_spread() -> bool:
        return len(batches(cluster)) == len(cluster.nodes)

    wait_for(is_spread, "as many replicas as nodes", 100.0)


def _config(replicas: int) -> dict[str, Any]:
    speaker = {"engine": SLEEP, "replicas": replicas, "options": {"base_ms": BASE_MS}}
    config = fakes_config(speaker=speaker)
    batching = {"batching": {"speaker": {"max_batch_size": ROWS}}}
    config["applications"][0]["deployments"][0]["user_config"] = batching
    return config


def _one(cluster: Cluster, seconds: float) -> Measured:
    asyncio.run(_asked(cluster.urls, seconds / 2))  # the estimates learn
    idle = _cpu_s(cluster)
    time.sleep(seconds / 2)
    idle_s = (_cpu_s(cluster) - idle) / (seconds / 2)
    psutil.cpu_percent()
    before, started = _cpu_s(cluster), time.monotonic()
    right, other = asyncio.run(_asked(cluster.urls, seconds))
    took_s = time.monotonic() - started
    busy = psutil.cpu_percent()
    cpu_s = _cpu_s(cluster) - before - idle_s * took_s
    return Measured(
        len(cluster.nodes), right, other, right / took_s, 1000 * cpu_s / max(1, right), busy
    )


async def _asked(urls: Sequence[str], seconds: float) -> tuple[int, int]:
    """Have each node's callers ask for a time; how many answers were right, and how many not."""
    until, counts = time.monotonic() + seconds, [0, 0]

    async def caller(client: httpx.AsyncClient, url: str, number: int) -> None:
        while time.monotonic() < until:
            sent = await ask(client, url, number)
            counts[sent.kind != "right"] += 1

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=WAIT_S, limits=limits) as client:
        numbers = range(CALLERS)
        await asyncio.gather(*(caller(client, u, n % SIZE) for u in urls for n in numbers))
    return counts[0], counts[1]


def _cpu_s(cluster: Cluster) -> float:
    """CPU seconds of all processes of all nodes until now."""
    total = 0.0
    for node in cluster.nodes:
        for process in node.processes():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system
    return total


def results(found: Sequence[Measured]) -> Results:
    alone = found[0]
    aims = [
        Aim.at_least(
            f"{each.nodes} nodes: of {each.nodes} times one's requests/s",
            each.rate / each.nodes / alone.rate,
            0.9,
        )
        for each in found[1:]
    ]
    dear = found[-1].cpu_ms / alone.cpu_ms
    aims.append(Aim.at_most(f"CPU a request on {found[-1].nodes} nodes, of that on one", dear, 1.2))
    busiest = max(each.busy_percent for each in found)
    aims.append(Aim.at_most("busy cores", busiest, BUSY_PERCENT, " %"))
    columns: dict[str, Callable[[Measured], Cell]] = {
        "nodes": lambda each: each.nodes,
        "requests/s": lambda each: round(each.rate, 1),
        "answers that were not right": lambda each: each.other,
        "CPU a request, ms": lambda each: round(each.cpu_ms, 2),
        "cores of this machine, % busy": lambda each: round(each.busy_percent),
    }
    title = f"{CALLERS} callers a node; a batch of up to {ROWS} rows takes {BASE_MS:g} ms"
    return Results(
        name="nodes",
        title="Nodes",
        findings=[f"{aim.what}: {aim.measured} ({aim.aim})" for aim in aims],
        tables=[Table.of(title, found, columns)],
    )
