"""The models' replicas as the ingress sees them: the seam between batching and Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from deployments.batching.dispatcher import BatchReply
from deployments.catalogue.generation import ModelOverride
from deployments.telemetry.model_report import ReplicaStats
from models.devices.device import DeviceReport
from models.runtime import RuntimeSpec

State: TypeAlias = Literal["READY", "LOADING", "UNLOADING", "UNAVAILABLE"]  # Triton's words
# Why a model that did not fail is not there.
UNLOADED = "unloaded"  # by an operator, until it is loaded again
IDLE = "idle"  # because nobody used it, until somebody does


@dataclass(frozen=True, slots=True)
class Description:
    """A loaded, warm model: what it can do and where it runs."""

    spec: RuntimeSpec
    device: DeviceReport
    warm_up_s: float = 0.0
    replica: str = ""  # its id, which tells the replicas of a model apart
    override: ModelOverride | None = None  # with which it was loaded


class Remote(Protocol):
    """One model's replicas."""

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        """Run one batch on one replica; raises ``ReplicaLost`` if that died."""

    async def describe(self) -> Sequence[Description]:
        """Of each replica that is ready; raises ``Unavailable`` while there is none."""

    async def stats(self) -> Sequence[ReplicaStats]:
        """Of each replica that is ready; raises ``Unavailable`` while there is none."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one model is."""

    app: str | None  # the application that serves it; None: none does
    state: State
    reason: str = ""  # UNLOADED, IDLE, or why the last load failed
    on_demand: bool = False  # it is not there, and the next request loads it
    override: ModelOverride | None = None
    description: Description | None = None  # the last that is known
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Placements:
    """Where every configured model is; of two, the greater ``version`` is the later one."""

    version: tuple[int, int] = (0, 0)
    of: Mapping[str, Placement] = field(default_factory=dict)


class Directory(Protocol):
    """Who knows where the models are, and loads and unloads them."""

    async def placements(self) -> Placements:
        """Raises Unavailable: nobody answers."""

    async def remote(self, name: str, app: str) -> Remote:
        """The replicas of one application of a model."""

    async def load(self, name: str, override: ModelOverride | None = None) -> None:
        """Return once the model serves so; see ``Control.load`` for the errors."""

    async def unload(self, name: str) -> None:
        """Return once its processes are gone; see ``Control.unload``."""

    async def wake(self, name: str) -> None:
        """Return once a model that is loaded on demand serves; see ``Control.wake``."""
