"""One real server with the shipped configuration for all tests that need real models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deployments.serve.ports import free_port
from dragoman_client import Client
from tests.support.server import (
    ROOT,
    Running,
    config_on_a_free_port,
    fakes_config,
    running,
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    config = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    # How many sessions a machine carries is no part of what is tested.
    arguments = config["applications"][0]["args"]
    arguments["live"] = {"max_load": None}
    arguments["shared_memory"] = {"prefix": "/"}  # perf_analyzer's keys have no common beginning
    arguments["ingress"]["grpc"] = {"port": free_port()}
    path = config_on_a_free_port(tmp_path_factory.mktemp("server"), config)
    with running(path) as server:
        yield server


@pytest.fixture(scope="session")
def client(server: Running) -> Iterator[Client]:
    with Client(server.url, timeout=120) as client:
        yield client


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    """A configuration of fakes that take their time."""
    return config_on_a_free_port(tmp_path, fakes_config())
