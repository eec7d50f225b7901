"""Starts the server: checks the configuration, sets Serve's fast data path, tells when it is warm.

``python -m deployments.launch [serve_config.yaml]`` is ``serve run serve_config.yaml`` with the
environment that must be there before Ray starts, and an orderly end: SIGINT or SIGTERM drains,
and no process of Ray outlives it.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import psutil

from deployments import tls, tracing
from deployments.checks import cpu_threads
from deployments.config import ServeFile, address_family, check_fractions, load
from deployments.fleet import FAILED, READY
from deployments.log import logger, set_up
from deployments.remote import UNLOADED
from deployments.settings import SETTINGS, launcher_settings, short_folder, with_libraries
from models import nvidia
from models.cpu import usable_cores
from models.errors import ConfigError

POLL_S = 0.25
# What a start waits for: on a cluster that ran before, a model may have been unloaded.
SETTLED = {READY: "warm", UNLOADED: "unloaded"}
DRAIN_S = 30.0  # what running requests may take to end after a signal
STOP_S = 60.0  # what each step of stopping may take before it is cut short
# JSON lines stand alone: Ray writes which process a line is of before it otherwise.
JSON_LINES = {"RAY_DISABLE_WORKER_LOG_PREFIX": "1", "RAY_DEDUP_LOGS": "0"}
# Under those that Linux gives to outgoing connections, above those of Ray's workers.
PORTS = range(20_000, 30_000)
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans of our descendants become our children


class Server:
    """``serve run`` as a child process, with everything it starts."""

    def __init__(self, config_path: Path, config: ServeFile) -> None:
        ingress = config.applications[0].args.ingress
        self._host, self._port = ingress.host, ingress.port
        self.url = config.url
        self._trust = tls.own(ingress.tls)
        self._models = list(config.applications[0].args.models)
        self._log_format = config.applications[0].args.observability.log_format
        self._notice_s = config.applications[0].args.ingress.drain_notice_s
        self._config_path = config_path
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._stopping = False
        self._failed = False

    def check_port(self) -> None:
        """Refuse a port that is taken: the ingress would share it.

        Raises:
            ConfigError: something listens there.
        """
        with socket.socket(address_family(self._host)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._host, self._port))
            except OSError as error:
                field = f"ingress.port: {self._host}:{self._port}"
                raise ConfigError(f"{field} cannot be listened on: {error}") from error

    def start(self, log: IO[bytes] | None = None) -> None:
        """Begin to start; ``log`` takes what the processes say, this terminal if it is None."""
        self._log = log
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # The command `serve` as a module: its script may not lie beside this Python.
        command = [sys.executable, "-m", "ray.serve.scripts", "run", str(self._config_path)]
        if "RAY_ADDRESS" not in os.environ:
            command += ["--address", "local"]  # a cluster of its own, whatever else runs here
        environment = self.environment()
        self._process = subprocess.Popen(
            command, env=environment, start_new_session=True, stdout=log, stderr=log
        )

    def wait_until_warm(self, started: float) -> bool:
        """Report each model as it gets warm; False if the server ended or a model failed."""
        warm: set[str] = set()
        while not self._stopping and self._is_running():
            for name, state in self._readiness().items():
                if state in SETTLED and name not in warm:
                    warm.add(name)
                    took_s, done = time.monotonic() - started, f"{len(warm)}/{len(self._models)}"
                    logger.info("%5.1f s  %s  model %s is %s", took_s, done, name, SETTLED[state])
                elif state.startswith(FAILED):
                    logger.error("model %s %s", name, state)
                    self._failed = self._stopping = True
            if warm.issuperset(self._models) and not self._failed:
                return True
            time.sleep(POLL_S)
        return False

    def wait(self) -> int:
        """Until the server ends by itself or is told to."""
        while not self._stopping and self._is_running():
            time.sleep(POLL_S)
        return 0 if self._stopping and not self._failed else 1

    def ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        """The handler of SIGINT and SIGTERM."""
        if not self._stopping:
            self._stopping = True
            logger.info("stopping: requests that run are finished first")

    def stop(self) -> None:
        """Drain, end, and leave nothing behind."""
        try:
            if self._process is not None and self._is_running():
                if not self._failed:
                    self._drain()
                self._process.send_signal(signal.SIGINT)  # `serve run` shuts Serve down on it
                self._process.wait(STOP_S)
        except subprocess.TimeoutExpired as error:
            logger.warning("killing the server: it did not stop in time (%s)", error)
        finally:
            end_all(psutil.Process().children(recursive=True))

    def _drain(self) -> None:
        address = self.cluster_address()
        if address is None:
            return  # stopped before Ray was there
        command = [sys.executable, "-m", "deployments.drain", "--address", address]
        command += ["--timeout", str(DRAIN_S)]
        drained = subprocess.run(
            command,
            env=self.environment(),
            timeout=STOP_S + self._notice_s,
            check=False,
            stdout=self._log,
            stderr=self._log,
        )
        if drained.returncode:
            logger.warning("some requests had not ended after %.0f s", DRAIN_S)

    def cluster_address(self) -> str | None:
        """Of the cluster that `serve run` started: Ray's own processes name it."""
        if named := os.environ.get("RAY_ADDRESS"):
            return named
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                for argument in process.cmdline():
                    if argument.startswith("--gcs-address="):
                        return argument.partition("=")[2]
        return None

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

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
        """Of every process of Ray's: the caller's wins."""
        own = JSON_LINES if self._log_format == "json" else {}
        outer = {**short_folder(os.environ), **os.environ, **launcher_settings(os.environ)}
        return with_libraries({**SETTINGS, **own, **outer})


def end_all(processes: Sequence[psutil.Process]) -> None:
    """What Ray left: first asked, then killed, then reaped."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=5)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=5)


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _json_or_nothing(data: bytes) -> dict[str, dict[str, str]]:
    try:
        body = json.loads(data)
    except ValueError:
        return {}  # not an answer of ours
    return body if isinstance(body, dict) else {}


def free_port() -> int:
    """A port that nobody listens on, and that no outgoing connection will be given meanwhile."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"every port of {PORTS.start} to {PORTS.stop - 1} is taken")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="deployments.launch", description=__doc__)
    parser.add_argument("config", type=Path, nargs="?", default=Path("serve_config.yaml"))
    parser.add_argument("--check", action="store_true", help="validate the configuration and end")
    options = parser.parse_args(arguments)
    set_up()
    try:
        config = load(options.config)
        observability = config.applications[0].args.observability
        set_up(observability.log_format)
        tracing.check(observability.trace_endpoint)  # before Ray starts
        if (served := config.applications[0].args.ingress.tls) is not None:
            tls.check(served)
        if not options.check:
            return run(options.config, config)
    except ConfigError as error:
        logger.error("the configuration is wrong\n%s", error)
        return 2
    logger.info("%s is valid", options.config)
    return 0


def run(config_path: Path, config: ServeFile) -> int:
    """Start, tell when every model is warm, and stay until a signal.

    Raises:
        ConfigError: the port is taken, or the GPU shares do not fit this machine's GPUs.
    """
    gpus = nvidia.count(os.environ)
    if gpus is not None and "RAY_ADDRESS" not in os.environ:  # a cluster's are its builder's affair
        check_fractions(config.applications[0].args.models, gpus)
    for finding in cpu_threads(usable_cores(), config.applications[0].args.models):
        if finding.fix:
            logger.warning("cpu threads: %s; %s", finding.found, finding.fix)
    server = Server(config_path, config)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.ask_to_stop)
    started = time.monotonic()
    try:
        server.check_port()
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
