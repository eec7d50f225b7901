"""Start the watchdog process of a replica, and tell it which batch runs and until when."""

from __future__ import annotations

import math
import mmap
import os
import subprocess
import sys
import time
from pathlib import Path

from deployments.batching.estimates.batch_time import Line
from deployments.serve import watchdog_process
from deployments.telemetry.log import LogFormat, logger

ROOT = Path(__file__).parents[2]
OVERDUE = 3.0  # times what was expected of a batch
LEAST_S = 2.0  # for any batch


class Watchdog:
    """Have this process ended once it hangs; ``watchdog_process`` says what that means.

    A batch may take ``OVERDUE`` times what the batches before it predict. The first may take any
    time. Where ``bound_s`` is given, each may take as long.

    Args:
        name: of the model, for the log.
        device: cuda or cpu: where the model runs.
        log_format: of the process's one line.
        bound_s: of a batch that waits for another machine, by its engine; None: batches compute.
        look_s: between looks at the process.
    """

    def __init__(
        self,
        name: str,
        device: str,
        log_format: LogFormat = "text",
        bound_s: float | None = None,
        look_s: float = watchdog_process.LOOK_S,
    ) -> None:
        self._line = Line()
        self._bound_s = bound_s
        try:
            descriptor = os.memfd_create("dragoman-watch")
        except (OSError, AttributeError) as error:
            logger.warning("model %r: no memory to share, so it is not watched: %r", name, error)
            self._page: mmap.mmap | None = None
            return
        os.ftruncate(descriptor, watchdog_process.PAGE.size)
        self._page = mmap.mmap(descriptor, watchdog_process.PAGE.size)
        arguments = (name, os.getpid(), descriptor, look_s, device, log_format)
        self._process = subprocess.Popen(
            [sys.executable, "-P", watchdog_process.__file__, *map(str, arguments)],
            stdin=subprocess.PIPE,  # open as long as this process lives
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[descriptor],  # the process group is the same, so that a stop is of both
        )
        os.close(descriptor)

    @property
    def process_pid(self) -> int | None:
        """Return the watchdog process's number; None if there is none."""
        return None if self._page is None else self._process.pid

    def begin(self, cost: float) -> None:
        """Note that a batch of that cost begins."""
        now = time.monotonic()
        until = math.inf
        if self._bound_s is not None:
            until = now + self._bound_s
        elif self._line.is_known:
            until = now + max(LEAST_S, OVERDUE * self._line.generous_s(cost))
        self._write(now, until)

    def end(self, cost: float, took_s: float | None) -> None:
        """Note that it has ended; ``took_s`` is None after an error, which predicts nothing."""
        self._write(0.0, 0.0)
        if took_s is not None:
            self._line.learn(cost, took_s)

    def stop(self) -> None:
        """End the watchdog process."""
        if self._page is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait()

    def _write(self, began: float, until: float) -> None:
        if self._page is not None:
            watchdog_process.PAGE.pack_into(self._page, 0, began, until)
