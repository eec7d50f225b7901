"""What Prometheus scrapes: where each replica runs, and what it and the queues have counted.

Filled at the scrape from the replicas' own counts, so that sums over them are exact. Rows are
those of ``/v1/models``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from deployments.batcher import BatcherStats
from deployments.fleet import READY
from deployments.model_checks import Row, is_on_gpu

MEDIA_TYPE = CONTENT_TYPE_LATEST
REPLICA = ("model", "replica")
QUEUE = ("model", "ingress")

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
    ("dragoman_model_busy_seconds", "Time in which the model ran.", "busy_s"),
)
QUEUE_COUNTERS = (  # name, help, field of BatcherStats
    ("dragoman_queue_refused", "Items refused by a full queue.", "refused"),
    ("dragoman_queue_expired", "Items whose deadline passed in the queue.", "expired_in_queue"),
    ("dragoman_queue_expired_running", "Items whose deadline passed running.", "expired_running"),
    ("dragoman_queue_abandoned", "Items whose caller left.", "abandoned"),
    ("dragoman_queue_split_batches", "Failed batches that were tried item by item.", "split"),
    ("dragoman_queue_sent_again", "Batches sent again: their replica died.", "sent_again"),
)


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """One model's queue in one ingress process."""

    model: str
    waiting: int  # items
    in_flight: int  # batches
    stats: BatcherStats


def exposition(
    rows: Sequence[Row], states: Mapping[str, str], queues: Sequence[QueueFigures], ingress: str
) -> bytes:
    """Prometheus' text format, of ``MEDIA_TYPE``.

    Args:
        rows: of the models that are ready.
        states: of every configured model.
        queues: of this process; ``ingress`` names it, because each has queues of its own.
        ingress: a name of this process.
    """

    class Scrape(Collector):
        def collect(self) -> Iterable[Metric]:
            yield _states(states)
            yield from _of_replicas(rows)
            yield from _of_queues(queues, ingress)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Scrape())
    return generate_latest(registry)


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
    for name, text, field in REPLICA_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=REPLICA)
        for model, report in reports:
            counter.add_metric([model, report["replica"]], report["statistics"][field])
        yield counter


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


def _of_queues(queues: Sequence[QueueFigures], ingress: str) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("dragoman_queue_items", "Items that wait.", labels=QUEUE)
    in_flight = GaugeMetricFamily(
        "dragoman_batches_in_flight", "Batches sent and not yet answered.", labels=QUEUE
    )
    for queue in queues:
        waiting.add_metric([queue.model, ingress], queue.waiting)
        in_flight.add_metric([queue.model, ingress], queue.in_flight)
    yield waiting
    yield in_flight
    for name, text, field in QUEUE_COUNTERS:
        counter = CounterMetricFamily(name, text, labels=QUEUE)
        for queue in queues:
            counter.add_metric([queue.model, ingress], getattr(queue.stats, field))
        yield counter
