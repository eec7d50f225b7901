"""A peer's server: started, awaited until its answer is right, ended with all that it started."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.overhead.protocols import Protocol, WrongAnswer, check
from deployments.serve.cleanup_process import end_all

START_S = 120.0
STOP_S = 60.0
POLL_S = 0.2
LOG_LINES = 3  # of a server that did not start


class DidNotServe(Exception):
    """A server ended, or gave no right answer in time; the message says why."""


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the length of a block, started in ``folder``; its log goes to a file.

    Raises:
        DidNotServe: from within the block, with the end of the log added.
    """
    others = set(_descendants())
    with tempfile.TemporaryFile(prefix="server-") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        except DidNotServe as error:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()[-LOG_LINES:]
            raise DidNotServe(f"{error}; its log ends: {' / '.join(lines)}") from error
        finally:
            _end(process, others)


def await_answer(process: subprocess.Popen[bytes], url: str, protocol: Protocol) -> None:
    """Ask until the answer is 200 and the model's.

    Raises:
        DidNotServe: the process ended, or there was no right answer in time.
    """
    deadline = time.monotonic() + START_S
    while True:
        try:
            check(protocol, *_post(url, protocol))
            return
        except WrongAnswer as error:
            raise DidNotServe(f"wrong answer: {error}") from error
        except urllib.error.HTTPError as error:
            last = f"status {error.code}: {error.read(200)!r}"
        except OSError as error:
            last = str(error)
        if process.poll() is not None:
            raise DidNotServe(f"ended with exit code {process.returncode}")
        if time.monotonic() > deadline:
            raise DidNotServe(f"no answer within {START_S:.0f} s, the last: {last}")
        time.sleep(POLL_S)


def _post(url: str, protocol: Protocol) -> tuple[Mapping[str, str], bytes]:
    request = urllib.request.Request(url, protocol.body, dict(protocol.headers))
    with urllib.request.urlopen(request, timeout=START_S) as answer:
        return answer.headers, answer.read()


class CpuClock:
    """Measure the CPU time, user and system, of every process below this one."""

    def __init__(self) -> None:
        self._before = _cpu_seconds()

    def seconds(self) -> float:
        """Return the seconds since the clock was made; of processes that are still there."""
        return sum(
            spent - self._before.get(process, 0.0) for process, spent in _cpu_seconds().items()
        )


def _cpu_seconds() -> dict[psutil.Process, float]:
    found = {}
    for process in _descendants():
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            found[process] = times.user + times.system
    return found


def _descendants() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _end(process: subprocess.Popen[bytes], others: Collection[psutil.Process]) -> None:
    """Ask the server to end, then all that is left below this process, but for ``others``."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    end_all([child for child in _descendants() if child not in others])
