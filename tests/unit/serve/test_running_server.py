"""A running server is found by its port, with the Ray cluster that its processes name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import psutil
import pytest

from deployments.config.environment import RUN
from deployments.serve.cleanup_process import end_all
from deployments.serve.ports import free_port
from deployments.serve.running_server import cluster_at
from tests.unit.serve.test_ports import listening


@pytest.mark.process
def test_the_cluster_is_that_of_the_run_that_listens() -> None:
    port = free_port()
    words = [sys.executable, "-c", "import time; time.sleep(600)"]
    environment = {**os.environ, RUN: f"/tmp/dragoman-{port}"}
    with (
        listening(port),
        subprocess.Popen([*words, "--gcs-address=127.0.0.1:4321"], env=environment) as raylet,
        subprocess.Popen([*words, "--gcs-address=127.0.0.1:1234"]) as of_another_run,
    ):
        found = cluster_at(port)
        end_all([psutil.Process(raylet.pid), psutil.Process(of_another_run.pid)])
    assert found == "127.0.0.1:4321"


def test_what_else_listens_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        assert cluster_at(other.getsockname()[1]) is None
