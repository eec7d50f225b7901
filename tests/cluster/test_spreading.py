"""A model's replicas lie evenly on the nodes that there are, as nodes go and come back."""

from __future__ import annotations

from functools import partial

from tests.cluster.conftest import MODELS
from tests.support.cluster.cluster import READY_S, Cluster, fakes_config, wait_for
from tests.support.cluster.load import Load
from tests.support.cluster.replicas import deploy, pids, processes_of

REPLICAS = int(MODELS["speaker"]["replicas"])
RATE = 4.0  # requests a second
GENERATIONS = (51.0, 52.0, 50.0)  # by an option; the last one is that of before


def lying(cluster: Cluster) -> list[int]:
    """Count the replicas of the speaker model on each node."""
    return [*map(len, processes_of(cluster.nodes, "speaker"))]


def is_new(cluster: Cluster, before: set[int]) -> bool:
    return len(now := pids(cluster, "speaker")) == REPLICAS and not before & now


def until_lying(cluster: Cluster, expected: list[int]) -> None:
    wait_for(lambda: lying(cluster) == expected, f"replicas {expected}", READY_S, cluster.logs)


def test_every_generation_is_spread(cluster: Cluster) -> None:
    """Its replicas start while the ingresses are replaced, whose turns Serve's spreading counts."""
    for base_ms in GENERATIONS:
        before = pids(cluster, "speaker")
        speaker = {**MODELS["speaker"], "options": {"base_ms": base_ms}}
        deploy(cluster, fakes_config(**{**MODELS, "speaker": speaker}))
        wait_for(partial(is_new, cluster, before), "the new one alone runs", READY_S)
        assert lying(cluster) == [1, 1, 1]


def test_replicas_of_a_lost_node_start_on_the_others_and_return(cluster: Cluster) -> None:
    with Load(cluster.urls[0], RATE) as load:
        cluster.kill(2)
        wait_for(lambda: sum(lying(cluster)) == REPLICAS - 1, "two are left", READY_S)
        wait_for(lambda: sum(lying(cluster)) == REPLICAS, "three again", READY_S, cluster.logs)
        assert sorted(lying(cluster)) == [0, 1, 2]  # of the lost node, and of the others
        cluster.replace(2)
        cluster.until_joined()
        until_lying(cluster, [1, 1, 1])
        cluster.until_ready()
    assert load.table.count("lost") == 0, load.table.told()
