"""Check a configuration and this machine, and run a server until a signal ends it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from deployments.config.environment import starts_own_cluster
from deployments.config.files import ServeFile, load
from deployments.config.licences import check_licences
from deployments.config.schema import check_fractions
from deployments.doctor.machine_checks import cpu_threads
from deployments.doctor.weights_checks import check_weights
from deployments.security import tls
from deployments.serve.example import example
from deployments.serve.launch import Exit, Server
from deployments.serve.ports import check_port
from deployments.serve.private_files import check_auth
from deployments.serve.worker_python import check_worker_python
from deployments.telemetry import tracing
from deployments.telemetry.log import logger, set_up
from models.devices import nvidia
from models.devices.threads import usable_cores


def check(path: Path) -> ServeFile:
    """Return a configuration that a server can be started with, as far as can be known before.

    Raises:
        ConfigError: names the field and what was expected of it.
    """
    config = load(path)
    args = config.applications[0].args
    set_up(args.observability.log_format)
    tracing.check(args.observability.trace_endpoint)
    if args.ingress.tls is not None:
        tls.check(args.ingress.tls)
    check_weights(args.models)
    check_licences(args.models)
    check_worker_python(own_cluster=starts_own_cluster(os.environ))
    return config


def run(path: Path, config: ServeFile, *, keeps_folder: bool = False) -> Exit:
    """Start a server, report when every model is warm, and stay until a signal.

    Args:
        path: the file that holds the configuration.
        config: the configuration, which ``check`` has returned.
        keeps_folder: leave Ray's temporary files, its logs among them.

    Raises:
        ConfigError: the port is taken, the GPU shares do not fit this machine's GPUs, or other
            machines could send commands to Ray.
    """
    _check_machine(config)
    server = Server(path, config, keeps_folder=keeps_folder)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.ask_to_stop)
    started = time.monotonic()
    try:
        server.start()
        if server.wait_until_warm(started):
            took_s = time.monotonic() - started
            command = example(config)
            offer = f"; try: {command}" if command else ""
            ready = "ready at %s, every model warm after %.0f s%s"
            logger.info(ready, server.url, took_s, offer)
        return server.wait()
    finally:
        server.stop()


def _check_machine(config: ServeFile) -> None:
    args = config.applications[0].args
    gpus = nvidia.count(os.environ)
    if gpus is not None and starts_own_cluster(os.environ):  # else its builder counts them
        check_fractions(args.models, gpus)
    check_auth(os.environ, args.ingress.host)
    check_port(args.ingress.host, args.ingress.port)
    if args.ingress.grpc is not None:
        check_port(args.ingress.host, args.ingress.grpc.port, "ingress.grpc.port")
    for finding in cpu_threads(usable_cores(), args.models):
        if finding.fix:
            logger.warning("cpu threads: %s; %s", finding.found, finding.fix)
