"""Batches go to a free replica of the ingress' own node, and to other nodes when that is busy."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.cluster.cluster import Cluster
from tests.support.cluster.load import HEADERS, PATH, clip
from tests.support.cluster.replicas import batches

TIMES = 8


def ran(cluster: Cluster, before: Mapping[str, int]) -> dict[str, int]:
    """What each replica has run since, without those that have run nothing."""
    grown = {name: count - before[name] for name, count in batches(cluster).items()}
    return {name: count for name, count in grown.items() if count}


def ask(url: str, number: int, content: bytes | None = None) -> None:
    answer = httpx.post(url + PATH, content=content or clip(number), headers=HEADERS, timeout=60)
    assert answer.status_code == 200, answer.text


def test_a_free_replica_of_the_own_node_has_every_batch(cluster: Cluster) -> None:
    used = []
    for url in cluster.urls:
        before = batches(cluster)
        for number in range(TIMES):
            ask(url, number)
        (found,) = ran(cluster, before).items()
        used.append(found)
    assert [count for _, count in used] == [TIMES] * len(cluster.urls)
    assert len({name for name, _ in used}) == len(cluster.urls)


def test_while_it_is_busy_the_others_are_used(cluster: Cluster) -> None:
    before = batches(cluster)
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda number: ask(cluster.urls[0], number), range(96)))
    assert len(ran(cluster, before)) == len(cluster.nodes)


@pytest.mark.parametrize("seconds", [1, 60])
def test_samples_reach_another_node_whole(cluster: Cluster, seconds: int) -> None:
    """As many at once as replicas have places, so that some go elsewhere."""
    content = clip(3) * seconds
    before = batches(cluster)
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(
                lambda _: httpx.post(
                    cluster.urls[0] + PATH, content=content, headers=HEADERS, timeout=60
                ),
                range(12),
            )
        )
    assert {(each.status_code, each.content) for each in answers} == {(200, answers[0].content)}
    assert len(ran(cluster, before)) > 1
