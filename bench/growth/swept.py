"""The overload bench's figures: the steps of each target, and the tables, charts and findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from statistics import median

from bench.results import Chart, Results, Series, Spread, Table
from load.figures import percentile

PAST = 3.0  # times the capacity: what is promised past saturation holds there
NOTE = (
    "Capacity is the throughput of a closed loop, and the deadline twice its median latency. "
    "Requests of the open loop arrive by a Poisson schedule, in its own process on the same "
    "cores; latency counts from the scheduled moment, so that the generator's own delay is in it. "
    "A refusal at once is a 503 that names a full queue. `speaker-sleep` only sleeps: 50 ms + "
    "10 ms an item, at most 8 of them."
)


@dataclass(frozen=True)
class Step:
    """The figures of one load in one round."""

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

    name: str
    multiples: Sequence[float]
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
        return max(self.goodput(multiple).median for multiple in self.multiples)

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


def results(found: Sequence[Swept]) -> Results:
    goodput, tail = [], []
    for swept in found:
        name, multiples = swept.name, swept.multiples
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
                    "target": swept.name,
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
    name, of, at = swept.name, swept.of, swept.percentile_ms
    return Table.of(
        f"{name}: capacity {swept.capacity_rps:.1f} requests/s, deadline "
        f"{swept.deadline_ms:.0f} ms",
        swept.multiples,
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
        f"{swept.name}: at {PAST:g} times the capacity offered, goodput is "
        f"{share.text(2)} of its peak"
    )
    if (answers := swept.p99_of_deadline(PAST, "latencies_ms")) is not None:
        sentence += f"; p99 of the answers is {answers:.2f} of the deadline"
    if (refusals := swept.p99_of_deadline(PAST, "refusals_ms")) is not None:
        sentence += f", that of the refusals {refusals:.2f}"
    return f"{sentence}."
