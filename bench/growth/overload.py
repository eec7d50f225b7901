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
from dataclasses import dataclass
from typing import Any

from bench.growth.swept import Step, Swept, results
from bench.results import Results
from bench.serving import BenchFailed, Config, Server, default_config, serving, sleeper
from dragoman_client import AsyncClient
from load.connections import asker, connected, prepared
from load.figures import percentile, summarise
from load.steps import Length, Load, Outcome, RealClock, Recording, Stepper
from tests.support.speech import clip

SLEEPER = "speaker-sleep"
MULTIPLES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.5, 2.0, 3.0)  # of the capacity
FEW = (0.5, 1.0, 3.0)
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


@dataclass(frozen=True)
class Target:
    """One request that is sent again and again, and the callers of the closed loop before."""

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
    swept = Swept(
        target.name,
        target.multiples,
        figures.throughput_rps,
        DEADLINE * figures.latency_ms["p50"],
    )
    for number in range(rounds):
        for multiple in target.multiples if number % 2 == 0 else target.multiples[::-1]:
            swept.steps.append(await _step(server, target, swept, multiple, number))
            tell(swept, swept.steps[-1])
    return swept


async def _step(server: Server, target: Target, swept: Swept, multiple: float, seed: int) -> Step:
    rate_rps = multiple * swept.capacity_rps
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
        f"{swept.name} x{step.multiple:g} ({step.rate_rps:.1f}/s): {step.answered} of "
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
