"""Starts the server: checks the configuration, sets Serve's fast data path, tells when it is warm.

``python -m deployments.serve.launch [serve_config.yaml]`` is ``serve run serve_config.yaml`` with
the environment that must be there before Ray starts, and an orderly end: SIGINT or SIGTERM drains,
and no process of Ray outlives it, nor its files. Exit codes are those of ``Exit``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psutil

from deployments.catalogue.placements import UNLOADED
from deployments.catalogue.selection import FAILED, READY
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
from deployments.config.schema import ServeFile, check_fractions, load
from deployments.doctor.machine_checks import cpu_threads
from deployments.doctor.weights_checks import check_weights
from deployments.security import tls
from deployments.serve.cleanup_process import adopt_orphans, end_descendants
from deployments.serve.cluster import Cluster
from deployments.serve.ports import check_port
from deployments.serve.private_files import RAY_FOLDER, check_auth, guard_token, make_run_folder
from deployments.telemetry import tracing
from deployments.telemetry.log import logger, set_up
from models.devices import nvidia
from models.devices.threads import usable_cores
from models.errors import ConfigError

POLL_S = 0.25
# What a start waits for: on a cluster that ran before, a model may have been unloaded.
SETTLED = {READY: "warm", UNLOADED: "unloaded"}
DRAIN_S = 30.0  # what running requests may take to end after a signal
STOP_S = 60.0  # what each step of stopping may take before it is cut short
# JSON lines stand alone: Ray writes which process a line is of before it otherwise.
JSON_LINES = {"RAY_DISABLE_WORKER_LOG_PREFIX": "1", "RAY_DEDUP_LOGS": "0"}


class Exit(IntEnum):
    """What a supervisor is told: all but STOPPED and CONFIG are worth another start."""

    STOPPED = 0  # by a signal
    ENDED = 1  # the server ended by itself
    CONFIG = 2  # the configuration or the command line is wrong, or the port is taken
    MODEL = 3  # a model could not be loaded
    CLUSTER = 4  # a process died that Ray cannot do without


class Server:
    """``serve run`` under a keeper, which ends everything that it starts if this process cannot.

    Args:
        config_path: what ``serve run`` reads.
        config: the same.
        keeps_folder: Ray's temporary files stay, for somebody who looks for a fault.
    """

    def __init__(self, config_path: Path, config: ServeFile, *, keeps_folder: bool = False) -> None:
        self.url = config.url
        self._trust = tls.own(config.applications[0].args.ingress.tls)
        self._models = list(config.applications[0].args.models)
        self._log_format = config.applications[0].args.observability.log_format
        self._notice_s = config.applications[0].args.ingress.drain_notice_s
        self._config_path = config_path
        self._process: subprocess.Popen[bytes] | None = None  # the keeper
        self._log: IO[bytes] | None = None
        self._folder: Path | None = None
        self._keeps_folder = keeps_folder
        self._cluster = Cluster() if starts_own_cluster(os.environ) else None
        self._stopping = False
        self._fault: Exit | None = None

    def start(self, log: IO[bytes] | None = None) -> None:
        """Begin to start; ``log`` takes what the processes say, this terminal if it is None.

        Raises:
            ConfigError: there is no place for Ray's temporary files.
        """
        self._log = log
        adopt_orphans()  # were the keeper killed, its processes would come here
        guard_token(os.environ)
        # The command `serve` as a module: its script may not lie beside this Python.
        command = [sys.executable, "-m", "ray.serve.scripts", "run", str(self._config_path)]
        if starts_own_cluster(os.environ):
            command += ["--address", "local"]  # a cluster of its own, whatever else runs here
            self._folder = make_run_folder(os.environ)
            logger.info("Ray's files, its logs among them, are in %s", self._folder)
        removed = "" if self._folder is None or self._keeps_folder else str(self._folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", CLEANUP_PROCESS, removed, *command],
            env=self.environment(),
            start_new_session=True,
            stdin=subprocess.PIPE,  # closed by the kernel, if by nobody else
            stdout=log,
            stderr=log,
        )

    def wait_until_warm(self, started: float) -> bool:
        """Report each model as it gets warm; False if the server ended or a model failed."""
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
        """Until the server ends by itself, is told to, or cannot go on."""
        while not self._stopping and self._is_well():
            time.sleep(POLL_S)
        if self._fault is not None:
            return self._fault
        if self._stopping:
            return Exit.STOPPED
        logger.error("the server has ended by itself")
        return Exit.ENDED

    def ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        """The handler of SIGINT and SIGTERM."""
        if not self._stopping:
            self._stopping = True
            logger.info("stopping: requests that run are finished first")

    def stop(self) -> None:
        """Drain, end, and leave nothing behind."""
        try:
            if self._process is not None and self._is_running():
                if self._fault is None:
                    self._drain()
                if self._fault is Exit.CLUSTER:  # nobody is left who could shut Serve down
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
        """Of the cluster that `serve run` started: Ray's own processes name it."""
        if not starts_own_cluster(os.environ):
            return os.environ[RAY_ADDRESS]
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                for argument in process.cmdline():
                    if argument.startswith("--gcs-address="):
                        return argument.partition("=")[2]
        return None

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _is_well(self) -> bool:
        """Whether the server runs, and so does what Ray cannot do without; says what does not."""
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
            return {}  # nobody listens yet
        return dict(body.get("models", {}))

    def environment(self) -> dict[str, str]:
        """Of every process of Ray's: the caller's wins, but for the folder of this run."""
        own = {**loopback(os.environ), **(JSON_LINES if self._log_format == "json" else {})}
        outer = {**os.environ, **launcher_settings(os.environ)}
        if self._folder is not None:
            outer |= {RAY_FOLDER: str(self._folder), RUN: str(self._folder)}
        return with_libraries({**SETTINGS, **own, **outer})


def _json_or_nothing(data: bytes) -> dict[str, dict[str, str]]:
    try:
        body = json.loads(data)
    except ValueError:
        return {}  # not an answer of ours
    return body if isinstance(body, dict) else {}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="deployments.serve.launch", description=__doc__)
    parser.add_argument("config", type=Path, nargs="?", default=Path("serve_config.yaml"))
    parser.add_argument("--check", action="store_true", help="validate the configuration and end")
    parser.add_argument(
        "--keep", action="store_true", help="leave Ray's temporary files, its logs among them"
    )
    options = parser.parse_args(arguments)
    set_up()
    try:
        config = load(options.config)
        observability = config.applications[0].args.observability
        set_up(observability.log_format)
        tracing.check(observability.trace_endpoint)  # before Ray starts
        if (served := config.applications[0].args.ingress.tls) is not None:
            tls.check(served)
        check_weights(config.applications[0].args.models)
        if not options.check:
            return run(options.config, config, keeps_folder=options.keep)
    except ConfigError as error:
        logger.error("the configuration is wrong\n%s", error)
        return Exit.CONFIG
    logger.info("%s is valid", options.config)
    return Exit.STOPPED


def run(config_path: Path, config: ServeFile, *, keeps_folder: bool = False) -> Exit:
    """Start, tell when every model is warm, and stay until a signal.

    Raises:
        ConfigError: the port is taken, the GPU shares do not fit this machine's GPUs, or Ray would
            take commands of strangers.
    """
    args = config.applications[0].args
    gpus = nvidia.count(os.environ)
    if gpus is not None and starts_own_cluster(os.environ):  # a cluster's are its builder's affair
        check_fractions(args.models, gpus)
    check_auth(os.environ, args.ingress.host)
    for finding in cpu_threads(usable_cores(), args.models):
        if finding.fix:
            logger.warning("cpu threads: %s; %s", finding.found, finding.fix)
    server = Server(config_path, config, keeps_folder=keeps_folder)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.ask_to_stop)
    started = time.monotonic()
    try:
        check_port(args.ingress.host, args.ingress.port)  # the ingress would share it
        server.start()
        if server.wait_until_warm(started):
            logger.info(
                "ready at %s, every model warm after %.0f s; try: "
                "dragoman translate tests/data/speech/en-agent-newlocation.flac --to pt -o out.wav",
                server.url,
                time.monotonic() - started,
            )
        return server.wait()
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
