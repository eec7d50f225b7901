"""Start, watch and stop a server: ``serve run`` as a child process, with an orderly end.

The environment that Ray reads at its start is set here. A stop drains the server first, and leaves
no process and no file of Ray behind.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psutil

from deployments.config.environment import (
    CLEANUP_PROCESS,
    RAY_ADDRESS,
    RUN,
    SETTINGS,
    launcher_settings,
    loopback,
    starts_own_cluster,
    with_libraries,
)
from deployments.config.files import ServeFile
from deployments.security import tls
from deployments.serve.cleanup_process import adopt_orphans, end_descendants
from deployments.serve.cluster import Cluster
from deployments.serve.private_files import RAY_FOLDER, guard_token, make_run_folder
from deployments.serve.running_server import cluster_of
from deployments.serve.worker_python import worker_python
from deployments.telemetry.log import logger
from deployments.telemetry.model_report import FAILED, READY, UNLOADED

POLL_S = 0.25
# The states that a start waits for. On a cluster that ran before, a model may be unloaded.
SETTLED = {READY: "warm", UNLOADED: "unloaded"}
DRAIN_S = 30.0  # for running requests to end after a signal
STOP_S = 60.0  # for each step of stopping, before it is cut short
# Ray writes the name of a process before each of its lines, which would spoil lines of JSON.
JSON_LINES = {"RAY_DISABLE_WORKER_LOG_PREFIX": "1", "RAY_DEDUP_LOGS": "0"}


class Exit(IntEnum):
    """Tell a supervisor why the server ended; all but STOPPED and CONFIG deserve another start."""

    STOPPED = 0  # by a signal
    ENDED = 1  # the server ended by itself
    CONFIG = 2  # the configuration or the command line is wrong, or the port is taken
    MODEL = 3  # a model could not be loaded
    CLUSTER = 4  # a process of Ray died that Ray cannot replace


class Server:
    """Run ``serve run`` under a cleanup process, which ends all of it if this process cannot.

    Args:
        config_path: the file that ``serve run`` reads.
        config: the content of that file.
        keeps_folder: leave Ray's temporary files, its logs among them.
    """

    def __init__(self, config_path: Path, config: ServeFile, *, keeps_folder: bool = False) -> None:
        self.url = config.url
        self._trust = tls.own(config.applications[0].args.ingress.tls)
        self._models = list(config.applications[0].args.models)
        self._log_format = config.applications[0].args.observability.log_format
        self._notice_s = config.applications[0].args.ingress.drain_notice_s
        self._config_path = config_path
        self._process: subprocess.Popen[bytes] | None = None  # the cleanup process
        self._log: IO[bytes] | None = None
        self._folder: Path | None = None
        self._keeps_folder = keeps_folder
        self._cluster = Cluster() if starts_own_cluster(os.environ) else None
        self._stopping = False
        self._fault: Exit | None = None

    def start(self, log: IO[bytes] | None = None) -> None:
        """Start the processes, without waiting for the models.

        Args:
            log: takes the output of the processes; None: this terminal does.

        Raises:
            ConfigError: there is no place for Ray's temporary files.
        """
        self._log = log
        adopt_orphans()  # if the cleanup process is killed, its children become this one's
        guard_token(os.environ)
        python, address = sys.executable, []
        if starts_own_cluster(os.environ):
            address = ["--address", "local"]  # a cluster of its own, whatever else runs here
            self._folder = make_run_folder(os.environ)
            python = worker_python(self._folder, sys.executable, sys.prefix)
            logger.info("Ray's files, its logs among them, are in %s", self._folder)
        # `serve` as a module, because its script may not lie beside this Python.
        command = [python, "-m", "ray.serve.scripts", "run", str(self._config_path), *address]
        removed = "" if self._folder is None or self._keeps_folder else str(self._folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", CLEANUP_PROCESS, removed, *command],
            env=self.environment(),
            start_new_session=True,
            stdin=subprocess.PIPE,  # the kernel closes it when this process ends
            stdout=log,
            stderr=log,
        )

    def wait_until_warm(self, started: float) -> bool:
        """Report each model when it is warm; return False if the server ended or a model failed."""
        warm: set[str] = set()
        while not self._stopping and self._is_well():
            for name, state in self._readiness().items():
                if state in SETTLED and name not in warm:
                    warm.add(name)
                    took_s, done = time.monotonic() - started, f"{len(warm)}/{len(self._models)}"
                    logger.info("%5.1f s  %s  model %s is %s", took_s, done, name, SETTLED[state])
                elif state.startswith(FAILED):
                    logger.error("model %s %s", name, state)
                    self._fault = Exit.MODEL
                    self._stopping = True
            if warm.issuperset(self._models) and self._fault is None:
                return True
            time.sleep(POLL_S)
        return False

    def wait(self) -> Exit:
        """Wait until the server ends by itself, is asked to, or cannot go on."""
        while not self._stopping and self._is_well():
            time.sleep(POLL_S)
        if self._fault is not None:
            return self._fault
        if self._stopping:
            return Exit.STOPPED
        logger.error("the server has ended by itself")
        return Exit.ENDED

    def ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        """Handle SIGINT and SIGTERM."""
        if not self._stopping:
            self._stopping = True
            logger.info("stopping: requests that run are finished first")

    def stop(self) -> None:
        """Drain the server, end its processes, and remove its files."""
        try:
            if self._process is not None and self._is_running():
                if self._fault is None:
                    self._drain()
                if self._fault is Exit.CLUSTER:  # nothing is left that could shut Serve down
                    self._process.communicate(timeout=STOP_S)
                else:
                    self._process.send_signal(signal.SIGINT)  # `serve run` shuts Serve down on it
                self._process.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            logger.warning("killing the server: it did not stop in time (%s)", error)
        finally:
            end_descendants()
            if self._folder is not None and not self._keeps_folder:
                shutil.rmtree(self._folder, ignore_errors=True)

    def _drain(self) -> None:
        address = self.cluster_address()
        if address is None:
            return  # stopped before Ray was there
        command = [sys.executable, "-m", "deployments.serve.drain", "--address", address]
        command += ["--timeout", str(DRAIN_S)]
        until = time.monotonic() + STOP_S + self._notice_s
        with subprocess.Popen(
            command, env=self.environment(), stdout=self._log, stderr=self._log
        ) as drain:
            while drain.poll() is None and self._is_well() and time.monotonic() < until:
                time.sleep(POLL_S)
            drain.kill()
        if drain.returncode:
            logger.warning("some requests had not ended after %.0f s", DRAIN_S)

    def cluster_address(self) -> str | None:
        """Return the address of the Ray cluster; None before ``serve run`` has started it."""
        if not starts_own_cluster(os.environ):
            return os.environ[RAY_ADDRESS]
        return cluster_of(psutil.Process().children(recursive=True))

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _is_well(self) -> bool:
        """Tell whether the server and the vital processes of Ray run; log what does not."""
        fault = self._cluster.fault() if self._cluster is not None else None
        if fault is not None:
            logger.error("%s: no request could be answered for long, so the server ends", fault)
            self._fault = Exit.CLUSTER
        return fault is None and self._is_running()

    def _readiness(self) -> dict[str, str]:
        try:
            url = f"{self.url}/health/ready"
            with urlopen(url, timeout=2, context=self._trust) as answer:
                body = json.load(answer)
        except HTTPError as error:
            body = _json_or_nothing(error.read())
        except (URLError, OSError, ValueError):
            return {}  # nothing listens yet
        return dict(body.get("models", {}))

    def environment(self) -> dict[str, str]:
        """Return the environment of Ray's processes; the caller's variables win over defaults."""
        own = {**loopback(os.environ), **(JSON_LINES if self._log_format == "json" else {})}
        outer = {**os.environ, **launcher_settings(os.environ)}
        if self._folder is not None:
            outer |= {RAY_FOLDER: str(self._folder), RUN: str(self._folder)}
        return with_libraries({**SETTINGS, **own, **outer})


def driver_environment() -> dict[str, str]:
    """Return the environment of a process that is to be a driver of a running server's cluster."""
    return with_libraries({**SETTINGS, **loopback(os.environ), **os.environ})


def _json_or_nothing(data: bytes) -> dict[str, dict[str, str]]:
    try:
        body = json.loads(data)
    except ValueError:
        return {}  # something else answers there
    return body if isinstance(body, dict) else {}
