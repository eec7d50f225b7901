"""One cluster with a server of fakes for all tests that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster import cluster as clusters
from tests.support.cluster.cluster import Cluster, fakes_config
from tests.support.fakes import FAKE_VAD, SLEEP

MODELS = {
    "vad": {"engine": FAKE_VAD},
    "speaker": {"engine": SLEEP, "replicas": 3, "options": {"base_ms": 50.0}},
}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with clusters.running() as cluster:
        cluster.deploy(fakes_config(**MODELS))
        cluster.until_ready()
        yield cluster
