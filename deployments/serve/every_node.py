"""Keep one ingress on each node of the cluster, as nodes come and go.

Serve has no such number of replicas. An autoscaling policy of its own tells it the number of nodes,
and no node gets a second one.
"""

from __future__ import annotations

import time
from typing import Any

from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

from deployments.config.ingress import IngressConfig
from deployments.serve.nodes import nodes_with_cpus

MOST_NODES = 4096
LOOK_S = 1.0  # between looks at the cluster; Serve asks ten times a second
# A node that is gone for less keeps its place, lest Serve stop an ingress that works.
GONE_S = 30.0


def replicas_of(ingress: IngressConfig) -> dict[str, Any]:
    """Return the options of Serve for the number of ingress processes."""
    if ingress.replicas != "every_node":
        return {"num_replicas": ingress.replicas}
    scaling = AutoscalingConfig(
        min_replicas=1,
        initial_replicas=ingresses_now(ingress),
        max_replicas=MOST_NODES,
        upscale_delay_s=0,
        downscale_delay_s=GONE_S,
        policy=AutoscalingPolicy(  # type: ignore[no-untyped-call]
            policy_function=f"{__name__}:EveryNode"
        ),
    )
    return {"autoscaling_config": scaling, "max_replicas_per_node": 1}


def ingresses_now(ingress: IngressConfig) -> int:
    """Return the number of ingress processes, by the nodes that there are now."""
    return nodes_with_cpus() if ingress.replicas == "every_node" else ingress.replicas


class EveryNode:
    """The policy: as many replicas as there are nodes. Serve makes one for the deployment."""

    def __init__(self) -> None:
        self._looked_at = -LOOK_S
        self._nodes = 1

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        if time.monotonic() - self._looked_at >= LOOK_S:
            self._nodes = nodes_with_cpus()
            self._looked_at = time.monotonic()
        return self._nodes, {}
