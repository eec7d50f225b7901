"""A port that is taken: who holds it, and the command that ends that."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deployments.config.environment import CLEANUP_PROCESS, RUN
from deployments.serve.cleanup_process import end_all
from deployments.serve.ports import check_port, free_port
from models.errors import ConfigError

ROOT = Path(__file__).parents[3]
# Listens, says so, and has a child that knows nothing of the run but by its parent.
LISTEN = """
import os, socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
subprocess.Popen(["sleep", "600"], env={})
print("listens", flush=True)
sys.stdin.read() if sys.argv[2:] else __import__("time").sleep(600)
"""


@contextmanager
def listening(port: int, *before: str) -> Iterator[psutil.Process]:
    """A process of a run that listens on the port; another command may start it."""
    listener = subprocess.Popen(
        [sys.executable, *before, *([sys.executable] if before else []), "-c", LISTEN, str(port)],
        cwd=ROOT,
        env={**os.environ, RUN: f"/tmp/dragoman-{port}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with listener:
        assert listener.stdout is not None
        listener.stdout.readline()
        process = psutil.Process(listener.pid)
        try:
            yield process
        finally:
            end_all([process, *process.children(recursive=True)])


def refusal(port: int) -> str:
    with pytest.raises(ConfigError) as caught:
        check_port("127.0.0.1", port)
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_free_port_can_be_listened_on(host: str) -> None:
    check_port(host, free_port())


@pytest.mark.process
def test_leftovers_are_named_with_the_command_that_ends_them() -> None:
    port = free_port()
    with listening(port) as process:
        said = refusal(port)
        everything = {process.pid, *(child.pid for child in process.children(recursive=True))}
    assert f"ingress.port: 127.0.0.1:{port} cannot be listened on" in said
    command = re.search(r"has left processes; end them: kill -9 ([\d ]+)$", said)
    assert command is not None
    assert {int(pid) for pid in command[1].split()} == everything


@pytest.mark.process
def test_a_server_that_runs_is_named_by_its_launcher() -> None:
    port = free_port()
    with listening(port, "-m", CLEANUP_PROCESS, ""):
        said = refusal(port)
    assert said.endswith(f"a Dragoman runs there; end it: kill {os.getpid()}")


def test_anything_else_is_named() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        said = refusal(other.getsockname()[1])
    name = psutil.Process().name()
    assert said.endswith(f"process {os.getpid()} ({name}) holds it")
