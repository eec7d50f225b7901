"""Latency and goodput against the offered load, up to three times of what the server can do.

A closed loop finds the capacity. Then requests arrive by a Poisson schedule whatever the server
does, each with a deadline of ``DEADLINE`` times the closed loop's median latency, which the
request tells the server. Goodput is answers within the deadline; nothing is tried again.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import median
from typing import Any

from bench.results import Chart, Results, Series, Spread, Table
from bench.serving import BenchFailed, Config, Server, default_config, serving, sleeper
from dragoman_client import AsyncClient
from load.connections import asker, connected, prepared
from load.figures import percentile, summarise
from load.steps import Length, Load, Outcome, RealClock, Recording, Stepper
from tests.support.speech import clip

SLEEPER = "speaker-sleep"
MULTIPLES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.5, 2.0, 3.0)  # of the capacity
FEW = (0.5, 1.0, 3.0)
PAST = 3.0  # what is promised past saturation holds there
DEADLINE = 2.0  # times the median latency in the closed loop
MARGIN = 0.1  # of its time, by which a caller tells the server to give up before it does
WARM_UP = 3
CALL_S = 60.0  # what a call of the closed loop may take
REFUSED = ("503 queue_full", "503 overloaded")  # at once, by a bound
EXPIRED = ("503 queue_deadline_passed", "504 deadline_passed", "no answer in time")
PARAGRAPH = (
    "Please wait a moment, I will ask my colleague about the new contract. "
    "The next train to the airport leaves from the second platform. "
    "We will call you back tomorrow morning, between nine and eleven. "
    "You can leave your luggage at the reception until the evening."
)
NOTE = (
    "Capacity is the throughput of a closed loop, and the deadline twice its median latency. "
    "Requests of the open loop arrive by a Poisson schedule, in its own process on the same "
    "cores; latency counts from the scheduled moment, so that the generator's own delay is in it. "
    "A refusal at once is a 503 that names a full queue. `speaker-sleep` only sleeps: 50 ms + "
    "10 ms an item, at most 8 of them."
)


@dataclass(frozen=True)
class Target:
    """What is loaded: one request again and again, and the callers of the closed loop before."""

    name: str
    path: str
    content: Mapping[str, Any]  # as ``prepared`` takes it
    callers: int
    step_s: float  # of each load, in each round
    multiples: Sequence[float] = MULTIPLES

    async def run(
        self, server: Server, load: Load, length: Length, timeout_s: float, seed: int = 0
    ) -> Recording:
        headers = {"x-timeout-ms": str(round(timeout_s * (1 - MARGIN) * 1000))}
        request = prepared(f"{server.url}{self.path}", headers=headers, **self.content)
        recording = Recording(load)
        async with connected(server.url, timeout_s) as connections:
            stepper = Stepper(asker(connections, [request]), RealClock(), seed=seed)
            await stepper.run(recording, length)
        return recording


@dataclass(frozen=True)
class Step:
    """What one load came to in one round."""

    multiple: float
    rate_rps: float
    requests: int
    answered: int
    goodput_rps: float
    latencies_ms: Sequence[float]  # of the answers, ascending
    refusals_ms: Sequence[float]  # time to a refusal at once, ascending
    expired: int
    failed: int  # in any other way
    retry_after_s: Sequence[float]  # every value that was told
    items_run: dict[str, int]  # by model, in the whole step
    lag_p99_ms: float  # how late the generator was
    generator_cpu: float  # of one core


@dataclass
class Swept:
    """One target's capacity and its steps, all rounds."""

    target: Target
    capacity_rps: float
    deadline_ms: float
    steps: list[Step] = field(default_factory=list)

    def of(self, multiple: float) -> list[Step]:
        return [step for step in self.steps if step.multiple == multiple]

    def goodput(self, multiple: float) -> Spread:
        return Spread.of([step.goodput_rps for step in self.of(multiple)])

    @property
    def peak_rps(self) -> float:
        """Return the best median goodput of any load."""
        return max(self.goodput(multiple).median for multiple in self.target.multiples)

    def of_peak(self, multiple: float) -> Spread:
        return Spread.of([step.goodput_rps / self.peak_rps for step in self.of(multiple)])

    def times_ms(self, multiple: float, which: str) -> list[float]:
        """List the latencies or the refusals of all rounds, ascending."""
        return sorted(ms for step in self.of(multiple) for ms in getattr(step, which))

    def percentile_ms(self, multiple: float, which: str, percent: float) -> float | None:
        ordered = self.times_ms(multiple, which)
        return percentile(ordered, percent) if ordered else None

    def p99_of_deadline(self, multiple: float, which: str) -> float | None:
        p99_ms = self.percentile_ms(multiple, which, 99)
        return None if p99_ms is None else p99_ms / self.deadline_ms

    def share(self, multiple: float, count: str) -> str:
        """Return which share of the requests were refused, expired or failed."""
        counts = (getattr(step, count) for step in self.of(multiple))
        some = sum(each if isinstance(each, int) else len(each) for each in counts)
        return f"{some / max(1, sum(step.requests for step in self.of(multiple))):.0%}"


def config() -> Config:
    """Serve the default models with their real weights, and one that only sleeps."""
    found = default_config()
    (application,) = found["applications"]
    application["args"]["models"][SLEEPER] = sleeper(base_ms=50.0, item_ms=10.0)
    policies = application["deployments"][0]["user_config"]["batching"]
    policies[SLEEPER] = {"max_batch_size": 8, "max_queue_delay_ms": 5}
    return found


def targets(quick: bool) -> list[Target]:
    """Load a model that costs no CPU, two real stages, and the whole graph."""
    text = {"text": PARAGRAPH, "source_language": "en", "target_language": "pt"}
    long, short = (
        {"file": ("audio", clip(name).path.read_bytes())}
        for name in ("en-followme_status", "en-please-try-call-later")
    )
    many = FEW if quick else MULTIPLES
    embeddings = "/v1/audio/embeddings"
    return [
        Target("sleep", embeddings, {"files": long, "data": {"model": SLEEPER}}, 16, 5, many),
        Target("nmt", "/v1/text/translations", {"json": text}, 16, 6, many),
        Target("speaker", embeddings, {"files": long}, 16, 5, many),
        Target(
            "graph",
            "/v1/speech/translations",
            {"files": short, "data": {"target_language": "pt"}},
            3,
            20 if quick else 30,
            FEW,
        ),
    ]


async def sweep(server: Server, target: Target, rounds: int) -> Swept:
    """Find the capacity, then offer each load ``rounds`` times, up and down in turns."""
    callers, length = Load("closed", target.callers), Length(duration_s=2 * target.step_s)
    await target.run(server, Load("closed", 1), Length(requests=WARM_UP), CALL_S)
    figures = summarise(
        await target.run(server, callers, length, CALL_S), slo_ms=None, mean_batch={}
    )
    if figures.latency_ms is None or figures.failed:
        raise BenchFailed(f"{target.name}: the closed loop failed: {figures.errors}")
    swept = Swept(target, figures.throughput_rps, DEADLINE * figures.latency_ms["p50"])
    for number in range(rounds):
        for multiple in target.multiples if number % 2 == 0 else target.multiples[::-1]:
            swept.steps.append(await _step(server, swept, multiple, number))
            tell(swept, swept.steps[-1])
    return swept


async def _step(server: Server, swept: Swept, multiple: float, seed: int) -> Step:
    target, rate_rps = swept.target, multiple * swept.capacity_rps
    before, used_s = await _items(server.url), time.process_time()
    load, length = Load("open", rate_rps), Length(duration_s=target.step_s)
    recording = await target.run(server, load, length, swept.deadline_ms / 1000, seed)
    used_s = time.process_time() - used_s
    ran = await _items(server.url)
    ran.subtract(before)
    figures = summarise(recording, slo_ms=swept.deadline_ms, mean_batch={})
    outcomes = recording.outcomes
    lags_ms = sorted(outcome.send_delay_ms for outcome in outcomes)
    refusals_ms = [o.latency_ms - o.send_delay_ms for o in outcomes if _kind(o) in REFUSED]
    expired = sum(_kind(outcome) in EXPIRED for outcome in outcomes)
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    return Step(
        multiple=multiple,
        rate_rps=rate_rps,
        requests=figures.requests,
        answered=figures.answered,
        goodput_rps=figures.goodput_rps or 0.0,
        latencies_ms=sorted(o.latency_ms for o in outcomes if o.answer is not None),
        refusals_ms=sorted(refusals_ms),
        expired=expired,
        failed=figures.requests - figures.answered - expired - len(refusals_ms),
        retry_after_s=[f.retry_after_s for f in failures if f.retry_after_s is not None],
        items_run=dict(+ran),
        lag_p99_ms=percentile(lags_ms, 99) if lags_ms else 0.0,
        generator_cpu=used_s / recording.elapsed_s,
    )


def _kind(outcome: Outcome) -> str | None:
    return None if outcome.failure is None else outcome.failure.kind


async def _items(url: str) -> Counter[str]:
    """Count what each model has run so far."""
    async with AsyncClient(url) as client:
        return Counter({model.id: model.statistics.items for model in await client.models()})


def tell(swept: Swept, step: Step) -> None:
    print(
        f"{swept.target.name} x{step.multiple:g} ({step.rate_rps:.1f}/s): {step.answered} of "
        f"{step.requests} answered, goodput {step.goodput_rps:.2f}/s, refused "
        f"{len(step.refusals_ms)}, expired {step.expired}, failed {step.failed}, ran "
        f"{step.items_run}, generator {step.generator_cpu:.0%} late {step.lag_p99_ms:.0f} ms",
        flush=True,
    )


def measure(args: argparse.Namespace) -> Results:
    """Sweep every target in turn, before one server."""

    async def all_targets(server: Server) -> list[Swept]:
        return [await sweep(server, target, args.rounds) for target in targets(args.quick)]

    with serving(config()) as server:
        return results(asyncio.run(all_targets(server)))


# ---- telling -----------------------------------------------------------------------------


def results(found: Sequence[Swept]) -> Results:
    goodput, tail = [], []
    for swept in found:
        name, multiples = swept.target.name, swept.target.multiples
        goodput.append(Series.of(name, {m: swept.of_peak(m) for m in multiples}))
        p99s = {m: swept.p99_of_deadline(m, "latencies_ms") for m in multiples}
        known = {m: share for m, share in p99s.items() if share is not None}
        tail.append(Series(name, [*known], [*known.values()]))
    load = "offered load, of the capacity"
    return Results(
        name="swept",
        title="Overload",
        findings=[finding(swept) for swept in found],
        tables=[table(swept) for swept in found],
        charts=[
            Chart("Goodput against offered load", load, "goodput, of its peak", goodput),
            Chart("p99 of the answers against offered load", load, "p99, of the deadline", tail),
        ],
        notes=[NOTE],
        raw={
            "steps": [
                {
                    "target": swept.target.name,
                    "capacity_rps": swept.capacity_rps,
                    "deadline_ms": swept.deadline_ms,
                    "steps": [asdict(step) for step in swept.steps],
                }
                for swept in found
            ]
        },
    )


def table(swept: Swept) -> Table:
    """Make a row of each load; each figure is over all of its rounds."""
    name, of, at = swept.target.name, swept.of, swept.percentile_ms
    return Table.of(
        f"{name}: capacity {swept.capacity_rps:.1f} requests/s, deadline "
        f"{swept.deadline_ms:.0f} ms",
        swept.target.multiples,
        {
            "load, of capacity": lambda m: f"{m:g}",
            "requests/s": lambda m: round(of(m)[0].rate_rps, 1),
            "goodput/s": lambda m: swept.goodput(m).text(),
            "goodput of peak": lambda m: f"{swept.goodput(m).median / swept.peak_rps:.0%}",
            "answers p50 ms": partial(at, which="latencies_ms", percent=50),
            "answers p99 ms": partial(at, which="latencies_ms", percent=99),
            "refused at once": partial(swept.share, count="refusals_ms"),
            "refusals p50 ms": partial(at, which="refusals_ms", percent=50),
            "refusals p99 ms": partial(at, which="refusals_ms", percent=99),
            "deadline passed": partial(swept.share, count="expired"),
            "failed": partial(swept.share, count="failed"),
            "Retry-After s": lambda m: told(of(m)),
            "generator late p99 ms": lambda m: round(max(step.lag_p99_ms for step in of(m))),
            "its CPU": lambda m: f"{median(step.generator_cpu for step in of(m)):.0%}",
        },
    )


def told(steps: Sequence[Step]) -> str | None:
    values = sorted({value for step in steps for value in step.retry_after_s})
    return " ".join(f"{value:g}" for value in values) or None


def finding(swept: Swept) -> str:
    share = swept.of_peak(PAST)
    sentence = (
        f"{swept.target.name}: at {PAST:g} times the capacity offered, goodput is "
        f"{share.text(2)} of its peak"
    )
    if (answers := swept.p99_of_deadline(PAST, "latencies_ms")) is not None:
        sentence += f"; p99 of the answers is {answers:.2f} of the deadline"
    if (refusals := swept.p99_of_deadline(PAST, "refusals_ms")) is not None:
        sentence += f", that of the refusals {refusals:.2f}"
    return f"{sentence}."
