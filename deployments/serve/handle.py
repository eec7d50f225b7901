"""ServeRemote, the way to a model's replicas through Serve's handle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from ray import serve
from ray.exceptions import NodeDiedError, RayActorError, WorkerCrashedError
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from deployments.batching.batch import BatchReply, ReplicaLost, Rows
from deployments.catalogue.placements import Description
from deployments.config.policy import BatchPolicy
from deployments.serve.batch_transport import Carrier, Outgoing
from deployments.serve.gathering import Bounds
from deployments.serve.shared_memory import Blocks
from deployments.telemetry.model_report import ReplicaStats
from models.errors import Unavailable

LOST = (RayActorError, NodeDiedError, WorkerCrashedError)


class ServeRemote:
    """Sends batches through Serve's router, which knows the replicas with a free place.

    Args:
        handle: of the model's deployment.
        blocks: memory to share with replicas.
        may_join: how batches of other ingresses may run with these; None: there are none.
    """

    def __init__(
        self,
        handle: DeploymentHandle[Any],
        blocks: Blocks | None = None,
        may_join: Callable[[], BatchPolicy | None] | None = None,
    ) -> None:
        self._handle = handle
        self._may_join = may_join
        call = handle.infer.remote if may_join is None else self._call_with_bounds
        self._carrier = Carrier(call, blocks)

    def _call_with_bounds(self, batch: Outgoing) -> Awaitable[Any]:
        """Send a batch that those of other ingresses may join at the replica."""
        policy = self._may_join() if self._may_join is not None else None
        bounds = None if policy is None else Bounds.of(policy)
        held_s = batch.rows.held_s if isinstance(batch.rows, Rows) else ()
        called: Awaitable[Any] = self._handle.infer.remote(batch, bounds, held_s)
        return called

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        sent_at, sent = time.time(), time.perf_counter()
        try:
            async with asyncio.timeout(None) as call:
                packed = await self._carrier.send(items, partial(_cut_off, call))
        except LOST as error:
            raise ReplicaLost from error
        except TimeoutError as error:
            if call.expired():
                raise ReplicaLost from error
            raise
        except DeploymentUnavailableError as error:
            raise self._unavailable() from error
        assert packed.ran is not None
        received_at, waited_s, execution_s, bound, together, busy_s = packed.ran
        on_the_way_s = max(0.0, time.perf_counter() - sent - waited_s - execution_s)
        input_s = min(max(0.0, received_at - sent_at), on_the_way_s)  # two clocks, perhaps
        output_s = on_the_way_s - input_s
        times = (execution_s, waited_s, input_s, output_s)
        return BatchReply(packed.rows, *times, bound, together, busy_s)

    async def describe(self) -> Sequence[Description]:
        return await self._of_each("describe")

    async def stats(self) -> Sequence[ReplicaStats]:
        return await self._of_each("stats")

    async def _of_each(self, method: str) -> list[Any]:
        """Ask every running replica; leave out one that dies meanwhile."""
        try:
            answers: list[Any] = await self._handle.broadcast(method).results_async()
        except (*LOST, DeploymentUnavailableError) as error:
            raise self._unavailable() from error
        return answers

    def _unavailable(self) -> Unavailable:
        return Unavailable(f"no replica of model {self._handle.deployment_name!r} answers")


def _cut_off(call: asyncio.Timeout) -> None:
    """End a call to a replica that will never answer."""
    if not call.expired():
        call.reschedule(asyncio.get_running_loop().time())


async def handle_of(name: str, app: str) -> DeploymentHandle[Any]:
    """Return the handle of a deployment. Raises Unavailable: there is none."""
    try:
        handle: DeploymentHandle[Any] = await asyncio.to_thread(
            serve.get_deployment_handle, name, app
        )
    except KeyError as error:
        raise Unavailable(f"there is no deployment {name!r}") from error
    return handle
