"""Write the metrics for Prometheus, with Triton's names for what Triton has.

The figures are read at the scrape from the counts of the replicas and of every ingress, so that
sums over them are exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_of
from prometheus_client.registry import Collector

from deployments.batching.statistics import (
    Figures,
)
from deployments.telemetry.live_figures import LiveFigures
from deployments.telemetry.live_metrics import live_metrics
from deployments.telemetry.model_report import ModelReport
from deployments.telemetry.replica_metrics import replica_metrics
from deployments.telemetry.request_metrics import request_metrics
from deployments.telemetry.usage import AccessFigures, Usage
from models.devices.nvidia import Gpu

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OPENMETRICS = CONTENT_TYPE_LATEST

KEY_COUNTERS: tuple[tuple[str, str, Callable[[Usage], float]], ...] = (
    ("dragoman_key_requests", "Requests that were let in.", lambda used: used.requests),
    ("dragoman_key_audio_seconds", "Audio that was sent, decoded.", lambda used: used.audio_s),
    (
        "dragoman_key_characters",
        "Text that was sent, to be translated or spoken.",
        lambda used: used.characters,
    ),
)
GPU_GAUGES: tuple[tuple[str, str, Callable[[Gpu], float | None]], ...] = (
    (
        "nv_gpu_utilization",
        "Share of the time in which a kernel ran, 0 to 1.",
        lambda gpu: None if gpu.utilisation_percent is None else gpu.utilisation_percent / 100,
    ),
    ("nv_gpu_memory_total_bytes", "Memory of the GPU.", lambda gpu: gpu.total_bytes),
    ("nv_gpu_memory_used_bytes", "Memory in use, by anyone.", lambda gpu: gpu.used_bytes),
)
# Triton's counters do not end in `_total`, and the library writes it into their headers.
TRITON_HEADER = re.compile(rb"^(# (?:HELP|TYPE) nv_\w+)_total ", re.MULTILINE)


def exposition(
    reports: Sequence[ModelReport],
    figures: Mapping[str, Figures],
    gpus: Sequence[Gpu] = (),
    media_type: str = MEDIA_TYPE,
    access: AccessFigures | None = None,
    live: LiveFigures | None = None,
) -> bytes:
    """Write every metric in Prometheus' text format, or in that of ``OPENMETRICS``.

    Args:
        reports: one of every configured model.
        figures: those of every model and of the graph, over all ingresses.
        gpus: those of this machine.
        media_type: MEDIA_TYPE or OPENMETRICS.
        access: of keys and refusals, over all ingresses.
        live: of live sessions, over all ingresses.
    """
    # OpenMetrics requires counters to end in `_total`, and Triton's do not.
    triton_type = "unknown" if media_type == OPENMETRICS else "counter"

    class Scrape(Collector):
        def collect(self) -> Iterable[Metric]:
            yield from request_metrics(figures, triton_type)
            yield from _of_gpus(gpus)
            yield from replica_metrics(reports)
            yield from _of_keys(access or AccessFigures())
            yield from live_metrics(live or LiveFigures())

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Scrape())
    if media_type == OPENMETRICS:
        text: bytes = openmetrics_of(registry)  # type: ignore[no-untyped-call]
        return text
    return TRITON_HEADER.sub(rb"\1 ", generate_latest(registry))


def _of_gpus(gpus: Sequence[Gpu]) -> Iterator[Metric]:
    for name, text, value_of in GPU_GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=["gpu_uuid"])
        for gpu in gpus:
            if (value := value_of(gpu)) is not None:
                gauge.add_metric([gpu.uuid], value)
        if gpus:
            yield gauge


def _of_keys(access: AccessFigures) -> Iterator[Metric]:
    for name, text, count_of in KEY_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=["key"])
        for key, used in access.usage.items():
            counter.add_metric([key], count_of(used))
        yield counter
    refused = CounterMetricFamily(
        "dragoman_refused_requests",
        "Requests that were not let in, by the key that they came with.",
        labels=["key", "reason"],
    )
    for (key, reason), count in access.refused.items():
        refused.add_metric([key, reason], count)
    yield refused
