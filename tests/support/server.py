"""A real server for tests: the launcher as a child process, on free ports."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import yaml

from deployments.serve.ports import free_port
from tests.support.fakes import FAKE_ASR, FAKE_NMT, FAKE_TTS, FAKE_VAD, SLEEP

ROOT = Path(__file__).parents[2]
OPTIONS = ["base_ms", "embedding_size"]  # that a load may change
STOP_S = 120.0
ASKED_EVERY_S = 0.05


@dataclass
class Running:
    """A server whose models are warm."""

    url: str
    config_path: Path
    process: subprocess.Popen[str]
    log: list[str]
    reader: Thread  # takes the log's rest, so that the server never waits to write it

    @property
    def grpc_address(self) -> str:
        """Where it listens for gRPC, which its configuration says."""
        config = yaml.safe_load(self.config_path.read_text())
        port = config["applications"][0]["args"]["ingress"]["grpc"]["port"]
        return f"127.0.0.1:{port}"

    def command(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the server's for it, such as ``drain``, to its end."""
        command = [sys.executable, "-m", "deployments.cli", name, "--config", str(self.config_path)]
        return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)

    def offered_command(self) -> str:
        """The command that the ready line offers."""
        (found,) = re.findall(r"ready at .*; try: (.+)$", "".join(self.log), re.MULTILINE)
        return str(found)

    def deploy(self, content: dict[str, Any]) -> None:
        """Give the running server another configuration."""
        self.config_path.write_text(yaml.safe_dump(content))
        done = self.command("deploy")
        assert done.returncode == 0, done.stdout + done.stderr

    def replicas(self, name: str) -> list[psutil.Process]:
        """The processes of a model's replicas, or of those of a deployment of the server."""
        title = re.compile(rf"ray::ServeReplica:(dragoman|{re.escape(name)}-[0-9a-f-]+):{name}\b")
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if title.match(_title(child))]

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        exit_code = self.process.wait(STOP_S)
        self.reader.join(STOP_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return exit_code


def _title(process: psutil.Process) -> str:
    """Empty of one that has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def fakes_config() -> dict[str, Any]:
    """Fakes of every kind; recognition and translation take a second."""
    models = {
        "vad": {"engine": FAKE_VAD},
        "asr": {"engine": FAKE_ASR, "options": {"base_ms": 1000.0}},
        "nmt": {"engine": FAKE_NMT, "options": {"base_ms": 1000.0}},
        "tts": {"engine": FAKE_TTS},
        "speaker": {"engine": SLEEP, "replicas": 2, "options": {"base_ms": 20.0}},
    }
    application = {
        "name": "dragoman",
        "route_prefix": "/",
        "import_path": "deployments.app:build",
        "args": {"models": models, "security": {"load_allow": {"options": OPTIONS}}},
        "deployments": [{"name": "Ingress", "user_config": {"batching": {}}}],
    }
    return {
        "proxy_location": "Disabled",
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "applications": [application],
    }


def config_on_a_free_port(folder: Path, config: dict[str, Any]) -> Path:
    """The configuration in a file of its own, with a port and a library that nobody else uses."""
    args = config["applications"][0]["args"]
    args.setdefault("ingress", {})["port"] = free_port()
    if "library" in args:
        args["library"]["folder"] = str(folder / "library")
    path = folder / "serve_config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def eventually(condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    """Ask until it is so, and leave the CPU to those who make it so.

    Raises:
        AssertionError: it was not, within the time.
    """
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(ASKED_EVERY_S)


def start(config_path: Path, python: str = sys.executable) -> Running:
    """Start the launcher with a Python; returns once every model is warm.

    Raises:
        AssertionError: it ended before that; the message is its log.
    """
    command = [python, "-m", "deployments.cli", "serve", "--config", str(config_path)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    log: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        log.append(line)
        if ready := re.search(r"ready at (\S+),", line):
            reader = Thread(target=log.extend, args=(process.stdout,), daemon=True)
            reader.start()
            return Running(ready[1], config_path, process, log, reader)
    process.stdout.close()
    process.wait(STOP_S)
    raise AssertionError("the server did not start:\n" + "".join(log))


@contextmanager
def running(config_path: Path, python: str = sys.executable) -> Iterator[Running]:
    """A server for the length of a block."""
    server = start(config_path, python)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()
