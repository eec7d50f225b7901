"""End a server's processes once its launcher has ended, even if the launcher was killed.

``python -m deployments.serve.cleanup_process FOLDER COMMAND...`` runs the command and passes SIGINT
and SIGTERM on to it. It waits until the command ends or standard input does, which is a pipe whose
other end the launcher alone holds. Then it ends what is left of the command's descendants, removes
FOLDER if one is named, and exits with the command's code. Processes of Ray that outlive their
parents become children of this one.
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
ASKED_S = 5.0  # for a process to end by itself
KILLED_S = 5.0  # for the kernel to end it
ROUNDS = 3  # of ending what is left, as a process that ends may have started another
PR_SET_CHILD_SUBREAPER = 36  # prctl(2): orphaned descendants become children of this process


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_all(processes: Sequence[psutil.Process]) -> None:
    """Ask processes to end, kill those that do not, and reap them all."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=ASKED_S)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=KILLED_S)


def end_descendants() -> None:
    """End every descendant of this process."""
    for _ in range(ROUNDS):
        if not (left := psutil.Process().children(recursive=True)):
            return
        end_all(left)


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def run(folder: str, command: Sequence[str]) -> int:
    """Run the command until it ends or standard input does, then clean up; return its exit code."""
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


def _reap_orphans(command_pid: int) -> None:
    """Reap adopted children that have ended; the command is left to its ``Popen``."""
    peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while (ended := os.waitid(os.P_ALL, 0, peek)) is not None and ended.si_pid != command_pid:
        os.waitpid(ended.si_pid, 0)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
