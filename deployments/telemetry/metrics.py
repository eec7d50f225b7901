"""What Prometheus scrapes: Triton's names, and beyond them devices, queues and histograms.

Filled at the scrape from the counts of the replicas and of every ingress, so that sums over them
are exact. Rows are those of ``/v1/models``.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_of
from prometheus_client.registry import Collector

from deployments.batching.statistics import (
    BATCH_BOUNDS,
    REASONS,
    TIME_BOUNDS_S,
    Figures,
    ModelStatistics,
    Times,
)
from deployments.catalogue.serving import READY
from deployments.config.names import MODEL_VERSION
from deployments.doctor.model_checks import Row, is_on_gpu
from deployments.telemetry.usage import DoorFigures, Usage
from models.devices.nvidia import Gpu

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OPENMETRICS = CONTENT_TYPE_LATEST
REPLICA = ("model", "replica")
MODEL = ("model", "version")  # Triton's labels
US = 1000  # nanoseconds

# name, help, where a replica's report has it
REPLICA_GAUGES: tuple[tuple[str, str, Callable[[Row], float]], ...] = (
    (
        "dragoman_model_memory_bytes",
        "Memory of the replica: on the GPU, or resident where it runs on the CPU.",
        lambda report: report["device"]["memory_bytes"],
    ),
    (
        "dragoman_model_load_seconds",
        "What loading the weights took.",
        lambda report: report["device"]["load_s"],
    ),
    (
        "dragoman_model_warm_up_seconds",
        "What the warm-up took.",
        lambda report: report["warm_up_s"],
    ),
)
REPLICA_COUNTERS = (  # name, help, field of ReplicaStats
    ("dragoman_model_items", "Items that were run.", "items"),
    ("dragoman_model_batches", "Batches that were run.", "batches"),
    ("dragoman_model_item_errors", "Items that failed alone.", "item_errors"),
    ("dragoman_model_failed_batches", "Batches that failed as a whole.", "failed_batches"),
    ("dragoman_model_out_of_memory", "Attempts that found no GPU memory.", "out_of_memory"),
    ("dragoman_model_busy_seconds", "Time in which the model ran.", "busy_s"),
)
Count = Callable[[ModelStatistics], float]
TRITON_COUNTERS: tuple[tuple[str, str, Count], ...] = (
    ("nv_inference_request_success", "Requests answered.", lambda s: s.success.count),
    ("nv_inference_count", "Rows that the model answered.", lambda s: s.inference_count),
    ("nv_inference_exec_count", "Batches that the model ran.", lambda s: s.execution_count),
    (
        "nv_inference_request_duration_us",
        "Time of requests, from arrival to answer.",
        lambda s: s.success.ns // US,
    ),
    ("nv_inference_queue_duration_us", "Time in the queue.", lambda s: s.queue.ns // US),
    (
        "nv_inference_compute_input_duration_us",
        "Time on the way to the model.",
        lambda s: s.compute_input.ns // US,
    ),
    (
        "nv_inference_compute_infer_duration_us",
        "Time in the model.",
        lambda s: s.compute_infer.ns // US,
    ),
    (
        "nv_inference_compute_output_duration_us",
        "Time on the way back from the model.",
        lambda s: s.compute_output.ns // US,
    ),
    ("nv_cache_num_hits_per_model", "Requests from the cache.", lambda s: s.cache_hit.count),
    ("nv_cache_num_misses_per_model", "Requests not in the cache.", lambda s: s.cache_miss.count),
)
OWN_COUNTERS: tuple[tuple[str, str, Count], ...] = (
    (
        "dragoman_batch_cost",
        "Cost of batches, padding included, in seconds of audio or characters.",
        lambda s: s.cost,
    ),
    ("dragoman_batch_padding_cost", "The part of it that was padding.", lambda s: s.padding_cost),
    ("dragoman_queue_refused", "Requests refused by a full queue.", lambda s: s.refused),
    (
        "dragoman_queue_expired",
        "Items whose deadline passed in the queue.",
        lambda s: s.expired_in_queue,
    ),
    (
        "dragoman_queue_expired_running",
        "Items whose deadline passed running.",
        lambda s: s.expired_running,
    ),
    ("dragoman_queue_abandoned", "Items whose caller left.", lambda s: s.abandoned),
    (
        "dragoman_queue_split_batches",
        "Failed batches that were tried item by item.",
        lambda s: s.split,
    ),
    (
        "dragoman_queue_sent_again",
        "Batches sent again: their replica died.",
        lambda s: s.sent_again,
    ),
)
GAUGES: tuple[tuple[str, str, Callable[[Figures], float]], ...] = (
    (
        "nv_inference_pending_request_count",
        "Requests of which an item waits.",
        lambda f: f.pending,
    ),
    ("dragoman_queue_items", "Items that wait.", lambda f: f.waiting),
    ("dragoman_batches_in_flight", "Batches sent and not yet answered.", lambda f: f.in_flight),
)
HISTOGRAMS: tuple[tuple[str, str, Callable[[ModelStatistics], Times]], ...] = (
    (
        "dragoman_request_duration_seconds",
        "Time of answered requests, from arrival to answer.",
        lambda s: s.durations,
    ),
    ("dragoman_queue_seconds", "Time in the queue.", lambda s: s.queue_times),
)
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
# Triton's counters have no `_total`; the library writes it into their headers all the same.
TRITON_HEADER = re.compile(rb"^(# (?:HELP|TYPE) nv_\w+)_total ", re.MULTILINE)


def exposition(
    rows: Sequence[Row],
    states: Mapping[str, str],
    figures: Mapping[str, Figures],
    gpus: Sequence[Gpu] = (),
    media_type: str = MEDIA_TYPE,
    door: DoorFigures | None = None,
) -> bytes:
    """Prometheus' text format, or that of ``OPENMETRICS``.

    Args:
        rows: of the models that are ready.
        states: of every configured model.
        figures: of every model and of the graph, over all ingresses.
        gpus: of this machine.
        media_type: one of the two.
        door: of the keys and of who was refused, over all ingresses.
    """
    # OpenMetrics wants counters to end in `_total`, which Triton's do not.
    of_triton = "unknown" if media_type == OPENMETRICS else "counter"

    class Scrape(Collector):
        def collect(self) -> Iterable[Metric]:
            yield from _of_requests(figures, of_triton)
            yield from _of_gpus(gpus)
            yield _states(states)
            yield from _of_replicas(rows)
            yield from _of_door(door or DoorFigures())

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Scrape())
    if media_type == OPENMETRICS:
        text: bytes = openmetrics_of(registry)  # type: ignore[no-untyped-call]
        return text
    return TRITON_HEADER.sub(rb"\1 ", generate_latest(registry))


def _of_requests(figures: Mapping[str, Figures], of_triton: str) -> Iterator[Metric]:
    for name, text, count_of in TRITON_COUNTERS:
        counter = Metric(name, text, of_triton)
        for model, of_model in figures.items():
            counter.add_sample(name, _labels(model), count_of(of_model.statistics))
        yield counter
    yield _failures(figures, of_triton)
    for name, text, count_of in OWN_COUNTERS:
        own = CounterMetricFamily(name, text, labels=MODEL)
        for model, of_model in figures.items():
            own.add_metric([model, MODEL_VERSION], count_of(of_model.statistics))
        yield own
    for name, text, value_of in GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=MODEL)
        for model, of_model in figures.items():
            gauge.add_metric([model, MODEL_VERSION], value_of(of_model))
        yield gauge
    for name, text, times_of in HISTOGRAMS:
        histogram = HistogramMetricFamily(name, text, labels=MODEL)
        for model, of_model in figures.items():
            times = times_of(of_model.statistics)
            buckets = _buckets(TIME_BOUNDS_S, times.counts)
            histogram.add_metric([model, MODEL_VERSION], buckets, sum_value=times.sum_s)
        yield histogram
    yield _batch_sizes(figures)


def _failures(figures: Mapping[str, Figures], of_triton: str) -> Metric:
    name = "nv_inference_request_failure"
    counter = Metric(name, "Requests that failed, by Triton's reason.", of_triton)
    for model, of_model in figures.items():
        for reason in REASONS:
            count = of_model.statistics.failures.get(reason, 0)
            counter.add_sample(name, {**_labels(model), "reason": reason}, count)
    return counter


def _batch_sizes(figures: Mapping[str, Figures]) -> Metric:
    histogram = HistogramMetricFamily("dragoman_batch_size", "Rows of a batch.", labels=MODEL)
    for model, of_model in figures.items():
        counts = [0] * (len(BATCH_BOUNDS) + 1)
        rows = 0
        for size, executions in of_model.statistics.executions.items():
            counts[bisect_left(BATCH_BOUNDS, size)] += executions.compute_infer.count
            rows += size * executions.compute_infer.count
        histogram.add_metric([model, MODEL_VERSION], _buckets(BATCH_BOUNDS, counts), sum_value=rows)
    return histogram


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Prometheus' cumulative buckets; the last count is of what lies above every bound."""
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    return list(zip(names, map(float, accumulate(counts)), strict=True))


def _labels(model: str) -> dict[str, str]:
    return {"model": model, "version": MODEL_VERSION}


def _of_gpus(gpus: Sequence[Gpu]) -> Iterator[Metric]:
    for name, text, value_of in GPU_GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=["gpu_uuid"])
        for gpu in gpus:
            if (value := value_of(gpu)) is not None:
                gauge.add_metric([gpu.uuid], value)
        if gpus:
            yield gauge


def _states(states: Mapping[str, str]) -> Metric:
    ready = GaugeMetricFamily(
        "dragoman_model_ready", "1 where a replica of the model is warm.", labels=["model"]
    )
    for model, state in states.items():
        ready.add_metric([model], float(state == READY))
    return ready


def _of_replicas(rows: Sequence[Row]) -> Iterator[Metric]:
    reports = [(row["id"], report) for row in rows for report in row["replica_reports"]]
    on_gpu = GaugeMetricFamily(
        "model_on_gpu", "1 where every replica of the model runs on a GPU.", labels=["model"]
    )
    for row in rows:
        if row["replica_reports"]:
            on_gpu.add_metric([row["id"]], float(is_on_gpu(row)))
    yield on_gpu
    yield _device_info(reports)
    for name, text, value_of in REPLICA_GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=REPLICA)
        for model, report in reports:
            gauge.add_metric([model, report["replica"]], value_of(report))
        yield gauge
    yield _memory_bounds(reports)
    for name, text, field in REPLICA_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=REPLICA)
        for model, report in reports:
            counter.add_metric([model, report["replica"]], report["statistics"][field])
        yield counter


def _of_door(door: DoorFigures) -> Iterator[Metric]:
    for name, text, count_of in KEY_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=["key"])
        for key, used in door.usage.items():
            counter.add_metric([key], count_of(used))
        yield counter
    refused = CounterMetricFamily(
        "dragoman_refused_requests",
        "Requests that were not let in, by the key that they came with.",
        labels=["key", "reason"],
    )
    for (key, reason), count in door.refused.items():
        refused.add_metric([key, reason], count)
    yield refused


def _memory_bounds(reports: Sequence[tuple[str, Row]]) -> Metric:
    bounds = GaugeMetricFamily(
        "dragoman_model_memory_bound",
        "The largest cost of a batch that the GPU held, since one did not fit.",
        labels=REPLICA,
    )
    for model, report in reports:
        if (bound := report["statistics"]["memory_bound"]) is not None:
            bounds.add_metric([model, report["replica"]], bound)
    return bounds


def _device_info(reports: Sequence[tuple[str, Row]]) -> Metric:
    told = ("requested", "actual", "reason", "library", "precision", "gpu_name")
    labels = [*REPLICA, *told]
    info = GaugeMetricFamily(
        "dragoman_model_device_info", "Where a replica runs, and why; always 1.", labels=labels
    )
    for model, report in reports:
        device: Mapping[str, Any] = report["device"]
        info.add_metric([model, report["replica"], *(str(device[n] or "") for n in told)], 1.0)
    return info
