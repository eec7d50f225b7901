"""What each kind of a server's processes holds in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread

import psutil

from tests.support.server import Running

MB = 1e6
# The first that matches the command line is its kind; what none matches is Ray's own.
KINDS = {
    "ingress": re.compile(r"^ray::ServeReplica:dragoman:Ingress"),
    "control": re.compile(r"^ray::ServeReplica:dragoman:ModelControl"),
    "model replicas": re.compile(r"^ray::ServeReplica:|watchdog_process\.py"),
    "launcher": re.compile(r"deployments\.launch|/serve run "),
}
RAY = "Ray's own"
ALL_KINDS = (*KINDS, RAY)
SAMPLE_S = 0.1


@dataclass(frozen=True)
class Held:
    """Memory of all processes of one kind. PSS shares shared pages out; USS leaves them out."""

    processes: int = 0
    pss_mb: float = 0.0
    uss_mb: float = 0.0

    def __add__(self, other: Held) -> Held:
        return Held(
            self.processes + other.processes,
            self.pss_mb + other.pss_mb,
            self.uss_mb + other.uss_mb,
        )


def processes(server: Running) -> Iterator[tuple[str, psutil.Process]]:
    """Every process of the server with its kind."""
    launcher = psutil.Process(server.process.pid)
    for process in [launcher, *launcher.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            yield _kind(" ".join(process.cmdline())), process


def _kind(command: str) -> str:
    return next((kind for kind, pattern in KINDS.items() if pattern.search(command)), RAY)


def held(server: Running) -> dict[str, Held]:
    """The memory of each kind now, in the order of ``ALL_KINDS``."""
    found = dict.fromkeys(ALL_KINDS, Held())
    for kind, process in processes(server):
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            found[kind] += Held(1, memory.pss / MB, memory.uss / MB)
    return found


class Peak:
    """The USS (MB) of some kinds of processes: before a block, at most while it runs, after it."""

    def __init__(self, server: Running, *kinds: str) -> None:
        self._watched = {
            kind: [process for its, process in processes(server) if its == kind] for kind in kinds
        }
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self._before_mb = self._now()
        self._peak_mb = dict(self._before_mb)
        self._after_mb: dict[str, float] = {}

    def of(self, kind: str) -> tuple[float, float, float]:
        """Before, at most, after."""
        return self._before_mb[kind], self._peak_mb[kind], self._after_mb[kind]

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self._after_mb = self._now()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_S):
            for kind, mb in self._now().items():
                self._peak_mb[kind] = max(self._peak_mb[kind], mb)

    def _now(self) -> dict[str, float]:
        return {
            kind: sum(process.memory_full_info().uss for process in watched) / MB
            for kind, watched in self._watched.items()
        }
