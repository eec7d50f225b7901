"""Latency and goodput against the offered load, up to three times of what the server can do.

A closed loop finds the capacity. Then requests arrive by a Poisson schedule whatever the server
does, each with a deadline of ``DEADLINE`` times the closed loop's median latency, which the
client tells the server. Goodput is answers within the deadline; nothing is tried again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.growth.calls import Request, asker, form
from bench.growth.configs import Config, default_config, serving
from bench.results import Spread
from dragoman_client import AsyncClient, DragomanError
from load.endpoints import Answer, Ask
from load.figures import percentile, summarise
from load.steps import Length, Load, Outcome, RealClock, Recording, Stepper
from tests.support.fakes import SLEEP
from tests.support.speech import clip

SLEEPER = "speaker-sleep"
MULTIPLES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.5, 2.0, 3.0)  # of the capacity
FEW = (0.5, 1.0, 3.0)
DEADLINE = 2.0  # times the median latency in the closed loop
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
    """What is loaded: requests of one kind, and the callers of the closed loop before."""

    name: str
    request: Request
    callers: int
    step_s: float  # of each load, in each round
    multiples: Sequence[float] = MULTIPLES


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


@dataclass(frozen=True)
class Swept:
    """One target's capacity and its steps, all rounds."""

    target: Target
    capacity_rps: float
    deadline_ms: float
    steps: Sequence[Step]

    def of(self, multiple: float) -> list[Step]:
        return [step for step in self.steps if step.multiple == multiple]

    def goodput(self, multiple: float) -> Spread:
        return Spread.of([step.goodput_rps for step in self.of(multiple)])

    @property
    def peak_rps(self) -> float:
        """The best median goodput of any load."""
        return max(self.goodput(multiple).median for multiple in self.target.multiples)


def config() -> Config:
    """The default models with their real weights, and one that only sleeps."""
    found = default_config()
    (application,) = found["applications"]
    application["args"]["models"][SLEEPER] = {
        "engine": SLEEP,
        "options": {"base_ms": 50.0, "item_ms": 10.0},
    }
    policies = application["deployments"][0]["user_config"]["batching"]
    policies[SLEEPER] = {"max_batch_size": 8, "max_queue_delay_ms": 5}
    return found


def targets(quick: bool) -> list[Target]:
    """A model that costs no CPU, two real stages, and the whole graph."""
    text = {"text": PARAGRAPH, "source_language": "en", "target_language": "pt"}
    body = json.dumps(text).encode()
    nmt = Request("/v1/text/translations", lambda: body, "application/json")
    content = clip("en-followme_status").path.read_bytes()
    sleep = Request("/v1/audio/embeddings", form(content, model=SLEEPER))
    speaker = Request("/v1/audio/embeddings", form(content))
    short = clip("en-please-try-call-later").path.read_bytes()
    graph = Request("/v1/speech/translations", form(short, target_language="pt"))
    if quick:
        return [
            Target("sleep", sleep, 16, 4, FEW),
            Target("nmt", nmt, 16, 6, FEW),
            Target("speaker", speaker, 16, 5, FEW),
            Target("graph", graph, 3, 20, FEW),
        ]
    return [
        Target("sleep", sleep, 16, 5),
        Target("nmt", nmt, 16, 6),
        Target("speaker", speaker, 16, 5),
        Target("graph", graph, 3, 30, FEW),
    ]


async def sweep(url: str, target: Target, rounds: int) -> Swept:
    """Find the capacity, then offer each load ``rounds`` times, up and down in turns."""
    capacity_rps, deadline_s = await _capacity(url, target)
    steps = []
    for number in range(rounds):
        order = target.multiples if number % 2 == 0 else target.multiples[::-1]
        for multiple in order:
            steps.append(await _step(url, target, multiple, capacity_rps, deadline_s, number))
            _print(target, steps[-1])
    return Swept(target, capacity_rps, deadline_s * 1000, steps)


async def _capacity(url: str, target: Target) -> tuple[float, float]:
    """Requests/s of the closed loop, and the deadline (s) that its latency gives."""
    async with asker(url, target.request, CALL_S) as ask:
        for number in range(WARM_UP):
            await ask(number)
        recording = Recording(Load("closed", target.callers))
        await Stepper(ask, RealClock()).run(recording, Length(duration_s=2 * target.step_s))
    figures = summarise(recording, slo_ms=None, mean_batch={})
    if figures.latency_ms is None or figures.failed:
        raise RuntimeError(f"{target.name}: the closed loop failed: {figures.errors}")
    return figures.throughput_rps, DEADLINE * figures.latency_ms["p50"] / 1000


async def _step(
    url: str, target: Target, multiple: float, capacity_rps: float, deadline_s: float, seed: int
) -> Step:
    told: list[float] = []
    before = await _items(url)
    async with asker(url, target.request, deadline_s) as ask:
        recording = Recording(Load("open", multiple * capacity_rps))
        used_s = time.process_time()
        stepper = Stepper(_noting(ask, told), RealClock(), seed=seed)
        await stepper.run(recording, Length(duration_s=target.step_s))
        used_s = time.process_time() - used_s
    ran = await _items(url)
    ran.subtract(before)
    outcomes = recording.outcomes
    figures = summarise(recording, slo_ms=deadline_s * 1000, mean_batch={})
    lags_ms = sorted(outcome.send_delay_ms for outcome in outcomes)
    expired = sum(_kind(outcome) in EXPIRED for outcome in outcomes)
    refusals_ms = sorted(o.latency_ms - o.send_delay_ms for o in outcomes if _kind(o) in REFUSED)
    return Step(
        multiple=multiple,
        rate_rps=multiple * capacity_rps,
        requests=figures.requests,
        answered=figures.answered,
        goodput_rps=figures.goodput_rps or 0.0,
        latencies_ms=sorted(o.latency_ms for o in outcomes if o.answer is not None),
        refusals_ms=refusals_ms,
        expired=expired,
        failed=figures.requests - figures.answered - expired - len(refusals_ms),
        retry_after_s=told,
        items_run=dict(+ran),
        lag_p99_ms=percentile(lags_ms, 99) if lags_ms else 0.0,
        generator_cpu=used_s / recording.elapsed_s,
    )


def _noting(ask: Ask, told: list[float]) -> Ask:
    """``ask``, and what each refusal says of when to come again."""

    async def noting(number: int) -> Answer:
        try:
            return await ask(number)
        except DragomanError as error:
            if error.retry_after_s is not None:
                told.append(error.retry_after_s)
            raise

    return noting


def _kind(outcome: Outcome) -> str | None:
    return None if outcome.failure is None else outcome.failure.kind


async def _items(url: str) -> Counter[str]:
    """How many each model has run so far."""
    async with AsyncClient(url) as client:
        return Counter({model.id: model.statistics.items for model in await client.models()})


def _print(target: Target, step: Step) -> None:
    print(
        f"{target.name} x{step.multiple:g} ({step.rate_rps:.1f}/s): {step.answered} of "
        f"{step.requests} answered, goodput {step.goodput_rps:.2f}/s, refused "
        f"{len(step.refusals_ms)}, expired {step.expired}, failed {step.failed}, "
        f"p99 {_percentile(step.latencies_ms, 99) or 0:.0f} ms, refusal p99 "
        f"{_percentile(step.refusals_ms, 99) or 0:.0f} ms, ran {step.items_run}, generator "
        f"{step.generator_cpu:.0%} late {step.lag_p99_ms:.0f} ms",
        flush=True,
    )


def _percentile(ordered: Sequence[float], percent: float) -> float | None:
    return percentile(ordered, percent) if ordered else None


def measure(quick: bool, rounds: int) -> list[Swept]:
    """Every target in turn, before one server."""

    async def all_targets(url: str) -> list[Swept]:
        return [await sweep(url, target, rounds) for target in targets(quick)]

    with serving(config()) as started:
        return asyncio.run(all_targets(started.url))
