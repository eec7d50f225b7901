"""A model's replicas follow the load: more while requests wait, fewer after it, none at last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from deployments.catalogue.scaling import CALM_S
from tests.cluster.conftest import MODELS
from tests.support.cluster.cluster import READY_S, Cluster, fakes_config, wait_for
from tests.support.cluster.load import HEADERS, PATH, Load, clip
from tests.support.cluster.replicas import batches, deploy, processes_of
from tests.support.fakes import SLEEP

IDLE_S = 6.0
BASE_MS, ROWS = 250.0, 4  # of a batch: a replica answers 16 a second
RATE, LITTLE = 30.0, 1.0  # requests a second: two replicas' work, and hardly any
SPEAKER: dict[str, Any] = {
    "engine": SLEEP,
    "replicas": {"min": 0, "max": 3, "wait_s": 0.5},
    "idle_unload_s": IDLE_S,
    "options": {"base_ms": BASE_MS},
}


@pytest.fixture(scope="module")
def scaled(cluster: Cluster) -> Iterator[Cluster]:
    config = fakes_config(**{**MODELS, "speaker": SPEAKER})
    (ingress,) = config["applications"][0]["deployments"]
    ingress["user_config"] = {"batching": {"speaker": {"max_batch_size": ROWS}}}
    deploy(cluster, config)
    yield cluster
    deploy(cluster, fakes_config(**MODELS))


def told_after(condition: Callable[[], bool], what: str, within_s: float, cluster: Cluster) -> None:
    """Wait until it is so, and print how long that took."""
    started = time.monotonic()
    wait_for(condition, what, within_s, cluster.logs)
    print(f"\n{what}: after {time.monotonic() - started:.1f} s", flush=True)


def grow(cluster: Cluster) -> Load:
    """Have more requests come than one replica answers, until there are two."""
    with Load(cluster.urls[0], RATE) as load:
        told_after(lambda: len(batches(cluster)) > 1, "two replicas", READY_S, cluster)
    return load


def test_replicas_are_added_while_requests_wait(scaled: Cluster) -> None:
    load = grow(scaled)
    assert load.table.count("lost") == 0, load.table.told()


def test_one_stops_once_fewer_would_do(scaled: Cluster) -> None:
    grow(scaled)
    with Load(scaled.urls[0], LITTLE) as load:
        before = len(batches(scaled))
        told_after(
            lambda: 0 < len(batches(scaled)) < before,
            f"fewer replicas than {before}",
            CALM_S + READY_S,
            scaled,
        )
    assert load.table.count("lost") == 0, load.table.told()


def test_none_is_left_without_requests_and_who_asks_then_is_told_to_come_again(
    scaled: Cluster,
) -> None:
    told_after(
        lambda: not any(processes_of(scaled.nodes, "speaker")), "no replica", READY_S, scaled
    )
    first = asked(scaled)
    assert (first.status_code, "retry-after" in first.headers) == (503, True), first.text
    told_after(lambda: asked(scaled).status_code == 200, "an answer", READY_S, scaled)


def asked(cluster: Cluster) -> httpx.Response:
    return httpx.post(cluster.urls[1] + PATH, content=clip(1), headers=HEADERS, timeout=60)
