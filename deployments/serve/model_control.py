"""Load and unload models as applications of Serve, in a deployment that ingresses ask.

The control is a deployment of its own, so that it and the ingresses can be replaced one without
the other. Each model is an application without a route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ray import serve
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from deployments.catalogue.control import Control
from deployments.catalogue.generation import ModelOverride
from deployments.catalogue.placements import Placements, Remote
from deployments.config.names import CONTROL
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig
from deployments.serve.handle import LOST, ServeRemote, handle_of
from deployments.serve.model_replicas import ServePlatform
from deployments.serve.nodes import every_node
from deployments.serve.replica_address import stay_on_loopback
from deployments.serve.shared_memory import Blocks
from deployments.telemetry.log import set_up
from deployments.telemetry.model_report import Node
from models.errors import DragomanError, Unavailable

# A control that dies while it is asked is replaced, and everything it is asked may be asked twice.
ASKED_AGAIN, LOST_PAUSE_S = 10, 1.0
MOST_INGRESSES = 32  # whose batches may wait at one replica, where their number is not known
OPERATIONS = 1000  # at once; most wait for their model's lock


# An old control must not go on while a new one decides, so it gets no time to finish. The new one
# takes over what it began.
@serve.deployment(name=CONTROL, health_check_period_s=2, graceful_shutdown_timeout_s=0)
class ModelControl:
    """Run the control, in one replica. Errors are returned instead of raised.

    A raised one would come out of a handle as another class, with Ray's traceback in it.
    """

    def __init__(self, config: AppConfig) -> None:
        log_format = config.observability.log_format
        set_up(log_format)
        stay_on_loopback()
        several = config.ingress.replicas
        ingresses = MOST_INGRESSES if several == "every_node" else several
        self._control = Control(config.models, ServePlatform(log_format, own_logging(), ingresses))
        self._control.start()

    async def placements(self) -> Placements:
        return await self._control.placements()

    async def load(self, name: str, override: ModelOverride | None) -> DragomanError | None:
        return await _error_of(self._control.load(name, override))

    async def unload(self, name: str) -> DragomanError | None:
        return await _error_of(self._control.unload(name))

    async def wake(self, name: str) -> DragomanError | None:
        return await _error_of(self._control.wake(name))


def own_logging() -> Mapping[str, Any] | None:
    """Return the file's ``logging_config``, which this replica runs with.

    Serve applies it to the applications of the file, and not to those that they start.
    """
    config: Mapping[str, Any] | None = serve.get_replica_context()._deployment_config.logging_config
    return config


async def _error_of(operation: Awaitable[None]) -> DragomanError | None:
    try:
        await operation
    except DragomanError as error:
        return error
    return None


class ServeDirectory:
    """Ask the control from an ingress; everything may be asked twice.

    Args:
        control: the deployment.
        may_join: how batches of other ingresses may run with those of a model; None: there are
            none.
    """

    def __init__(
        self,
        control: DeploymentHandle[Any],
        may_join: Callable[[str], BatchPolicy | None] | None = None,
    ) -> None:
        self._control = control
        self._may_join = may_join
        self._blocks = Blocks()

    async def placements(self) -> Placements:
        placements: Placements = await self._ask("placements")
        return placements

    async def remote(self, name: str, app: str) -> Remote:
        may_join = None if self._may_join is None else partial(self._may_join, name)
        return ServeRemote(await handle_of(name, app), self._blocks, may_join)

    async def load(self, name: str, override: ModelOverride | None = None) -> None:
        await self._ask("load", name, override)

    async def unload(self, name: str) -> None:
        await self._ask("unload", name)

    async def wake(self, name: str) -> None:
        await self._ask("wake", name)

    async def nodes(self) -> Sequence[Node]:
        return await asyncio.to_thread(every_node)

    async def _ask(self, method: str, *args: Any) -> Any:
        for _ in range(ASKED_AGAIN):
            try:
                answer = await getattr(self._control, method).remote(*args)
            except (DeploymentUnavailableError, *LOST):
                await asyncio.sleep(LOST_PAUSE_S)
                continue
            if isinstance(answer, DragomanError):
                raise answer
            return answer
        raise Unavailable("the control of the models does not answer")
