"""Watch the two processes of a Ray cluster that nothing restarts."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil

# Without the raylet no replica can start, and without the GCS no process finds another. Ray
# notices the loss of either late or never, and restarts neither.
VITAL = {"gcs_server": "the GCS", "raylet": "the raylet"}
STOPPED_S = 20.0  # of a stop (SIGSTOP), after which a process counts as ended
GONE = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)


class Cluster:
    """Watch the vital processes among this one's descendants.

    Args:
        clock: tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._vital: dict[str, psutil.Process] = {}
        self._stopped_at: dict[str, float] = {}

    def fault(self) -> str | None:
        """Name a vital process that has ended or is stopped; None if all run."""
        if len(self._vital) < len(VITAL):
            self._find()
        for name, process in self._vital.items():
            if what := self._what_is_wrong(name, process):
                return f"{VITAL[name]} ({name}, process {process.pid}) {what}"
        return None

    def _find(self) -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.name() in VITAL and process.status() not in GONE:
                    self._vital.setdefault(process.name(), process)

    def _what_is_wrong(self, name: str, process: psutil.Process) -> str | None:
        try:
            status = process.status() if process.is_running() else psutil.STATUS_DEAD
        except psutil.Error:
            status = psutil.STATUS_DEAD
        if status in GONE:
            return "has ended"
        if status != psutil.STATUS_STOPPED:
            self._stopped_at.pop(name, None)
            return None
        since_s = self._clock() - self._stopped_at.setdefault(name, self._clock())
        return f"has been stopped for {since_s:.0f} s" if since_s >= STOPPED_S else None
