"""Define where models are, and how an ingress reaches their replicas; free of Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from deployments.batching.batch import BatchReply
from deployments.catalogue.generation import ModelOverride
from deployments.telemetry.model_report import Node, ReplicaStats
from models.devices.device import DeviceReport
from models.runtime import RuntimeSpec

State: TypeAlias = Literal["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]  # Triton's words
# The reasons of a model that is unloaded.
UNLOADED = "unloaded"  # by an operator, until it is loaded again
IDLE = "idle"  # nobody used it; the next request loads it


@dataclass(frozen=True, slots=True)
class Description:
    """A loaded, warm model: what it can do and where it runs."""

    spec: RuntimeSpec
    device: DeviceReport
    warm_up_s: float = 0.0
    replica: str = ""  # its id, which tells the replicas of a model apart
    node: str = ""  # the address of its node
    override: ModelOverride | None = None  # with which it was loaded
    # Cost and seconds of batches of live pieces that ran before the first request.
    pace: tuple[tuple[float, float], ...] = ()


class Remote(Protocol):
    """One model's replicas."""

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        """Run one batch on one replica. Raises ReplicaLost: that replica died."""

    async def describe(self) -> Sequence[Description]:
        """Ask each ready replica to describe itself. Raises Unavailable: none is ready."""

    async def stats(self) -> Sequence[ReplicaStats]:
        """Ask each ready replica for its counts. Raises Unavailable: none is ready."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of one model."""

    app: str | None  # the application that serves it; None: none does
    state: State
    reason: str = ""  # UNLOADED, IDLE, or why the last load failed
    on_demand: bool = False  # it is not there, and the next request loads it
    override: ModelOverride | None = None
    description: Description | None = None  # the last that is known
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Placements:
    """The places of all configured models; the greater ``version`` is the later one."""

    version: tuple[int, int] = (0, 0)
    of: Mapping[str, Placement] = field(default_factory=dict)


class Directory(Protocol):
    """Tell where the models are, and load and unload them."""

    async def placements(self) -> Placements:
        """Return where every model is. Raises Unavailable: nobody answers."""

    async def remote(self, name: str, app: str) -> Remote:
        """Return the replicas of one application of a model."""

    async def load(self, name: str, override: ModelOverride | None = None) -> None:
        """Return once the model serves so; see ``Control.load`` for the errors."""

    async def unload(self, name: str) -> None:
        """Return once its processes are gone; see ``Control.unload``."""

    async def wake(self, name: str) -> None:
        """Return once a model that is loaded on demand serves; see ``Control.wake``."""

    async def nodes(self) -> Sequence[Node]:
        """Return the nodes that the server runs on, or did."""
