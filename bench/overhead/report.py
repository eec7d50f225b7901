"""Tables, chart and findings of what was measured, as pure functions."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.overhead.catalogue import PEERS, REFERENCE
from bench.overhead.wrk import TIMEOUT_S, Load
from bench.results import Cell, Chart, Results, Series, Spread, Table

IDEAL = 32 / (0.005 + 32 * 0.0002)  # requests/s of full batches back to back: 2,807
COLUMNS = (
    "server",
    "requests/s",
    "of the ideal",
    f"{REFERENCE}'s rate / its",
    "p50 ms",
    "p99 ms",
    "errors",
    "CPU ms a request",
)


@dataclass(frozen=True)
class Measurement:
    """One run of the load generator against one server."""

    label: str
    round: int
    callers: int
    load: Load
    cpu_s: float  # of all the server's processes

    @property
    def cpu_ms_a_request(self) -> float:
        return 1_000 * self.cpu_s / self.load.answers


def results(
    measured: Sequence[Measurement], missing: Mapping[str, str], rounds: int, seconds: int
) -> Results:
    """Tell all of one run; ``missing`` says for each row why it was not measured in every round."""
    callers = sorted({measurement.callers for measurement in measured})
    return Results(
        name="overhead",
        title="Serving overhead",
        findings=[finding for count in callers for finding in _findings(measured, count)],
        tables=[_table(measured, missing, count) for count in callers],
        charts=[_chart(measured)],
        notes=_notes(rounds, seconds, missing),
        raw={"measurements": [asdict(measurement) for measurement in measured], "missing": missing},
        failed=any(label.startswith(REFERENCE) for label in missing),
    )


def ratios(measured: Iterable[Measurement], label: str, callers: int) -> list[float]:
    """Divide the reference's answers/s by those of ``label``, in each round that has both."""
    rates = {(m.label, m.round): m.load.answers_a_second for m in measured if m.callers == callers}
    return [
        rates[REFERENCE, number] / rate
        for (name, number), rate in rates.items()
        if name == label and (REFERENCE, number) in rates and rate > 0
    ]


def _table(measured: Sequence[Measurement], missing: Mapping[str, str], callers: int) -> Table:
    """List the fastest first, then what could not be measured."""
    of_label = _by_label([m for m in measured if m.callers == callers])
    fastest = sorted(of_label, key=lambda label: -_median_rate(of_label[label]))
    rows = [_row(label, of_label[label], ratios(measured, label, callers)) for label in fastest]
    absent = [label for label in missing if label not in of_label]
    rows += [
        (f"{label}: not measured, {missing[label]}", *[None] * (len(COLUMNS) - 1))
        for label in absent
    ]
    return Table(f"{callers} callers", COLUMNS, rows)


def _row(label: str, runs: Sequence[Measurement], compared: Sequence[float]) -> Sequence[Cell]:
    answered = [run for run in runs if run.load.answers]
    return (
        label,
        _spread(runs, lambda run: run.load.answers_a_second, 0),
        f"{_median_rate(runs) / IDEAL:.0%}",
        Spread.of(compared).text(2) if compared else None,
        _spread(answered, lambda run: run.load.p50_ms, 1),
        _spread(answered, lambda run: run.load.p99_ms, 1),
        _errors(runs),
        _spread(answered, lambda run: run.cpu_ms_a_request, 2),
    )


def _errors(runs: Sequence[Measurement]) -> str:
    """Count the errors of all runs together, such as ``2 refusals, 1 timeouts``."""
    kinds = ("refusals", "timeouts", "socket_errors")
    counts = {kind: sum(getattr(run.load, kind) for run in runs) for kind in kinds}
    named = [f"{count:,} {kind.replace('_', ' ')}" for kind, count in counts.items() if count]
    return ", ".join(named) or "0"


def _spread(
    runs: Sequence[Measurement], value: Callable[[Measurement], float], digits: int
) -> str | None:
    return Spread.of([value(run) for run in runs]).text(digits) if runs else None


def _median_rate(runs: Sequence[Measurement]) -> float:
    return statistics.median(run.load.answers_a_second for run in runs)


def _by_label(measured: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for measurement in measured:
        found.setdefault(measurement.label, []).append(measurement)
    return found


def _chart(measured: Sequence[Measurement]) -> Chart:
    series = []
    for label, runs in _by_label(measured).items():
        rates = {
            count: Spread.of([run.load.answers_a_second for run in runs if run.callers == count])
            for count in sorted({run.callers for run in runs})
        }
        series.append(Series.of(label, rates))
    return Chart("Serving overhead", "callers", "requests/s", series, x_scale="log")


def _findings(measured: Sequence[Measurement], callers: int) -> list[str]:
    """Say how many times over each other server Dragoman is, the nearest first."""
    labels = {m.label for m in measured if not m.label.startswith(REFERENCE)}
    compared = {label: ratios(measured, label, callers) for label in labels}
    spreads = {label: Spread.of(values) for label, values in compared.items() if values}
    nearest = sorted(spreads.items(), key=lambda pair: pair[1].median)
    if not nearest:
        return []
    named = "; ".join(f"{label} {spread.text(2)}" for label, spread in nearest)
    return [f"At {callers} callers {REFERENCE}'s requests/s are those of another times: {named}."]


def _notes(rounds: int, seconds: int, missing: Mapping[str, str]) -> list[str]:
    settings = "; ".join(
        f"{peer.ways[0].label} ({', '.join(peer.packages)}): {peer.settings}" for peer in PEERS
    )
    notes = [
        "A model that sleeps 5 ms + 0.2 ms an item, as one device would, in batches of at most 32: "
        f"the ideal is {IDEAL:,.0f} requests/s (8 callers can fill batches of 8 only, and reach no "
        f"more than {8 / (0.005 + 8 * 0.0002):,.0f}). Each caller sends 1 s of 16 kHz int16 audio "
        "on a connection that stays open and gets 192 float32; wrk runs on the same cores. "
        f"{rounds} rounds, in each of which every server is started, its answer compared with the "
        f"model's, warmed up and loaded for {seconds} s at each number of callers, in turns; "
        "medians (least to most). Ratios are taken within a round. CPU is that of all processes of "
        f"the server. Errors are statuses other than 2xx, answers after {TIMEOUT_S} s, and broken "
        "connections; they do not count as answers.",
        f"Settings beside one instance and batches of 32. {settings}.",
    ]
    return notes + [f"{label} is not in every round: {why}" for label, why in missing.items()]
