"""Report a running model: its state, its replicas, where they run, memory, times, counts.

``catalogue.reports`` builds it in the ingress, ``from_listing`` from an answer of ``/v1/models``.
The metrics and the doctor read it; ``http.v1.model_listing`` renders it as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from models.devices.device import DeviceReport

# The states of a model, as ``/health/ready`` has them. FAILED is followed by ": " and the reason.
READY, LOADING, UNLOADED, FAILED = "ready", "loading", "unloaded", "failed"


@dataclass(slots=True)
class ReplicaStats:
    """Counts of one replica since it started; sums over replicas are exact."""

    items: int = 0
    batches: int = 0
    item_errors: int = 0
    failed_batches: int = 0
    busy_s: float = 0.0
    first_batch_s: float | None = None  # run time of the first batch after the warm-up
    replica: str = ""
    out_of_memory: int = 0  # attempts that found no memory on the GPU
    starved_items: int = 0  # items that fitted before and later not even alone
    memory_bound: float | None = None  # the largest cost of a batch that fits; None: any has


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """One replica: where it runs, how long its start took, and its counts."""

    replica: str
    device: DeviceReport
    warm_up_s: float
    statistics: ReplicaStats
    node: str = ""  # its address


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the cluster that the server runs on."""

    address: str
    is_alive: bool
    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True)
class ModelCounts:
    """Sums over all replicas of a model."""

    items: int = 0
    batches: int = 0
    item_errors: int = 0
    failures: int = 0  # batches that failed as a whole
    busy_s: float = 0.0

    @classmethod
    def of(cls, stats: Sequence[ReplicaStats]) -> ModelCounts:
        """Add up the counts of replicas."""
        return cls(
            items=sum(s.items for s in stats),
            batches=sum(s.batches for s in stats),
            item_errors=sum(s.item_errors for s in stats),
            failures=sum(s.failed_batches for s in stats),
            busy_s=sum(s.busy_s for s in stats),
        )

    @property
    def mean_batch_size(self) -> float:
        """Return the items a batch; 0 before the first one."""
        return self.items / self.batches if self.batches else 0.0


@dataclass(frozen=True, slots=True)
class ModelReport:
    """One configured model. A model whose replicas do not answer has its name and state alone."""

    name: str
    state: str  # READY, LOADING, UNLOADED, or FAILED and why
    replica_count: int = 0
    device: DeviceReport | None = None  # of the first replica; None: no replica answers
    replicas: tuple[ReplicaReport, ...] = ()
    statistics: ModelCounts = field(default_factory=ModelCounts)

    @property
    def is_answering(self) -> bool:
        """Tell whether replicas have described themselves."""
        return self.device is not None

    @property
    def is_on_gpu(self) -> bool:
        """Tell whether every replica runs on a GPU; False if no replica reports."""
        return bool(self.replicas) and all(r.device.actual == "cuda" for r in self.replicas)


@dataclass(frozen=True, slots=True)
class _Listed:
    """The fields of an answer of ``/v1/models/{name}`` that a report is built from."""

    id: str
    replicas: int
    device: DeviceReport
    replica_reports: tuple[ReplicaReport, ...]
    statistics: ModelCounts


_listed = TypeAdapter(_Listed)


def from_listing(answer: Any, state: str) -> ModelReport:
    """Build the report from an answer of ``/v1/models/{name}``.

    Raises:
        ValueError: the answer does not describe a model.
    """
    listed = _listed.validate_python(answer)
    return ModelReport(
        listed.id, state, listed.replicas, listed.device, listed.replica_reports, listed.statistics
    )
