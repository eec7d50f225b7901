"""Check the nodes of a server that runs on several, and whether its models use them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from deployments.doctor.machine_checks import Finding
from deployments.telemetry.model_report import ModelReport, Node

FIX = "load it again; if that changes nothing, look for `placed anew` in the server's log"


def cluster_findings(nodes: Sequence[Node], reports: Sequence[ModelReport]) -> list[Finding]:
    """Describe each node and what lies there; warn of models that lie on one of several."""
    if len(nodes) < 2:
        return []
    return [*(_node(node, reports) for node in nodes), *_packed(nodes, reports)]


def _node(node: Node, reports: Sequence[ModelReport]) -> Finding:
    check = f"node {node.address}"
    if not node.is_alive:
        return Finding(check, "ok", "was lost, or has left")
    counts = {each.name: _addresses(each)[node.address] for each in reports}
    models = ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"
    return Finding(check, "ok", f"{node.cpus:g} CPUs, {node.gpus:g} GPUs; replicas: {models}")


def _packed(nodes: Sequence[Node], reports: Sequence[ModelReport]) -> Iterator[Finding]:
    living = [node for node in nodes if node.is_alive and node.cpus]
    for report in reports:
        on = _addresses(report)
        able = [node for node in living if node.gpus or not report.is_on_gpu]
        if on.total() > 1 and len(on) == 1 and len(able) > 1:
            found = f"all {on.total()} replicas lie on {next(iter(on))}, one of {len(able)} nodes"
            yield Finding(f"model {report.name} nodes", "warning", found, FIX)


def _addresses(report: ModelReport) -> Counter[str]:
    return Counter(replica.node for replica in report.replicas)
