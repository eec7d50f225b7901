"""Ends a server's processes once its launcher has ended, however that ended.

``python -m deployments.serve.cleanup_process FOLDER COMMAND...`` runs the command, passes SIGINT and
SIGTERM on to it, and waits until it ends or standard input does: a pipe whose other end the
launcher alone holds. Then it ends what is left of the command's descendants, removes FOLDER, if it
is not empty, and exits with the command's code. Ray's processes outlive their parents, and come to
this one then.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

import psutil

POLL_S = 0.2
ASKED_S = 5.0  # what a process may take to end by itself
KILLED_S = 5.0  # what the kernel may take to end it
ROUNDS = 3  # of ending what is left: one that ends may have started another meanwhile
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphans of our descendants become our children


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_all(processes: Sequence[psutil.Process]) -> None:
    """What Ray left: first asked, then killed, then reaped."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=ASKED_S)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=KILLED_S)


def end_descendants() -> None:
    """Of this process: all of them."""
    for _ in range(ROUNDS):
        if not (left := psutil.Process().children(recursive=True)):
            return
        end_all(left)


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def keep(folder: str, command: Sequence[str]) -> int:
    """Run the command until it ends or standard input does; its exit code."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    adopt_orphans()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        while asked:
            child.send_signal(asked.pop())
        readable, _, _ = select.select([sys.stdin], [], [], POLL_S)
        if readable and not os.read(sys.stdin.fileno(), 1):
            break  # the launcher has ended
        _reap_orphans(child.pid)
    end_descendants()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    return child.returncode if child.returncode is not None else 1


def _reap_orphans(but: int) -> None:
    """What ended among the adopted children; of the command, its ``Popen`` takes the exit code."""
    peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while (ended := os.waitid(os.P_ALL, 0, peek)) is not None and ended.si_pid != but:
        os.waitpid(ended.si_pid, 0)


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1], sys.argv[2:]))
