"""Hold a model that was ready once, with its batcher."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from deployments.batching.batcher import Batcher
from deployments.catalogue.sharing import Sharing
from deployments.telemetry.model_report import ReplicaStats
from models.runtime import RuntimeSpec


@dataclass(slots=True)
class Model:
    """A model's name, what it can do, and the batcher before its replicas."""

    name: str
    spec: RuntimeSpec
    batcher: Batcher[Any, Any]
    sharing: Sharing = field(default_factory=Sharing)

    def look(self, replicas: Iterable[ReplicaStats], now: float) -> None:
        """Learn from the replicas' counts how much they do for other ingresses."""
        self.sharing.look(replicas, self.batcher.learning.used_s, now)

    def resize(self, replicas: int) -> None:
        """Form batches for what other ingresses leave of so many replicas."""
        self.batcher.resize(self.sharing.left(replicas))
