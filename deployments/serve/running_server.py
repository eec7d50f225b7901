"""Find the Ray cluster of a running server: from its processes, or from the port it listens on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import psutil

from deployments.config.environment import RUN
from deployments.serve.ports import environment_of, listeners_on, processes_of_run, with_parents

GCS_ADDRESS = "--gcs-address="  # an argument of Ray's own processes


def cluster_at(port: int) -> str | None:
    """Return the address of the Ray cluster whose server listens on a port of this machine.

    None: no server of this user's that ``dragoman serve`` started listens there.
    """
    for listener in listeners_on(port):
        for process in with_parents(listener):
            if run := environment_of(process).get(RUN):
                return cluster_of(processes_of_run(run))
    return None


def cluster_of(processes: Iterable[psutil.Process]) -> str | None:
    """Return the address that Ray's own processes name; None if none is among these."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            for argument in process.cmdline():
                if argument.startswith(GCS_ADDRESS):
                    return argument.removeprefix(GCS_ADDRESS)
    return None
