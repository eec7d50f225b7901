"""Counts the usable cores, and chooses how many threads a model's replica takes."""

from __future__ import annotations

import math
import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # of a container: "quota period" in us, or "max period"
# Default for a replica: these models gain little from more, and others run beside them.
MOST_THREADS = 4


def usable_cores(cpu_max: Path = CPU_MAX) -> int:
    """Return the cores that this process may use, within its container's share."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = cpu_max.read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else min(allowed, math.ceil(int(quota) / int(period)))


def default_threads(replicas: int, cores: int, *, small: bool) -> int:
    """Return the CPU threads of one replica: its model's cores, shared among the replicas.

    Models of a graph take turns for one caller, so each may use every core; idle threads sleep. A
    small network gets one thread, as a second one costs more than it saves.
    """
    return 1 if small else max(1, min(MOST_THREADS, cores // replicas))
