"""A cluster on a virtual clock: real batchers, real gathering and ranking, models that sleep.

What is no batching is a cost: an ingress process does one thing at a time, and so do the callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from bench.scaling.cluster import MS, Carried, Cluster
from bench.virtual_time import VirtualClock, VirtualLoop
from deployments.batching.batch import BatchReply, Rows
from deployments.batching.batcher import Batcher
from deployments.batching.concurrency import detached
from deployments.serve.gathering import Answer, Bounds, Waiting
from deployments.serve.ranking import ranked
from load.endpoints import Answer as Answered
from load.figures import after, percentile
from load.steps import Length, Load, Recording, Stepper

JITTER = 0.1  # of a batch's time: without it callers would keep step for ever
ENOUGH = 1 << 30  # cores
MOMENT_S = 1e-6  # that is not waited for
AHEAD = 0.25  # of the answers, which are not counted: the batchers learn


@dataclass(frozen=True, slots=True)
class Item:
    length: float = 1.0


class Process:
    """Does its work in the order in which it came, on the cores that it shares with others.

    Half of what that takes is by chance.
    """

    def __init__(self, cores: asyncio.Semaphore, chance: random.Random) -> None:
        self._cores, self._chance = cores, chance
        self._one_at_a_time = asyncio.Lock()

    async def spend(self, duration_ms: float) -> None:
        async with self._one_at_a_time, self._cores:
            await asyncio.sleep(duration_ms / MS * (1 + self._chance.expovariate(1)) / 2)


class Replica:
    """A model's replica: it runs one batch after another, of what waits there."""

    def __init__(
        self, cluster: Cluster, node: int, chance: random.Random, cores: asyncio.Semaphore
    ) -> None:
        self.node = node
        self.ongoing = 0  # batches that are here
        self.batches: list[tuple[float, int]] = []  # when each began, and its rows
        self._model, self._chance = cluster.model, chance
        self._process, self._call_ms = Process(cores, chance), cluster.costs.call
        self._waiting = Waiting()
        self._came = asyncio.Event()
        self._is_running = False

    async def run(
        self, rows: Sequence[Item], bounds: Bounds | None, held_s: Sequence[float]
    ) -> Answer:
        await self._process.spend(self._call_ms / 2)
        done = self._waiting.add(rows, bounds, asyncio.get_running_loop().time(), held_s)
        self._came.set()
        if not self._is_running:
            self._is_running = True
            detached(self._run_all())
        answer = await asyncio.wrap_future(done)
        await self._process.spend(self._call_ms / 2)
        return answer

    async def _run_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if (wait_s := self._waiting.wait_s(loop.time())) > MOMENT_S:
                self._came.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._came.wait(), wait_s)
                continue
            if not (together := self._waiting.taken()):
                continue
            rows = [row for part in together for row in part.rows]
            took_s = self._model.batch_s(len(rows)) * self._chance.uniform(1 - JITTER, 1 + JITTER)
            began = loop.time()
            self.batches.append((began, len(rows)))
            await asyncio.sleep(took_s)
            self._waiting.ended(together, rows, began, took_s)
        self._is_running = False


class Known:
    """A replica as an ingress' router knows it."""

    def __init__(self, replica: Replica, node: int) -> None:
        self.replica = replica
        self.is_near = replica.node == node
        self.batches = 0  # at it: as it said at the last one, and those that were sent since


class Ingress:
    """An ingress process with its batcher and its router."""

    def __init__(
        self,
        cluster: Cluster,
        node: int,
        replicas: Sequence[Replica],
        process: Process,
    ) -> None:
        self._costs, self._gathers = cluster.costs, cluster.gathers
        self._known = [Known(replica, node) for replica in replicas]
        self._process = process
        self._batcher: Batcher[Item, Item] = Batcher(
            *("model", self._send, cluster.model.policy),
            replicas=cluster.replicas_of_an_ingress,
            clock=VirtualClock(),
        )

    async def ask(self) -> None:
        """Answer one request."""
        await self._process.spend(self._costs.request / 2)
        await self._batcher.submit(Item())
        await self._process.spend(self._costs.request / 2)

    async def _send(self, rows: Sequence[Item]) -> BatchReply[Item]:
        await self._process.spend(self._costs.batch / 2)
        known = min(ranked(self._known, lambda each: each.batches)[0], key=lambda k: k.batches)
        way_s = (self._costs.way if known.is_near else self._costs.far_way) / MS
        policy = self._batcher.may_join if self._gathers else None
        known.batches += 1
        await asyncio.sleep(way_s)
        replica = known.replica
        replica.ongoing += 1
        known.batches = replica.ongoing
        held_s = rows.held_s if isinstance(rows, Rows) else ()
        bounds = None if policy is None else Bounds.of(policy)
        done = await replica.run(rows, bounds, held_s)
        replica.ongoing -= 1
        await asyncio.sleep(way_s)
        known.batches = max(0, known.batches - 1)
        await self._process.spend(self._costs.batch / 2)
        together = None if bounds is None else (done.ran, done.ran * (done.longest or 1.0))
        times = (done.execution_s, done.waited_s, way_s, way_s)
        return BatchReply(done.results, *times, together=together, busy_s=done.busy_s)


class Balancer:
    """The way from callers to ingresses; a connection that is free is used again."""

    def __init__(
        self,
        ingresses: Sequence[Ingress],
        cluster: Cluster,
        chance: random.Random,
        cores: asyncio.Semaphore,
    ) -> None:
        self._caller_ms, self._callers = cluster.costs.caller, Process(cores, chance)
        self._next: Callable[[], Ingress] = itertools.cycle(ingresses).__next__
        if cluster.spread == "chance":
            self._next = partial(chance.choice, ingresses)
        self._keeps = cluster.spread != "turns"
        self._free: list[Ingress] = []

    async def ask(self, number: int) -> Answered:
        await self._callers.spend(self._caller_ms / 2)
        ingress = self._free.pop() if self._free else self._next()
        await ingress.ask()
        if self._keeps:
            self._free.append(ingress)
        await self._callers.spend(self._caller_ms / 2)
        return Answered()


def simulate(cluster: Cluster, load: Load, answers: int, seed: int = 0) -> Carried:
    """Return what a cluster makes of a load, by so many answers that are counted."""
    random.seed(seed)  # of the ranking
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_carried(cluster, load, answers, seed))


async def _carried(cluster: Cluster, load: Load, answers: int, seed: int) -> Carried:
    chance, nodes = random.Random(seed), range(cluster.nodes)
    cores = asyncio.Semaphore(cluster.cores or ENOUGH)
    replicas = [
        Replica(cluster, node, chance, cores) for node in nodes for _ in range(cluster.replicas)
    ]
    ingresses = [
        Ingress(cluster, node, replicas, Process(cores, chance))
        for node in nodes
        for _ in range(cluster.ingresses)
    ]
    ahead = int(AHEAD * answers)
    length = (
        Length(answers=ahead + answers)
        if load.loop == "closed"
        else Length(requests=ahead + answers)
    )
    recording = Recording(load)
    stepper = Stepper(Balancer(ingresses, cluster, chance, cores).ask, VirtualClock(), seed=seed)
    await stepper.run(recording, length)
    recording.outcomes.sort(key=lambda outcome: outcome.ended_s)
    began_s, kept = recording.outcomes[ahead - 1].ended_s, after(recording, ahead)
    ran = [rows for replica in replicas for at, rows in replica.batches if at >= began_s]
    took_ms = sorted(outcome.latency_ms for outcome in kept.outcomes)
    return Carried(
        requests_s=len(kept.outcomes) / kept.elapsed_s,
        rows=sum(ran) / len(ran),
        p50_ms=percentile(took_ms, 50),
        p95_ms=percentile(took_ms, 95),
    )
