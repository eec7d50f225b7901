"""Write the metrics of live sessions: how many are open, how late they are, which were refused."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from deployments.batching.histograms import TIME_BOUNDS_S
from deployments.telemetry.live_figures import LiveFigures
from deployments.telemetry.request_metrics import buckets_of


def live_metrics(figures: LiveFigures) -> Iterator[Metric]:
    """Yield the metrics of live sessions, over all ingresses."""
    yield GaugeMetricFamily("dragoman_live_sessions", "Open live sessions.", figures.sessions)
    lags = HistogramMetricFamily(
        "dragoman_live_lag_seconds",
        "How late events are: from the arrival of the last sample that they tell of.",
        labels=["stage"],
    )
    for stage, times in figures.lags.items():
        buckets = buckets_of(TIME_BOUNDS_S, times.counts)
        lags.add_metric([stage], buckets, sum_value=times.sum_s)
    yield lags
    refused = CounterMetricFamily(
        "dragoman_live_refusals", "Live sessions that were not opened.", labels=["reason"]
    )
    for reason, count in figures.refusals.items():
        refused.add_metric([reason], count)
    yield refused
