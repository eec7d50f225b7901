"""What callers behind a balancer see while nodes fail and the server is changed: a table of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.conftest import MODELS
from tests.support.cluster.broken import BROKEN
from tests.support.cluster.cluster import PORT, READY_S, Cluster, fakes_config, wait_for
from tests.support.cluster.load import TITLE, Load
from tests.support.cluster.nginx import Nginx
from tests.support.cluster.replicas import batches, deploy

RATE = 12.0  # requests a second: three nodes of fakes and all else share two cores
BEFORE_S, AFTER_S = 3.0, 6.0
Fault = Callable[[Cluster], None]


@pytest.fixture(scope="module")
def balanced(cluster: Cluster) -> Iterator[Nginx]:
    upstream = [f"{node.address}:{PORT}" for node in cluster.nodes]
    with Nginx(cluster.network.host, upstream) as nginx:
        yield nginx


def measured(cluster: Cluster, nginx: Nginx, name: str, fault: Fault) -> Load:
    """Have callers ask while something happens; its row of the table."""
    with Load(nginx.url, RATE) as load:
        time.sleep(BEFORE_S)
        fault_at = time.monotonic()
        fault(cluster)
        time.sleep(AFTER_S)
    print(f"\n{TITLE}\n{load.table.row(name, fault_at)}\n{load.table.told()}", flush=True)
    return load


def cut_and_mend(cluster: Cluster) -> None:
    """Cut the last node off until the cluster has given it up, then mend its cable."""
    node = cluster.nodes[-1]
    node.cut()
    wait_for(lambda: cluster.living() == len(cluster.nodes) - 1, "it is given up", READY_S)
    node.mend()
    cluster.until_ready()


def restart_head(cluster: Cluster) -> None:
    cluster.kill(0)
    time.sleep(5.0)  # as long as a machine may be away before another one stands in for it
    cluster.replace(0)
    cluster.until_ready()


def change(cluster: Cluster, **speaker: Any) -> None:
    cluster.deploy(fakes_config(**{**MODELS, "speaker": {**MODELS["speaker"], **speaker}}))


def upgrade(cluster: Cluster) -> None:
    """Load the models anew, by another option of one of them."""
    before = set(batches(cluster))
    change(cluster, options={"base_ms": 40.0})
    wait_for(lambda: not before & set(batches(cluster)), "the new generation serves", READY_S)
    cluster.until_ready()


def bad_upgrade(cluster: Cluster) -> None:
    """Ask for an engine that cannot be loaded, and then for the one before."""
    change(cluster, engine=BROKEN)
    wait_for(lambda: "is broken" in cluster.logs(), "it was refused", READY_S)
    cluster.until_ready()
    deploy(cluster, fakes_config(**MODELS))


FAULTS: dict[str, Fault] = {
    "a node is cut off and comes back": cut_and_mend,
    "the head is killed and replaced": restart_head,
    "another generation of a model": upgrade,
    "a generation that cannot be loaded": bad_upgrade,
}


@pytest.mark.parametrize("name", FAULTS)
def test_no_request_is_lost(cluster: Cluster, balanced: Nginx, name: str) -> None:
    load = measured(cluster, balanced, name, FAULTS[name])
    assert load.table.count("lost") == 0, load.table.told()
