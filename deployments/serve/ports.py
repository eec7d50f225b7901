"""The port of the server: whether it is free, and if not, who holds it and how to end that."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Iterator

import psutil

from deployments.config.environment import CLEANUP_PROCESS, RUN
from deployments.config.schema import address_family
from models.errors import ConfigError

# Under those that Linux gives to outgoing connections, above those of Ray's workers.
PORTS = range(20_000, 30_000)


def free_port() -> int:
    """A port that nobody listens on, and that no outgoing connection will be given meanwhile."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"every port of {PORTS.start} to {PORTS.stop - 1} is taken")


def check_port(host: str, port: int) -> None:
    """Refuse a port that is taken: the ingress would share it.

    Raises:
        ConfigError: something listens there; the message says what, as far as it can be known.
    """
    with socket.socket(address_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            at = f"ingress.port: {host}:{port} cannot be listened on: {error}"
            raise ConfigError("; ".join([at, *_held_by(port)])) from error


def _held_by(port: int) -> Iterator[str]:
    """What listens on a port, and the command that ends it where that is a Dragoman."""
    for process in _listeners(port):
        line = [process, *_parents(process)]
        run = next((found for each in line if (found := _environment(each).get(RUN))), None)
        keeper = next((each for each in line if CLEANUP_PROCESS in _arguments(each)), None)
        if run and keeper:
            yield f"a Dragoman runs there; end it: kill {keeper.ppid()}"
        elif run:
            pids = " ".join(str(pid) for pid in sorted(_of_run(run)))
            yield f"a Dragoman that was killed has left processes; end them: kill -9 {pids}"
        else:
            yield f"process {process.pid} ({_name(process)}) holds it"
        return


def _listeners(port: int) -> Iterator[psutil.Process]:
    """Those that may be seen: of other users' processes nobody but root knows."""
    for connection in psutil.net_connections("tcp"):
        is_there = connection.laddr and connection.laddr.port == port
        if is_there and connection.status == psutil.CONN_LISTEN and connection.pid:
            with contextlib.suppress(psutil.Error):
                yield psutil.Process(connection.pid)


def _of_run(run: str) -> set[int]:
    """The processes of a run, as their environment says, and all that these have started.

    A process that has given itself a title may have overwritten its environment.
    """
    pids = set[int]()
    for process in psutil.process_iter():
        if _environment(process).get(RUN) == run:
            with contextlib.suppress(psutil.Error):
                pids |= {child.pid for child in process.children(recursive=True)}
            pids.add(process.pid)
    return pids


def _environment(process: psutil.Process) -> dict[str, str]:
    with contextlib.suppress(psutil.Error):
        return process.environ()
    return {}


def _arguments(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


def _parents(process: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return process.parents()
    return []


def _name(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return process.name()
    return "unknown"
