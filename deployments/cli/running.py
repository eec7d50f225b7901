"""Offer ``dragoman deploy`` and ``dragoman drain``, which change or drain a running server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from deployments.cli.options import (
    DEFAULT_CONFIG,
    WRONG,
    Address,
    Config,
    exit_codes,
    fail,
    loaded,
)
from deployments.config.environment import RAY_ADDRESS, starts_own_cluster

DEPLOY_CODES = exit_codes(
    {
        0: "the server has taken the configuration",
        1: "there is no such server, or it refused",
        2: "the command line or the configuration is wrong",
    }
)
DRAIN_CODES = exit_codes(
    {
        0: "every running request has ended",
        1: "there is no such server, or some requests had not ended in time",
        2: "the command line or the configuration is wrong",
    }
)


def deploy(config: Config = DEFAULT_CONFIG, address: Address = None) -> None:
    """Give a running server another configuration, after checking it.

    Where only batch policies changed, no model is loaded again. The port must not have changed,
    unless --address names the server's Ray cluster.
    """
    from deployments.serve import start
    from models.errors import ConfigError

    try:
        start.check(config)
    except ConfigError as error:
        fail(f"the configuration is wrong\n{error}", WRONG)
    cluster = address or _cluster(config)
    raise typer.Exit(_as_driver("deployments.serve.redeploy", str(config), "--address", cluster))


def drain(
    config: Config = DEFAULT_CONFIG,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="For running requests to end.")
    ] = 30.0,
    address: Address = None,
) -> None:
    """Have a running server refuse new requests and finish those that run; it does not end."""
    cluster = address or _cluster(config)
    arguments = ("--address", cluster, "--timeout", str(timeout))
    raise typer.Exit(_as_driver("deployments.serve.drain", *arguments))


def _cluster(config: Path) -> str:
    """Return the Ray cluster of RAY_ADDRESS, or that of the server on the configured port."""
    from deployments.serve.running_server import cluster_at

    if not starts_own_cluster(os.environ):
        return os.environ[RAY_ADDRESS]
    port = loaded(config).applications[0].args.ingress.port
    cluster = cluster_at(port)
    if cluster is None:
        fail(f"no server of this user's listens on port {port}; name its cluster with --address")
    return cluster


def _as_driver(module: str, *arguments: str) -> int:
    """Run a module as a driver of a Ray cluster; its exit code."""
    from deployments.serve.launch import driver_environment

    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, env=driver_environment(), check=False).returncode
