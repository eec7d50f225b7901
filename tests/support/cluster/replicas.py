"""A model's replicas: what they have done, as any ingress tells it, and their processes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import httpx
import psutil

from tests.support.cluster.cluster import Cluster
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


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""
