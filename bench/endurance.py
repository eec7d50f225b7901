"""A long mixed load under deaths: is every answer its own request's, is any lost, does memory grow?

Callers send requests of every kind, each as soon as the one before is answered. A part of them
leave in the middle: half of these while they send, half while they wait. Every two minutes a
replica of a model is killed. Each request was asked once before, alone; what its callers get under
load must be nearest to that.

    python -m bench.endurance [--minutes 20] [--callers 8] [--fakes]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from bench.endurance_cases import Case, Content, cases, is_own, kinds
from bench.results import Cell, Results, Table, show, write
from bench.serving import CONFIG
from tests.support.server import Running, config_on_a_free_port, fakes_config, running

LEAVE = 0.25  # of the callers' requests
KILL_EACH_S = 120.0
FIRST_KILL = 0.25  # of that time: short runs have a kill, too
ANSWER_S = 300.0  # more than a model takes to come back
REST_S = 10.0  # before memory is read
MB = 1e6
REPLICA = re.compile(r"ray::ServeReplica:[^:]+:([\w-]+)")


@dataclass
class Outcomes:
    """What became of the requests, by kind; what went wrong, in words."""

    right: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--fakes", action="store_true", help="models that take no time")
    asked = parser.parse_args()
    config = fakes_config() if asked.fakes else yaml.safe_load(CONFIG.read_text())
    with (
        tempfile.TemporaryDirectory() as folder,
        running(config_on_a_free_port(Path(folder), config)) as server,
    ):
        outcomes, before, after = asyncio.run(
            endure(server, asked.minutes * 60, asked.callers, asked.seed)
        )
    found = results(outcomes, before, after, asked.minutes, asked.callers)
    if asked.fakes:
        show(found.tables, [*found.findings, *found.notes])
    else:
        write(found)
    sys.exit(1 if outcomes.wrong or outcomes.lost else 0)


async def endure(
    server: Running, duration_s: float, callers: int, seed: int
) -> tuple[Outcomes, Mapping[str, float], Mapping[str, float]]:
    """The outcomes, and what each process held before and after."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.url, timeout=ANSWER_S, limits=limits) as http:
        expected, alone_s = await ask_alone(http)
        await asyncio.sleep(REST_S)
        before = held_mb(server)
        outcomes, until = Outcomes(), time.monotonic() + duration_s
        killer = asyncio.create_task(kill(server, outcomes, random.Random(seed)))
        told = asyncio.create_task(tell(outcomes, duration_s))
        await asyncio.gather(
            *(
                call(http, outcomes, expected, alone_s, until, random.Random(f"{seed} {number}"))
                for number in range(callers)
            )
        )
        for task in (killer, told):
            task.cancel()
    await asyncio.sleep(REST_S)
    return outcomes, before, held_mb(server)


async def ask_alone(http: httpx.AsyncClient) -> tuple[dict[Case, Content], dict[Case, float]]:
    """What each request is answered when it comes alone, and after which time (s)."""
    expected: dict[Case, Content] = {}
    alone_s: dict[Case, float] = {}
    every = cases()
    for case in [*every, *every]:  # the first time warms up
        began = time.monotonic()
        answer = await http.post(case.path, **case.request)
        assert answer.status_code == 200, f"{case.kind}: {answer.status_code} {answer.text[:300]}"
        expected[case], alone_s[case] = case.read(answer), time.monotonic() - began
    return expected, alone_s


# ---- callers -----------------------------------------------------------------------------


async def call(
    http: httpx.AsyncClient,
    outcomes: Outcomes,
    expected: Mapping[Case, Content],
    alone_s: Mapping[Case, float],
    until: float,
    rng: random.Random,
) -> None:
    """One caller: a request after the other until the time is over."""
    every = list(expected)
    while time.monotonic() < until:
        case = rng.choice(every)
        if rng.random() < LEAVE:
            await leave(http, case, rng.random() * alone_s[case], sending=rng.random() < 0.5)
            outcomes.left[case.kind] += 1
        else:
            await stay(http, outcomes, case, expected)


async def stay(
    http: httpx.AsyncClient, outcomes: Outcomes, case: Case, expected: Mapping[Case, Content]
) -> None:
    """Wait for the answer, and judge it."""
    try:
        answer = await http.post(case.path, **case.request)
    except httpx.HTTPError as error:
        outcomes.lost[case.kind] += 1
        outcomes.told.append(f"lost, {case.kind}: {error!r}")
        return
    if answer.status_code != 200:
        outcomes.lost[case.kind] += 1
        outcomes.told.append(f"lost, {case.kind}: {answer.status_code} {answer.text[:200]}")
        return
    content = case.read(answer)
    if is_own(case, content, expected):
        outcomes.right[case.kind] += 1
    else:
        outcomes.wrong[case.kind] += 1
        what = content if isinstance(content, str | float) else "an embedding"
        outcomes.told.append(f"wrong, {case.kind} of {case.id!r}: {what!r}")


async def leave(http: httpx.AsyncClient, case: Case, after_s: float, *, sending: bool) -> None:
    """Send a request, or half of its body, and close the connection after so long."""
    request = http.build_request("POST", case.path, **case.request)
    if sending:
        body = request.read()
        request = http.build_request(
            "POST", case.path, content=_half(body), headers=_without_encoding(request)
        )
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(after_s):
            await http.send(request)


async def _half(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    await asyncio.Event().wait()


def _without_encoding(request: httpx.Request) -> dict[str, str]:
    """The headers, with the length of the whole body."""
    return {name: value for name, value in request.headers.items() if name != "transfer-encoding"}


# ---- deaths and memory -------------------------------------------------------------------


async def kill(server: Running, outcomes: Outcomes, rng: random.Random) -> None:
    """Kill one replica of one model after the other, a model each time."""
    content = yaml.safe_load(server.config_path.read_text())
    names = list(content["applications"][0]["args"]["models"])
    rng.shuffle(names)
    await asyncio.sleep(FIRST_KILL * KILL_EACH_S)
    while True:
        name = names[len(outcomes.killed) % len(names)]
        found = await asyncio.to_thread(server.replicas, name)
        if found:
            rng.choice(found).send_signal(signal.SIGKILL)
            outcomes.killed.append(name)
        await asyncio.sleep(KILL_EACH_S)


async def tell(outcomes: Outcomes, duration_s: float) -> None:
    """Print what was counted so far, once a minute."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(60)
        print(
            f"{time.monotonic() - began:.0f} of {duration_s:.0f} s: "
            f"{outcomes.right.total()} right, {outcomes.wrong.total()} wrong, "
            f"{outcomes.lost.total()} lost, {outcomes.left.total()} left, "
            f"{len(outcomes.killed)} replicas killed",
            flush=True,
        )


def held_mb(server: Running) -> dict[str, float]:
    """The resident memory of each process, by what it is; of several of one kind the sum."""
    found: Counter[str] = Counter()
    launcher = psutil.Process(server.process.pid)
    for process in [launcher, *launcher.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            found[_name(process)] += process.memory_info().rss
    return {name: size / MB for name, size in sorted(found.items())}


def _name(process: psutil.Process) -> str:
    command = process.cmdline()
    title = " ".join(command)
    if replica := REPLICA.match(title):
        return replica[1]
    if title.startswith("ray::"):
        return title.split()[0].partition(".")[0]  # without the call that it is in
    scripts = [Path(part).name for part in command[:5] if part.endswith(".py")]
    return scripts[0] if scripts else process.name()


# ---- report ------------------------------------------------------------------------------


def results(
    outcomes: Outcomes,
    before: Mapping[str, float],
    after: Mapping[str, float],
    minutes: float,
    callers: int,
) -> Results:
    counted = (outcomes.right, outcomes.wrong, outcomes.lost, outcomes.left)
    rows: list[list[Cell]] = [
        [kind, *(count[kind] for count in counted)] for kind in kinds(cases())
    ]
    rows.append(["all", *(count.total() for count in counted)])
    names = sorted(before.keys() | after.keys())
    memory: list[list[Cell]] = [
        [name, _mb(before.get(name)), _mb(after.get(name))] for name in names
    ]
    memory.append(["all", _mb(sum(before.values())), _mb(sum(after.values()))])
    right, wrong, lost, left = (count.total() for count in counted)
    finding = (
        f"In {minutes:g} minutes {callers} callers had {right + wrong + lost} requests answered or "
        f"refused, {wrong} of them wrongly and {lost} not at all; {left} left in the middle; "
        f"{len(outcomes.killed)} replicas were killed ({', '.join(outcomes.killed) or 'none'})."
    )
    return Results(
        name="endurance",
        title="A long mixed load",
        findings=[finding],
        tables=[
            Table("Requests", ["kind", "right", "wrong", "lost", "left"], rows),
            Table("Resident memory, MB", ["process", "at the start", "at the end"], memory),
        ],
        notes=outcomes.told[:20],
        raw={"killed": outcomes.killed},
    )


def _mb(value: float | None) -> Any:
    return None if value is None else round(value)


if __name__ == "__main__":
    main()
