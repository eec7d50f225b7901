"""The figures of a step, as a pure function of what was recorded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dragoman_client import Model

from .steps import Load, Recording

PERCENTILES = (50, 90, 95, 99)


@dataclass(frozen=True, slots=True)
class StepFigures:
    """Hold the figures of one step. None: nothing was measured of it.

    ``latency_ms`` (p50, p90, p95, p99, max) is of the requests that were answered: a quick
    refusal must not look like a quick answer. Rates are per second of ``elapsed_s``.
    """

    load: Load
    is_whole: bool  # False: it was interrupted; what was still running is in ``abandoned``
    elapsed_s: float
    requests: int
    answered: int
    overloaded: int
    failed: int  # with anything but overload
    abandoned: int
    errors: Mapping[str, int]  # kind -> count
    latency_ms: Mapping[str, float] | None
    throughput_rps: float
    audio_s_per_s: float | None  # seconds of audio per second, over all requests together
    slo_ms: float | None
    goodput_rps: float | None  # answers within the SLO
    slo_share: float | None  # of all requests, those that were not answered included
    queue_share: float | None  # of the time that items spent at models, that before their batch
    mean_batch: Mapping[str, float]  # model -> items a batch, all callers of the server together
    max_send_delay_ms: float  # how late the load generator itself was, at most


def summarise(
    recording: Recording, *, slo_ms: float | None, mean_batch: Mapping[str, float]
) -> StepFigures:
    """Compute the figures of a recording."""
    outcomes, elapsed_s = recording.outcomes, recording.elapsed_s
    answers = [outcome.answer for outcome in outcomes if outcome.answer is not None]
    latencies = sorted(outcome.latency_ms for outcome in outcomes if outcome.answer is not None)
    failures = [outcome.failure for outcome in outcomes if outcome.failure is not None]
    overloaded = sum(failure.is_overload for failure in failures)
    audio = [answer.audio_s for answer in answers if answer.audio_s is not None]
    queue_ms = sum(answer.queue_ms or 0.0 for answer in answers)
    model_ms = queue_ms + sum(answer.execution_ms or 0.0 for answer in answers)
    within = sum(latency <= slo_ms for latency in latencies) if slo_ms is not None else None
    return StepFigures(
        load=recording.load,
        is_whole=recording.is_whole,
        elapsed_s=elapsed_s,
        requests=len(outcomes),
        answered=len(answers),
        overloaded=overloaded,
        failed=len(failures) - overloaded,
        abandoned=recording.sent - len(outcomes),
        errors=dict(Counter(failure.kind for failure in failures).most_common()),
        latency_ms=latency_percentiles(latencies) if latencies else None,
        throughput_rps=_rate(len(answers), elapsed_s),
        audio_s_per_s=_rate(math.fsum(audio), elapsed_s) if audio else None,
        slo_ms=slo_ms,
        goodput_rps=_rate(within, elapsed_s) if within is not None else None,
        slo_share=within / len(outcomes) if within is not None and outcomes else None,
        queue_share=queue_ms / model_ms if model_ms else None,
        mean_batch=mean_batch,
        max_send_delay_ms=max((outcome.send_delay_ms for outcome in outcomes), default=0.0),
    )


def after(recording: Recording, ahead: int) -> Recording:
    """Leave out the first answers: the count begins when they have come and every caller is busy.

    Times stay those of the whole step; ``elapsed_s`` is from the last answer that is left out to
    the last that is counted.
    """
    outcomes = recording.outcomes
    begin_s = outcomes[ahead - 1].ended_s if ahead else 0.0
    counted = outcomes[ahead:]
    elapsed_s = counted[-1].ended_s - begin_s
    return replace(recording, outcomes=counted, sent=len(counted), elapsed_s=elapsed_s)


def latency_percentiles(ordered_ms: Sequence[float]) -> dict[str, float]:
    """Return p50 to p99 and the maximum of latencies in ascending order, at least one."""
    named = {f"p{percent}": percentile(ordered_ms, percent) for percent in PERCENTILES}
    return {**named, "max": ordered_ms[-1]}


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the nearest rank: the least value that ``percent`` % of all values do not exceed.

    Always a value that was measured: of few values, p99 is the greatest and no guess beyond.

    >>> percentile([10, 20, 30, 40], 50)
    20
    """
    return ordered[max(1, math.ceil(percent / 100 * len(ordered))) - 1]


def mean_batches(before: Sequence[Model], after: Sequence[Model]) -> dict[str, float]:
    """Return the items a batch of each model that ran between two looks at the server's counts."""
    counts = {model.id: model.statistics for model in before}
    means = {}
    for model in after:
        first = counts.get(model.id)
        if first is not None and model.statistics.batches > first.batches:
            items = model.statistics.items - first.items
            means[model.id] = items / (model.statistics.batches - first.batches)
    return means


def _rate(count: float, elapsed_s: float) -> float:
    return count / elapsed_s if elapsed_s > 0 else 0.0
