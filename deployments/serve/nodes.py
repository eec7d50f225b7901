"""Tell which nodes of the cluster live, and what each has room for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray

from deployments.serve.replica import CPUS_A_REPLICA
from deployments.telemetry.model_report import Node

ROUNDING = 1e-6  # 0.15 / 0.05 is a bit less than 3


def nodes_with_cpus() -> int:
    """Count the living nodes that have room for an ingress; a head without CPUs has none."""
    return max(1, sum(map(bool, room(0.0))))


def room(gpu_fraction: float) -> Sequence[int]:
    """Return for how many replicas each living node is large enough, from the smallest."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    return sorted(_fitting(each, gpu_fraction) for each in resources)


def every_node() -> Sequence[Node]:
    """Describe each address that is or was a node's, by its latest node."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    found: dict[str, Node] = {}
    for node in sorted(nodes, key=lambda each: bool(each["Alive"])):
        address, has = node["NodeManagerAddress"], node["Resources"].get
        found[address] = Node(address, node["Alive"], has("CPU", 0.0), has("GPU", 0.0))
    return [found[address] for address in sorted(found)]


def _fitting(resources: dict[str, float], gpu_fraction: float) -> int:
    by_cpus = int(resources.get("CPU", 0.0) / CPUS_A_REPLICA + ROUNDING)
    if not gpu_fraction:
        return by_cpus
    return min(by_cpus, int(resources.get("GPU", 0.0)) * int(1 / gpu_fraction + ROUNDING))
