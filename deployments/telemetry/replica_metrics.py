"""Write the metrics of the models' replicas: device, memory, times, and counts of batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from deployments.telemetry.model_report import READY, ModelReport, ReplicaReport, ReplicaStats

REPLICA = ("model", "replica")

# name, help, value
REPLICA_GAUGES: tuple[tuple[str, str, Callable[[ReplicaReport], float]], ...] = (
    (
        "dragoman_model_memory_bytes",
        "Memory of the replica: on the GPU, or resident where it runs on the CPU.",
        lambda report: report.device.memory_bytes,
    ),
    (
        "dragoman_model_load_seconds",
        "What loading the weights took.",
        lambda report: report.device.load_s,
    ),
    (
        "dragoman_model_warm_up_seconds",
        "What the warm-up took.",
        lambda report: report.warm_up_s,
    ),
)
REPLICA_COUNTERS: tuple[tuple[str, str, Callable[[ReplicaStats], float]], ...] = (
    ("dragoman_model_items", "Items that were run.", lambda s: s.items),
    ("dragoman_model_batches", "Batches that were run.", lambda s: s.batches),
    ("dragoman_model_item_errors", "Items that failed alone.", lambda s: s.item_errors),
    (
        "dragoman_model_failed_batches",
        "Batches that failed as a whole.",
        lambda s: s.failed_batches,
    ),
    (
        "dragoman_model_out_of_memory",
        "Attempts that found no GPU memory.",
        lambda s: s.out_of_memory,
    ),
    ("dragoman_model_busy_seconds", "Time in which the model ran.", lambda s: s.busy_s),
)


def replica_metrics(reports: Sequence[ModelReport]) -> Iterator[Metric]:
    """Yield the metrics of every configured model and of its replicas."""
    yield _ready(reports)
    yield _on_gpu(reports)
    replicas = [(report.name, replica) for report in reports for replica in report.replicas]
    yield _device_info(replicas)
    for name, text, value_of in REPLICA_GAUGES:
        gauge = GaugeMetricFamily(name, text, labels=REPLICA)
        for model, replica in replicas:
            gauge.add_metric([model, replica.replica], value_of(replica))
        yield gauge
    yield _memory_bounds(replicas)
    for name, text, count_of in REPLICA_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=REPLICA)
        for model, replica in replicas:
            counter.add_metric([model, replica.replica], count_of(replica.statistics))
        yield counter


def _ready(reports: Sequence[ModelReport]) -> Metric:
    ready = GaugeMetricFamily(
        "dragoman_model_ready", "1 where a replica of the model is warm.", labels=["model"]
    )
    for report in reports:
        ready.add_metric([report.name], float(report.state == READY))
    return ready


def _on_gpu(reports: Sequence[ModelReport]) -> Metric:
    on_gpu = GaugeMetricFamily(
        "model_on_gpu", "1 where every replica of the model runs on a GPU.", labels=["model"]
    )
    for report in reports:
        if report.replicas:
            on_gpu.add_metric([report.name], float(report.is_on_gpu))
    return on_gpu


def _memory_bounds(replicas: Sequence[tuple[str, ReplicaReport]]) -> Metric:
    bounds = GaugeMetricFamily(
        "dragoman_model_memory_bound",
        "The largest cost of a batch that the GPU held, since one did not fit.",
        labels=REPLICA,
    )
    for model, replica in replicas:
        if (bound := replica.statistics.memory_bound) is not None:
            bounds.add_metric([model, replica.replica], bound)
    return bounds


def _device_info(replicas: Sequence[tuple[str, ReplicaReport]]) -> Metric:
    names = ("requested", "actual", "reason", "library", "precision", "gpu_name")
    info = GaugeMetricFamily(
        "dragoman_model_device_info",
        "Where a replica runs, and why; always 1.",
        labels=[*REPLICA, *names],
    )
    for model, replica in replicas:
        values = (str(getattr(replica.device, name) or "") for name in names)
        info.add_metric([model, replica.replica, *values], 1.0)
    return info
