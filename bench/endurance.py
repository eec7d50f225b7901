"""A long mixed load under deaths: wrong answers, lost ones, and memory that grows.

    python -m bench.endurance [--minutes 20] [--callers 8] [--fakes]

Callers send requests of every kind, each as soon as the one before is answered. A part of them
leave in the middle: half of these while they send, half while they wait. Every two minutes a
replica of a model is killed. Each request was asked once before, alone; what its callers get under
load must be nearest to that.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from bench.command import flag, run, value
from bench.endurance_cases import Case, Content, cases, is_own, kinds
from bench.memory import resident_mb
from bench.results import Cell, Results, Table
from bench.serving import BenchFailed, Server, default_config, serving
from load.endpoints import Answer
from load.steps import Length, Load, RealClock, Recording, Stepper
from tests.support.server import fakes_config

LEAVE = 0.25  # of the callers' requests
KILL_EACH_S = 120.0
FIRST_KILL = 0.25  # of that time: short runs have a kill, too
ANSWER_S = 300.0  # more than a model takes to come back
REST_S = 10.0  # before memory is read
TELL_S = 60.0
ENDS = ("right", "wrong", "lost", "left")


@dataclass
class Outcomes:
    """Count how the requests ended, by kind; ``told`` says in words what went wrong."""

    ended: dict[str, Counter[str]] = field(
        default_factory=lambda: {end: Counter[str]() for end in ENDS}
    )
    told: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)

    def total(self, end: str) -> int:
        return self.ended[end].total()


@dataclass
class Callers:
    """Send the requests of the load; ``expected`` is what each is answered alone."""

    http: httpx.AsyncClient
    seed: int
    outcomes: Outcomes = field(default_factory=Outcomes)
    expected: dict[Case, Content] = field(default_factory=dict)
    alone_s: dict[Case, float] = field(default_factory=dict)

    async def ask_alone(self) -> None:
        every = cases()
        for case in [*every, *every]:  # the first time warms up
            began_s = time.monotonic()
            answer = await self.http.post(case.path, **case.request)
            if answer.status_code != 200:
                raise BenchFailed(f"{case.kind}: {answer.status_code} {answer.text[:300]}")
            self.expected[case] = case.read(answer)
            self.alone_s[case] = time.monotonic() - began_s

    async def ask(self, number: int) -> Answer:
        """Send one request and wait for its answer, or leave in the middle."""
        chance = random.Random(f"{self.seed} {number}")
        case = chance.choice([*self.expected])
        if chance.random() < LEAVE:
            after_s, sending = chance.random() * self.alone_s[case], chance.random() < 0.5
            await leave(self.http, case, after_s, sending=sending)
            end, told = "left", ""
        else:
            end, told = await self.stay(case)
        self.outcomes.ended[end][case.kind] += 1
        if told:
            self.outcomes.told.append(f"{end}, {case.kind}{told}")
        return Answer()

    async def stay(self, case: Case) -> tuple[str, str]:
        """Wait for the answer and judge it: how it ended, and in words what is wrong."""
        try:
            answer = await self.http.post(case.path, **case.request)
        except httpx.HTTPError as error:
            return "lost", f": {error!r}"
        if answer.status_code != 200:
            return "lost", f": {answer.status_code} {answer.text[:200]}"
        content = case.read(answer)
        if is_own(case, content, self.expected):
            return "right", ""
        what = content if isinstance(content, str | float) else "an embedding"
        return "wrong", f" of {case.id!r}: {what!r}"


async def leave(http: httpx.AsyncClient, case: Case, after_s: float, *, sending: bool) -> None:
    """Send a request, or half of its body, and close the connection after so long."""
    request = http.build_request("POST", case.path, **case.request)
    if sending:
        body = request.read()
        headers = {n: v for n, v in request.headers.items() if n != "transfer-encoding"}
        request = http.build_request("POST", case.path, content=_half(body), headers=headers)
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(after_s):
            await http.send(request)


async def _half(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    await asyncio.Event().wait()


async def kill(server: Server, outcomes: Outcomes, rng: random.Random) -> None:
    """Kill one replica of one model after the other, a model each time."""
    names = list(server.models.models)
    rng.shuffle(names)
    await asyncio.sleep(FIRST_KILL * KILL_EACH_S)
    while True:
        name = names[len(outcomes.killed) % len(names)]
        found = await asyncio.to_thread(server.running.replicas, name)
        if found:
            rng.choice(found).send_signal(signal.SIGKILL)
            outcomes.killed.append(name)
        await asyncio.sleep(KILL_EACH_S)


async def tell(outcomes: Outcomes, duration_s: float) -> None:
    """Print what was counted so far, once a minute."""
    began_s = time.monotonic()
    while True:
        await asyncio.sleep(TELL_S)
        counts = ", ".join(f"{outcomes.total(end)} {end}" for end in ENDS)
        passed = f"{time.monotonic() - began_s:.0f} of {duration_s:.0f} s"
        print(f"{passed}: {counts}, {len(outcomes.killed)} replicas killed", flush=True)


async def endure(server: Server, args: argparse.Namespace) -> Results:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.url, timeout=ANSWER_S, limits=limits) as http:
        callers = Callers(http, args.seed)
        await callers.ask_alone()
        await asyncio.sleep(REST_S)
        before_mb, outcomes = resident_mb(server), callers.outcomes
        duration_s = args.minutes * 60
        beside = [
            asyncio.create_task(kill(server, outcomes, random.Random(args.seed))),
            asyncio.create_task(tell(outcomes, duration_s)),
        ]
        stepper = Stepper(callers.ask, RealClock())
        await stepper.run(Recording(Load("closed", args.callers)), Length(duration_s=duration_s))
        for task in beside:
            task.cancel()
    await asyncio.sleep(REST_S)
    return results(outcomes, before_mb, resident_mb(server), args)


def results(
    outcomes: Outcomes,
    before_mb: Mapping[str, float],
    after_mb: Mapping[str, float],
    args: argparse.Namespace,
) -> Results:
    counted = outcomes.ended.values()
    rows: list[list[Cell]] = [
        [kind, *(count[kind] for count in counted)] for kind in kinds(cases())
    ]
    rows.append(["all", *(count.total() for count in counted)])
    memory: list[list[Cell]] = [
        [name, *(round(held[name]) if name in held else None for held in (before_mb, after_mb))]
        for name in sorted(before_mb.keys() | after_mb.keys())
    ]
    memory.append(["all", round(sum(before_mb.values())), round(sum(after_mb.values()))])
    right, wrong, lost, left = map(outcomes.total, ENDS)
    finding = (
        f"In {args.minutes:g} minutes {args.callers} callers had {right + wrong + lost} requests "
        f"answered or refused, {wrong} of them wrongly and {lost} not at all; {left} left in the "
        f"middle; {len(outcomes.killed)} replicas were killed "
        f"({', '.join(outcomes.killed) or 'none'})."
    )
    return Results(
        name="endurance",
        title="A long mixed load",
        findings=[finding],
        tables=[
            Table("Requests", ["kind", *ENDS], rows),
            Table("Resident memory, MB", ["process", "at the start", "at the end"], memory),
        ],
        notes=outcomes.told[:20],
        raw={"killed": outcomes.killed},
        failed=bool(wrong or lost),
    )


def bench(args: argparse.Namespace) -> Results:
    if args.fakes:  # the figures are of no use
        args.folder = None
    with serving(fakes_config() if args.fakes else default_config()) as server:
        return asyncio.run(endure(server, args))


OPTIONS = {
    "minutes": value(20.0),
    "callers": value(8),
    "seed": value(18),
    "fakes": flag("models that take no time; nothing is written"),
}

if __name__ == "__main__":
    run(__doc__, bench, OPTIONS)
