"""Measure the CPU time of this machine, of this process, and of a cluster's serving processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import psutil

from tests.support.cluster.cluster import Cluster
from tests.support.cluster.replicas import processes_of


@dataclass(frozen=True)
class Costs:
    """CPU seconds until a moment, or between two."""

    at_s: float
    machine_s: float  # of all processes of all namespaces, by /proc/stat
    callers_s: float  # of this process
    serving_s: float  # of ingresses and models

    @classmethod
    def now(cls, serving: Iterable[psutil.Process]) -> Self:
        """Read them; ``serving`` are the processes of ingresses and models."""
        times = psutil.cpu_times()
        machine_s = times.user + times.nice + times.system + times.irq + times.softirq
        spent = [process.cpu_times() for process in serving]
        serving_s = sum(each.user + each.system for each in spent)
        return cls(time.monotonic(), machine_s, time.process_time(), serving_s)

    def __sub__(self, before: Self) -> Self:
        return type(self)(
            *(getattr(self, each.name) - getattr(before, each.name) for each in fields(self))
        )

    @property
    def cores(self) -> float:
        """Return how many cores were busy on average."""
        return self.machine_s / self.at_s

    @property
    def busy_percent(self) -> float:
        """Return how busy all cores were."""
        return 100 * self.cores / (os.cpu_count() or 1)


def serving_processes(cluster: Cluster) -> Sequence[psutil.Process]:
    """Find the ingresses and models on all nodes."""
    deployments = [processes_of(cluster.nodes, name) for name in ("Ingress", "speaker")]
    return [process for nodes in deployments for found in nodes for process in found]
