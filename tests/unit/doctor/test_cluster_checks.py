"""Each node of a cluster is described, and a model that lies on one of several is warned of."""

from __future__ import annotations

from typing import Literal

import pytest

from deployments.doctor.cluster_checks import cluster_findings
from deployments.telemetry.model_report import READY, ModelReport, Node, ReplicaReport, ReplicaStats
from models.devices.device import DeviceReport

A, B = Node("10.0.0.1", True, 4.0, 0.0), Node("10.0.0.2", True, 8.0, 1.0)
LOST = Node("10.0.0.3", False, 0.0, 0.0)


def report(*addresses: str, device: Literal["cpu", "cuda"] = "cpu") -> ModelReport:
    """A model with a replica at each address."""
    on = DeviceReport("auto", device, "", "", "", 1, None, 0, 0.0)
    replicas = tuple(ReplicaReport("id", on, 0.0, ReplicaStats(), each) for each in addresses)
    return ModelReport("speaker", READY, len(replicas), on, replicas)


def test_nodes_tell_what_they_have_and_what_lies_there() -> None:
    found = cluster_findings([A, B, LOST], [report(A.address, B.address, B.address)])
    assert [(finding.check, finding.status, finding.found) for finding in found] == [
        ("node 10.0.0.1", "ok", "4 CPUs, 0 GPUs; replicas: speaker 1"),
        ("node 10.0.0.2", "ok", "8 CPUs, 1 GPUs; replicas: speaker 2"),
        ("node 10.0.0.3", "ok", "was lost, or has left"),
    ]


def test_one_node_is_no_cluster() -> None:
    assert cluster_findings([A], [report(A.address, A.address)]) == []


ALL_ON_ONE = {
    "on the CPU": ([A, B], report(A.address, A.address), True),
    "on the only node with a GPU": ([A, B], report(B.address, B.address, device="cuda"), False),
    "the others are lost": ([A, LOST], report(A.address, A.address), False),
    "one replica": ([A, B], report(A.address), False),
    "on both": ([A, B], report(A.address, B.address), False),
    "not answering": ([A, B], ModelReport("speaker", READY), False),
}


@pytest.mark.parametrize(("nodes", "model", "warned"), ALL_ON_ONE.values(), ids=ALL_ON_ONE)
def test_a_model_on_one_of_several_nodes_is_warned_of(
    nodes: list[Node], model: ModelReport, warned: bool
) -> None:
    found = [each for each in cluster_findings(nodes, [model]) if each.status == "warning"]
    assert [each.check for each in found] == ["model speaker nodes"] * warned
    assert all("one of 2 nodes" in each.found and each.fix for each in found)
