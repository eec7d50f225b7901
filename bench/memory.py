"""The memory that each kind of a server's processes holds: now, and at most while a block runs."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Event, Thread

import psutil

from bench.serving import REPLICA, Server

MB = 1e6
INGRESS, REPLICAS, RAY = "ingress", "model replicas", "Ray's own"
# The first that matches the command line is its kind; what none matches is Ray's own.
KINDS = {
    INGRESS: re.compile(r"^ray::ServeReplica:dragoman:Ingress"),
    "control": re.compile(r"^ray::ServeReplica:dragoman:ModelControl"),
    REPLICAS: re.compile(r"^ray::ServeReplica:|deployments/serve/watchdog_process\.py"),
    "launcher": re.compile(r"deployments\.cli serve|dragoman serve|/serve run "),
}
ALL_KINDS = (*KINDS, RAY)
SAMPLE_S = 0.1


@dataclass(frozen=True)
class Held:
    """Sum up the memory of some processes. PSS shares shared pages out; USS leaves them out."""

    processes: int = 0
    pss_mb: float = 0.0
    uss_mb: float = 0.0

    def __add__(self, other: Held) -> Held:
        return Held(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def kind_of(command: str) -> str:
    return next((kind for kind, pattern in KINDS.items() if pattern.search(command)), RAY)


def name_of(command: str, process: psutil.Process) -> str:
    """Name a process more finely than by its kind: the model, or the part of Ray."""
    if replica := REPLICA.match(command):
        return replica[1]
    if command.startswith("ray::"):
        return command.split()[0].partition(".")[0]  # without the call that it is in
    scripts = [Path(part).name for part in command.split()[:5] if part.endswith(".py")]
    return scripts[0] if scripts else process.name()


def held(server: Server) -> dict[str, Held]:
    """Measure the memory of each kind now, in the order of ``ALL_KINDS``."""
    found = dict.fromkeys(ALL_KINDS, Held())
    for command, process in server.processes():
        with suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            found[kind_of(command)] += Held(1, memory.pss / MB, memory.uss / MB)
    return found


def resident_mb(server: Server) -> dict[str, float]:
    """Measure the resident memory by the processes' names; of several of one name the sum."""
    found: dict[str, float] = {}
    for command, process in server.processes():
        with suppress(psutil.NoSuchProcess):
            name = name_of(command, process)
            found[name] = found.get(name, 0.0) + process.memory_info().rss / MB
    return dict(sorted(found.items()))


class Peak:
    """Watch the USS (MB) of some kinds: before a block, at most while it runs, and after it."""

    def __init__(self, server: Server, *kinds: str) -> None:
        self._watched: dict[str, list[psutil.Process]] = {kind: [] for kind in kinds}
        for command, process in server.processes():
            if (kind := kind_of(command)) in self._watched:
                self._watched[kind].append(process)
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)
        self.before_mb = self._now()
        self.after_mb: dict[str, float] = {}
        self.most_mb = dict(self.before_mb)

    def of(self, kind: str) -> tuple[float, float, float]:
        """Return what it held before, at most and after."""
        return self.before_mb[kind], self.most_mb[kind], self.after_mb[kind]

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        self.after_mb = self._now()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_S):
            for kind, mb in self._now().items():
                self.most_mb[kind] = max(self.most_mb[kind], mb)

    def _now(self) -> dict[str, float]:
        return {
            kind: sum(process.memory_full_info().uss for process in watched) / MB
            for kind, watched in self._watched.items()
        }
