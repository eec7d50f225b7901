"""Check the server's port: whether it is free, and if not, which process holds it."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator

import psutil

from deployments.config.environment import CLEANUP_PROCESS, RUN
from deployments.config.schema import address_family
from models.errors import ConfigError

# Below the ports that Linux gives to outgoing connections, above those of Ray's workers.
PORTS = range(20_000, 30_000)


def free_port() -> int:
    """Return a free port, outside the range that outgoing connections are given."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"every port of {PORTS.start} to {PORTS.stop - 1} is taken")


def check_port(host: str, port: int, field: str = "ingress.port") -> None:
    """Refuse a port that is taken, because the ingress would share it.

    Raises:
        ConfigError: something listens there; the message names it if it can be seen.
    """
    with socket.socket(address_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            at = f"{field}: {host}:{port} cannot be listened on: {error}"
            raise ConfigError("; ".join([at, *_held_by(port)])) from error


def _held_by(port: int) -> Iterator[str]:
    """Name what listens on a port, and the command that ends it if that is a Dragoman."""
    for process in listeners_on(port):
        line = with_parents(process)
        run = next((found for each in line if (found := environment_of(each).get(RUN))), None)
        cleanup = next((each for each in line if CLEANUP_PROCESS in _arguments(each)), None)
        if run and cleanup:
            yield f"a Dragoman runs there; end it: kill {cleanup.ppid()}"
        elif run:
            pids = " ".join(str(pid) for pid in sorted(p.pid for p in processes_of_run(run)))
            yield f"a Dragoman that was killed has left processes; end them: kill -9 {pids}"
        else:
            yield f"process {process.pid} ({_name(process)}) holds it"
        return


def listeners_on(port: int) -> Iterator[psutil.Process]:
    """Yield the processes that listen on a port; only root sees those of other users."""
    for connection in psutil.net_connections("tcp"):
        is_there = connection.laddr and connection.laddr.port == port
        if is_there and connection.status == psutil.CONN_LISTEN and connection.pid:
            with contextlib.suppress(psutil.Error):
                yield psutil.Process(connection.pid)


def processes_of_run(run: str) -> set[psutil.Process]:
    """Return the processes that have a run's folder in their environment, and their descendants.

    A process that has given itself a title may have overwritten its environment.
    """
    found = set[psutil.Process]()
    for process in psutil.process_iter():
        if environment_of(process).get(RUN) == run:
            with contextlib.suppress(psutil.Error):
                found |= set(process.children(recursive=True))
            found.add(process)
    return found


def with_parents(process: psutil.Process) -> list[psutil.Process]:
    """Return a process and those that it descends from, as far as they can be seen."""
    with contextlib.suppress(psutil.Error):
        return [process, *process.parents()]
    return [process]


def environment_of(process: psutil.Process) -> dict[str, str]:
    """Return a process's environment; empty if it cannot be seen."""
    with contextlib.suppress(psutil.Error):
        return process.environ()
    return {}


def _arguments(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return "unknown"
