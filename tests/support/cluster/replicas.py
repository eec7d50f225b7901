"""A model's replicas: what they have done, as any ingress tells it, and their processes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import httpx
import psutil

from tests.support.cluster.cluster import READY_S, Cluster, wait_for
from tests.support.cluster.node import Node


def batches(cluster: Cluster) -> Mapping[str, int]:
    """The batches that each replica of the speaker model has run; empty: no ingress tells."""
    for url in cluster.urls:
        try:
            row = httpx.get(f"{url}/v1/models/speaker", timeout=30).json()
            reports = row["replica_reports"]
            return {each["replica"]: each["statistics"]["batches"] for each in reports}
        except (httpx.HTTPError, KeyError):
            continue
    return {}


def processes_of(nodes: Iterable[Node], deployment: str) -> list[list[psutil.Process]]:
    """The processes of a deployment's replicas on each node."""
    title = re.compile(rf"ray::(SERVE_REPLICA::|ServeReplica:)[^ ]*[:#]{deployment}\b")
    return [[p for p in node.processes() if title.match(_title(p))] for node in nodes]


def pids(cluster: Cluster, deployment: str) -> set[int]:
    """The processes of a deployment's replicas on all nodes."""
    return {found.pid for node in processes_of(cluster.nodes, deployment) for found in node}


def deploy(cluster: Cluster, config: dict[str, Any]) -> None:
    """Give the cluster another configuration, and wait until no ingress of before is left."""
    before = pids(cluster, "Ingress")
    cluster.deploy(config)
    wait_for(
        lambda: len(now := pids(cluster, "Ingress")) == len(cluster.nodes) and not before & now,
        "new ingresses",
        READY_S,
        cluster.logs,
    )
    cluster.until_ready()


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""
