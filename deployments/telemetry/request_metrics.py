"""Write the metrics of the requests to each model: counters, queues, batches, histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from deployments.batching.histograms import BATCH_BOUNDS, TIME_BOUNDS_S, Times
from deployments.batching.statistics import REASONS, Figures, ModelStatistics
from deployments.config.names import MODEL_VERSION

MODEL = ("model", "version")  # Triton's labels
NS_IN_A_US = 1000

Count = Callable[[ModelStatistics], float]
TRITON_COUNTERS: tuple[tuple[str, str, Count], ...] = (
    ("nv_inference_request_success", "Requests answered.", lambda s: s.success.count),
    ("nv_inference_count", "Rows that the model answered.", lambda s: s.inference_count),
    ("nv_inference_exec_count", "Batches that the model ran.", lambda s: s.execution_count),
    (
        "nv_inference_request_duration_us",
        "Time of requests, from arrival to answer.",
        lambda s: s.success.ns // NS_IN_A_US,
    ),
    ("nv_inference_queue_duration_us", "Time in the queue.", lambda s: s.queue.ns // NS_IN_A_US),
    (
        "nv_inference_compute_input_duration_us",
        "Time on the way to the model.",
        lambda s: s.compute_input.ns // NS_IN_A_US,
    ),
    (
        "nv_inference_compute_infer_duration_us",
        "Time in the model.",
        lambda s: s.compute_infer.ns // NS_IN_A_US,
    ),
    (
        "nv_inference_compute_output_duration_us",
        "Time on the way back from the model.",
        lambda s: s.compute_output.ns // NS_IN_A_US,
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


def request_metrics(figures: Mapping[str, Figures], triton_type: str) -> Iterator[Metric]:
    """Yield the metrics of requests, queues and batches.

    Args:
        figures: of every model and of the graph, over all ingresses.
        triton_type: the type that Triton's counters are declared with.
    """
    for name, text, count_of in TRITON_COUNTERS:
        counter = Metric(name, text, triton_type)
        for model, of_model in figures.items():
            counter.add_sample(name, _labels(model), count_of(of_model.statistics))
        yield counter
    yield _failures(figures, triton_type)
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
            buckets = buckets_of(TIME_BOUNDS_S, times.counts)
            histogram.add_metric([model, MODEL_VERSION], buckets, sum_value=times.sum_s)
        yield histogram
    yield _batch_sizes(figures)


def _failures(figures: Mapping[str, Figures], triton_type: str) -> Metric:
    name = "nv_inference_request_failure"
    counter = Metric(name, "Requests that failed, by Triton's reason.", triton_type)
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
        histogram.add_metric(
            [model, MODEL_VERSION], buckets_of(BATCH_BOUNDS, counts), sum_value=rows
        )
    return histogram


def buckets_of(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Return Prometheus' cumulative buckets; the last count is of values above every bound."""
    names = [*(str(float(bound)) for bound in bounds), "+Inf"]
    return list(zip(names, map(float, accumulate(counts)), strict=True))


def _labels(model: str) -> dict[str, str]:
    return {"model": model, "version": MODEL_VERSION}
