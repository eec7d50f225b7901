"""Each stage with its default model: through the server, beside the same model in-process.

    python -m bench.stages [--quick] [--replicas 2] [--stages nmt "speaker, 1 s" ...]

The limit is the model called in-process in the batch size that is best for it; what a service
without batching does is the model called with one item after the other. The server has as many
threads a model, in each of its replicas. All three get the same inputs in the same order and take
turns.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import harmonic_mean, median
from typing import TypeAlias

from bench.bare import Bare, bare
from bench.command import flag, run, some, value
from bench.results import Cell, Chart, Results, Series, Spread, Table
from bench.serving import Server, default_config, load, serving
from bench.stage_inputs import Stage, stages

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
CALLERS = (1, 8, 32, 64)
SHOWN_CALLERS = 32  # for which what ran is shown
SEVERAL = (
    "The limit is that of one process, although several replicas serve; that the model ran is "
    "summed over them."
)
SLOW = ("tts-pt",)  # slower than speech: left out where it must be quick


@dataclass(frozen=True)
class Plan:
    """Say how long the bench may take."""

    seconds: float  # of each turn
    rounds: int
    pairs: int  # turns a round of what is shown, each between two of the limit
    callers: Sequence[int]
    batch_sizes: Sequence[int]
    sweeps: int  # of the batch sizes
    longest_batch_s: float  # a larger batch is not tried


FULL = Plan(2.5, 5, 4, CALLERS, BATCH_SIZES, 5, 10.0)
QUICK = Plan(0.5, 1, 1, (1, SHOWN_CALLERS), (1, 8, 32), 1, 2.0)


@dataclass
class Seen:
    """Collect one number of callers: ``rates`` of each round, the others of each turn."""

    rates: list[float] = field(default_factory=list)  # requests/s
    batches: list[float] = field(default_factory=list)  # mean rows
    padding: list[float] = field(default_factory=list)  # share of the batches' cost
    busy: list[float] = field(default_factory=list)  # share of the time that the model ran
    callers_cpu: list[float] = field(default_factory=list)  # of one core
    cpu_ms: list[dict[str, float]] = field(default_factory=list)  # a request, of each process


@dataclass
class Figures:
    """One stage. Rates are requests/s."""

    stage: str
    model: str
    by_batch: dict[int, float]  # in-process, by batch size
    limits: list[float] = field(default_factory=list)  # of each round, at the best batch size
    ones: list[float] = field(default_factory=list)  # of each round, one at a time
    served: dict[int, Seen] = field(default_factory=dict)  # callers ->

    @property
    def best_batch(self) -> int:
        return max(self.by_batch, key=lambda size: self.by_batch[size])

    def to_limit(self, callers: int) -> Spread:
        return Spread.of_ratios(self.served[callers].rates, self.limits)

    def to_one(self, callers: int) -> Spread:
        return Spread.of_ratios(self.served[callers].rates, self.ones)

    def cpu_ms(self, *processes: str) -> float:
        """Return the CPU ms a request at ``SHOWN_CALLERS``, of these processes or of all."""
        spent = self.served[SHOWN_CALLERS].cpu_ms
        sums = [sum(of[name] for name in (processes or of)) for of in spent]
        return Spread.of(sums).median

    def shown(self, name: str) -> Spread:
        figures: Sequence[float] = getattr(self.served[SHOWN_CALLERS], name)
        return Spread.of(figures)


# ---- measuring -------------------------------------------------------------------------


def measure(stage: Stage, server: Server, plan: Plan) -> Figures:
    with bare(stage.model, server.models.models[stage.model]) as model:
        figures = Figures(stage.name, stage.model, sweep(stage, model, plan))
        figures.served = {count: Seen() for count in plan.callers}
        requests = stage.requests(server.url)
        for _ in range(plan.rounds):
            measure_round(stage, figures, model, server, requests, plan)
    return figures


def sweep(stage: Stage, model: Bare, plan: Plan) -> dict[int, float]:
    """Return the items a second by batch size: medians of some halves of a turn, in turns."""
    alone = model.rate(stage.items, 1, len(stage.items))
    longest = max(1.0, alone * plan.longest_batch_s)
    rates: dict[int, list[float]] = {size: [] for size in plan.batch_sizes if size <= longest}
    for _ in range(plan.sweeps):
        for size, found in rates.items():
            wanted = counted(stage, alone, plan.seconds / 2, size)
            found.append(model.rate(stage.items, size, wanted))
    return {size: median(found) for size, found in rates.items()}


def measure_round(
    stage: Stage,
    figures: Figures,
    model: Bare,
    server: Server,
    requests: Sequence[bytes],
    plan: Plan,
) -> None:
    """Take one turn of each; of the callers that are shown several, between turns of the limit.

    The machine drifts, and some seconds of it are half as fast as the ones before.
    """
    alone, best, size = figures.by_batch[1], max(figures.by_batch.values()), figures.best_batch
    at_best = counted(stage, best, plan.seconds, batch=size)
    figures.ones.append(model.rate(stage.items, 1, counted(stage, alone, plan.seconds)))
    for count in plan.callers:
        ahead = min(count, size)  # until the callers have found together
        rate = alone if count == 1 else best
        wanted = counted(stage, rate, plan.seconds, 2 * ahead, batch=1 if count == 1 else size)
        how, seen = (count, wanted, ahead), figures.served[count]
        if count == SHOWN_CALLERS:
            limits, rates = [model.rate(stage.items, size, at_best)], []
            for _ in range(pairs(plan, wanted / best)):
                rates.append(serve(stage, server, requests, seen, how))
                limits.append(model.rate(stage.items, size, at_best))
            figures.limits.append(harmonic_mean(limits))
            seen.rates.append(harmonic_mean(rates))
        else:
            seen.rates.append(serve(stage, server, requests, seen, how))
        print(f"{stage.name}, {count} callers: {seen.rates[-1]:.1f}/s", flush=True)


def pairs(plan: Plan, turn_s: float) -> int:
    """Take fewer where a turn takes longer than planned: a batch of it alone does."""
    return max(1, min(plan.pairs, round(plan.pairs * plan.seconds / turn_s)))


def counted(stage: Stage, rate: float, seconds: float, at_least: int = 1, batch: int = 1) -> int:
    """Count whole rounds of the inputs, which are not of one length, and the last batch's rest.

    A turn that ended within a batch would have waited for all of it and counted some of it.
    """
    inputs = len(stage.items)
    rounds = math.ceil(max(rate * seconds, at_least) / inputs)
    return math.ceil(rounds * inputs / batch) * batch


def serve(
    stage: Stage,
    server: Server,
    requests: Sequence[bytes],
    seen: Seen,
    how: tuple[int, int, int],  # callers, answers counted, answers before
) -> float:
    """Return one turn's requests/s."""
    counts, cpu_s = server.counts(stage.model), server.cpu_s()
    loaded = load(server.url, requests, *how)
    spent_s = {name: cpu - cpu_s.get(name, 0.0) for name, cpu in server.cpu_s().items()}
    ran = server.counts(stage.model) - counts
    # Who left in the middle may have left a batch that still runs: the next turn waits for it.
    load(server.url, requests, callers=1, counted=1)
    seen.batches.append(ran.mean_batch)
    seen.padding.append(ran.padding_share)
    seen.busy.append(ran.busy_s / loaded.whole_s)
    seen.callers_cpu.append(loaded.cpu_s / loaded.whole_s)
    seen.cpu_ms.append({name: 1000 * cpu / loaded.all_answers for name, cpu in spent_s.items()})
    return loaded.rate


# ---- telling ---------------------------------------------------------------------------


def told(found: Sequence[Figures], plan: Plan, replicas: int) -> Results:
    one = replicas == 1
    return Results(
        name="stages" if one else "replicas",
        title="Real models" if one else f"Real models, {replicas} replicas of each",
        findings=[_finding(figures) for figures in found],
        tables=[
            _shares(found, plan, "Requests/s through the server over the limit", Figures.to_limit),
            _shares(found, plan, "Requests/s over one request at a time", Figures.to_one),
            _in_process(found),
            _ran(found),
        ],
        charts=[
            _chart(found, plan, "over the in-process limit", Figures.to_limit),
            _chart(found, plan, "over one request at a time", Figures.to_one),
        ],
        notes=[
            "The limit is the same model called in-process with its best batch, with the threads "
            "of the server's replica; the server idles meanwhile. The callers share the cores "
            "with the server. Recognition through the server decodes the clip and finds its "
            "speech, too. A ratio above 1 over the limit comes of batches of near lengths, which "
            "the server draws from what waits and the limit, taking inputs as they come, does not. "
            "The model ran: the share of the time in which its replica ran a batch. The last one, "
            "which ends behind the turn, counts whole: a slow model passes 100 %. It is of one "
            "turn; the ratio to the limit is of several, while the machine's speed changes.",
            *([] if one else [SEVERAL]),
        ],
        raw={"plan": asdict(plan), "stages": [asdict(figures) for figures in found]},
    )


def _finding(figures: Figures) -> str:
    return (
        f"{figures.stage}: {SHOWN_CALLERS} callers get {figures.to_limit(SHOWN_CALLERS).text(2)} "
        f"of the in-process limit and {figures.to_one(SHOWN_CALLERS).text(2)} times what one "
        "request at a time gives."
    )


Ratio: TypeAlias = Callable[[Figures, int], Spread]


def _shares(found: Sequence[Figures], plan: Plan, title: str, ratio: Ratio) -> Table:
    rows = [[f.stage, *(ratio(f, count).text(2) for count in plan.callers)] for f in found]
    return Table(title, ["stage", *(f"callers: {count}" for count in plan.callers)], rows)


def _in_process(found: Sequence[Figures]) -> Table:
    def at(figures: Figures, size: int) -> Cell:
        return figures.by_batch.get(size)

    return Table.of(
        "In-process, items/s",
        found,
        {
            "stage": lambda f: f.stage,
            "best batch": lambda f: f.best_batch,
            "limit": lambda f: Spread.of(f.limits).text(),
            "one at a time": lambda f: Spread.of(f.ones).text(),
            **{f"batch {size}": partial(at, size=size) for size in BATCH_SIZES},
        },
    )


def _ran(found: Sequence[Figures]) -> Table:
    return Table.of(
        f"What ran at {SHOWN_CALLERS} callers",
        found,
        {
            "stage": lambda f: f.stage,
            "mean batch": lambda f: f.shown("batches").text(),
            "padding": lambda f: f"{f.shown('padding').median:.0%}",
            "the model ran": lambda f: f"{f.shown('busy').median:.0%}",
            "CPU ms a request: model": lambda f: f.cpu_ms(f.model),
            "ingress": lambda f: f.cpu_ms("Ingress"),
            "the rest": lambda f: f.cpu_ms() - f.cpu_ms(f.model) - f.cpu_ms("Ingress"),
            "callers' share of a core": lambda f: f"{f.shown('callers_cpu').median:.0%}",
        },
    )


def _chart(found: Sequence[Figures], plan: Plan, what: str, ratio: Ratio) -> Chart:
    series = [Series.of(f.stage, {n: ratio(f, n) for n in plan.callers}) for f in found]
    return Chart(f"Throughput {what}", "callers", "ratio", series, x_scale="log")


def bench(args: argparse.Namespace) -> Results:
    plan = QUICK if args.quick else FULL
    known = {stage.name: stage for stage in stages()}
    chosen = [name for name in args.stages if not (args.quick and name in SLOW)]
    replicas = {known[name].model: args.replicas for name in chosen}
    with serving(default_config(replicas=replicas)) as server:
        found = [measure(known[name], server, plan) for name in chosen]
    return told(found, plan, args.replicas)


if __name__ == "__main__":
    OPTIONS = {
        "quick": flag("about a minute, and rough; without what is slower than speech"),
        "stages": some([stage.name for stage in stages()]),
        "replicas": value(1, "of each of their models"),
    }
    run(__doc__, bench, OPTIONS)
