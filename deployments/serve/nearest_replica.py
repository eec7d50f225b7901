"""Choose the replica of each batch: a free one on this node, else a free one of another node.

Serve runs this router in each process that has a handle of a model. It also gives up the batches of
replicas that are dead: a call to a node that was cut off would wait for minutes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ray.exceptions import ActorDiedError
from ray.serve.request_router import (
    FIFOMixin,
    LocalityMixin,
    PendingRequest,
    ReplicaID,
    RequestRouter,
    RunningReplica,
)

from deployments.batching.concurrency import detached
from deployments.serve.batch_transport import Outgoing
from deployments.serve.ranking import ranked

ASK_S = 5.0  # for a replica that was dropped to answer
PAUSE_S = 1.0  # before it is asked again


class NodeReplica(RunningReplica):
    """A replica that knows whether it is on this node, and which batches it has."""

    def __init__(self, info: Any, node: str | None) -> None:
        super().__init__(info)
        self.is_near = self.node_id == node
        self.batches: set[Outgoing] = set()

    def try_send_request(self, pr: PendingRequest, with_rejection: bool) -> Any:
        """Send a request; a batch is told where it goes before it is pickled."""
        if pr.args and isinstance(pr.args[0], Outgoing):
            pr.args[0].goes_to(self.batches, is_near=self.is_near)
        return super().try_send_request(pr, with_rejection)


class NearestReplica(FIFOMixin, LocalityMixin, RequestRouter):
    """Try free replicas before busy ones, and of either those on this node first."""

    def create_replica_wrapper(self, replica_info: Any) -> NodeReplica:
        return NodeReplica(replica_info, self._self_node_id)

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Rank the replicas; of one rank Serve takes the one with the fewest batches."""
        if pending_request is not None:
            pending_request.routing_context.should_backoff = True
        return ranked(candidate_replicas, self._batches_at)

    def _batches_at(self, replica: RunningReplica) -> int:
        """Count the batches at a replica, as far as is known; 0 where nothing is."""
        return self.replica_queue_len_cache.get(replica.replica_id) or 0

    def update_replicas(self, replicas: list[RunningReplica]) -> None:
        """Take over the running replicas, and look after the batches of those that are gone."""
        left = {replica.replica_id for replica in replicas}
        gone = [replica for name, replica in self._replicas.items() if name not in left]
        super().update_replicas(replicas)
        for replica in gone:
            if replica.batches:
                detached(_give_up_if_dead(replica))

    def on_replica_actor_died(self, replica_id: ReplicaID) -> None:
        """Give up the batches of a replica that has died."""
        replica = self._replicas.get(replica_id)
        super().on_replica_actor_died(replica_id)
        if replica is not None:
            _lose_all(replica)


async def _give_up_if_dead(replica: NodeReplica) -> None:
    """Ask a replica that Serve has dropped until its batches have ended, or it is known dead.

    One that stops in order finishes its batches.
    """
    while replica.batches:
        try:
            async with asyncio.timeout(ASK_S):
                await replica.get_queue_len(deadline_s=ASK_S)
        except ActorDiedError:
            _lose_all(replica)
            return
        except Exception:  # it may answer the next time
            pass
        await asyncio.sleep(PAUSE_S)


def _lose_all(replica: NodeReplica) -> None:
    for batch in list(replica.batches):
        batch.lose()
