"""A model's replicas as the ingress sees them: the seam between batching and Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from deployments.batcher import BatchReply
from models.device import DeviceReport
from models.runtime import RuntimeSpec


@dataclass(frozen=True, slots=True)
class Description:
    """A loaded, warm model: what it can do and where it runs."""

    spec: RuntimeSpec
    device: DeviceReport
    warm_up_s: float = 0.0
    replica: str = ""  # its id, which tells the replicas of a model apart


@dataclass(slots=True)
class ReplicaStats:
    """Counts of one replica since it started; sums over replicas are exact."""

    items: int = 0
    batches: int = 0
    item_errors: int = 0
    failed_batches: int = 0
    busy_s: float = 0.0
    first_batch_s: float | None = None  # of the first batch after the warm-up, while it ran
    replica: str = ""


class Remote(Protocol):
    """One model's replicas."""

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        """Run one batch on one replica; raises ``ReplicaLost`` if that died."""

    async def describe(self) -> Sequence[Description]:
        """Of each replica that is ready; raises ``Unavailable`` while there is none."""

    async def stats(self) -> Sequence[ReplicaStats]:
        """Of each replica that is ready; raises ``Unavailable`` while there is none."""

    async def failure(self) -> str | None:
        """Why no replica can be made, once that is given up."""
