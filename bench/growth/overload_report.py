"""The tables, charts and sentences of what the overload bench measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from bench.growth.overload import Step, Swept
from bench.results import Cell, Chart, Series, Spread, Table
from load.figures import percentile

PAST = 3.0  # times the capacity: what is promised holds there


def table(swept: Swept) -> Table:
    """A row for each load; each figure is over all of its rounds."""
    columns = ["load, of capacity", "requests/s", "goodput/s", "goodput of peak"]
    columns += ["answers p50 ms", "p99 ms", "refused at once", "p50 ms", "p99 ms"]
    columns += ["deadline passed", "failed", "Retry-After s", "generator late p99 ms", "its CPU"]
    return Table(
        f"{swept.target.name}: capacity {swept.capacity_rps:.1f} requests/s, deadline "
        f"{swept.deadline_ms:.0f} ms",
        columns,
        [_row(swept, multiple) for multiple in swept.target.multiples],
    )


def _row(swept: Swept, multiple: float) -> list[Cell]:
    steps, goodput = swept.of(multiple), swept.goodput(multiple)
    answers, refusals = _all(steps, latencies), _all(steps, refusal_times)
    told = sorted({value for step in steps for value in step.retry_after_s})
    return [
        f"{multiple:g}",
        round(steps[0].rate_rps, 1),
        goodput.text(),
        f"{goodput.median / swept.peak_rps:.0%}",
        *(_percentile(answers, percent) for percent in (50, 99)),
        _share(len(refusals), steps),
        *(_percentile(refusals, percent) for percent in (50, 99)),
        _share(sum(step.expired for step in steps), steps),
        _share(sum(step.failed for step in steps), steps),
        " ".join(f"{value:g}" for value in told) or None,
        round(max(step.lag_p99_ms for step in steps)),
        f"{median(step.generator_cpu for step in steps):.0%}",
    ]


def latencies(step: Step) -> Sequence[float]:
    return step.latencies_ms


def refusal_times(step: Step) -> Sequence[float]:
    return step.refusals_ms


def _all(steps: Sequence[Step], of: Callable[[Step], Sequence[float]]) -> list[float]:
    return sorted(value for step in steps for value in of(step))


def _percentile(ordered: Sequence[float], percent: float) -> float | None:
    return percentile(ordered, percent) if ordered else None


def _share(count: int, steps: Sequence[Step]) -> str:
    return f"{count / max(1, sum(step.requests for step in steps)):.0%}"


def charts(found: Sequence[Swept]) -> list[Chart]:
    """Goodput and latency, each as a share of what it is held to, so that targets compare."""
    goodput, tail = [], []
    for swept in found:
        multiples = swept.target.multiples
        spreads = [swept.goodput(multiple) for multiple in multiples]
        peak = swept.peak_rps
        goodput.append(
            Series(
                swept.target.name,
                multiples,
                [spread.median / peak for spread in spreads],
                [spread.least / peak for spread in spreads],
                [spread.most / peak for spread in spreads],
            )
        )
        answered = [multiple for multiple in multiples if _all(swept.of(multiple), latencies)]
        p99s = [percentile(_all(swept.of(m), latencies), 99) for m in answered]
        tail.append(Series(swept.target.name, answered, [p / swept.deadline_ms for p in p99s]))
    load = "offered load, of the capacity"
    return [
        Chart("Goodput against offered load", load, "goodput, of its peak", goodput),
        Chart("p99 of the answers against offered load", load, "p99, of the deadline", tail),
    ]


def findings(found: Sequence[Swept]) -> list[str]:
    sentences = []
    for swept in found:
        steps, goodput = swept.of(PAST), swept.goodput(PAST)
        shares = Spread.of([step.goodput_rps / swept.peak_rps for step in steps])
        sentence = (
            f"{swept.target.name}: at {PAST:g} times the capacity offered, goodput is "
            f"{goodput.median / swept.peak_rps:.2f} of its peak ({shares.least:.2f} to "
            f"{shares.most:.2f})"
        )
        answers, refusals = _all(steps, latencies), _all(steps, refusal_times)
        if answers:
            sentence += f"; p99 of the answers is {_of_deadline(answers, swept)} of the deadline"
        if refusals:
            sentence += f", that of the refusals {_of_deadline(refusals, swept)}"
        sentences.append(sentence + ".")
    return sentences


def _of_deadline(values: Sequence[float], swept: Swept) -> str:
    return f"{percentile(values, 99) / swept.deadline_ms:.2f}"
