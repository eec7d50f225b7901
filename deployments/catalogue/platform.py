"""Define what the control asks of whatever runs the models' applications; free of Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from deployments.catalogue.generation import Generation
from deployments.catalogue.placements import Description, Placements
from deployments.catalogue.scaling import Load
from deployments.catalogue.spreading import Lying
from deployments.config.schema import ModelConfig


@dataclass(frozen=True, slots=True)
class AppStatus:
    """One application as the platform sees it."""

    model: str
    state: Literal["starting", "running", "failed", "stopping"]
    message: str = ""  # why it failed
    deployed_at: float = 0.0  # Unix time
    replicas: int = 0  # that run
    lying: Lying = field(default_factory=Lying)


class Platform(Protocol):
    """Run the models' applications, and reach the ingresses."""

    async def start(self, generation: Generation, most_on_a_node: int | None) -> None:
        """Begin to start a generation's application, with so many replicas on a node at most.

        One that runs already is started again, one replica after another.
        """

    async def delete(self, app: str) -> None:
        """Stop an application, and return once its processes are gone."""

    async def scale(self, name: str, app: str, replicas: int) -> None:
        """Begin to change the number of replicas of an application that runs."""

    async def status(self) -> Mapping[str, AppStatus]:
        """Return the status of every model's application. Raises Draining: the server stops."""

    async def describe(self, name: str, app: str) -> Description | None:
        """Ask one of an application's replicas to describe itself; None if none answers."""

    async def room(self, config: ModelConfig) -> Sequence[int]:
        """Return for how many of a model's replicas each node is large enough, in any order."""

    async def gpus(self) -> tuple[float, float]:
        """Return the number of GPUs of the cluster, and how much of them is free."""

    async def recall(self) -> Placements | None:
        """Ask the ingresses for the placements that they know; None at the first start."""

    async def tell(self, placements: Placements, name: str, timeout_s: float) -> None:
        """Send placements to every ingress, and wait until it has settled the named model."""

    async def idle(self) -> Sequence[Mapping[str, float | None]] | None:
        """Return, for each ingress, how long (s) each model has been idle; None if it is busy.

        None as a whole if an ingress does not answer.
        """

    async def loads(self) -> Sequence[Mapping[str, Load]]:
        """Return, for each ingress that answers, how much each model has to do."""
