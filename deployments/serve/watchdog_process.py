"""End a model's replica that hangs, from a process beside it that cannot hang with it.

It is a script that imports little, because there is one for each replica. It looks at the replica
once a second. Memory that both share tells which batch runs and when that should have ended. The
process ends with the replica, which holds the other end of its standard input.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = struct.Struct("=dd")  # when a batch began, 0 where none runs; when it should have ended
LOOK_S = 1.0
QUIET_LOOKS = 5  # in a row, before a replica that does nothing is ended
# Share of a core below which a replica does nothing; the threads of Ray and Serve in it use some.
IDLE_SHARE = 0.05
PROC = Path("/proc")
STOPPED = "T"  # by a signal; not by a debugger
READY = ("R", "D")  # runs or waits for a CPU; waits for a disk
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a replica, with its threads and child processes."""

    is_stopped: bool
    is_ready: bool = False  # a thread runs, or waits for a CPU or a disk
    cpu_s: float = 0.0  # so far
    faults: int = 0  # pages read from disk so far


class Judge:
    """Tell a replica that hangs from one that is slow."""

    def __init__(self, look_s: float) -> None:
        self._idle_s = IDLE_SHARE * look_s
        self._before: Look | None = None
        self._quiet = 0

    def hangs(self, look: Look, *, is_overdue: bool) -> bool:
        """Tell whether a replica hangs, by this look and those before.

        A replica that waits for a CPU, or reads from a disk, is slow. So is one that is stopped
        for a moment. ``is_overdue``: its batch should have ended.
        """
        before, self._before = self._before, look
        is_quiet = look.is_stopped or (is_overdue and before is not None and self._rests(before))
        self._quiet = self._quiet + 1 if is_quiet else 0
        return self._quiet >= QUIET_LOOKS

    def _rests(self, before: Look) -> bool:
        look = self._before
        assert look is not None
        has_run = look.cpu_s - before.cpu_s > self._idle_s or look.faults > before.faults
        return not (has_run or look.is_ready)


def look_at(pid: int, *, closely: bool) -> Look | None:
    """Look at a process, or only whether it is stopped unless ``closely``. None: it has ended."""
    try:
        state = _stat(PROC / str(pid))[0]
    except OSError:
        return None
    if not closely or state == STOPPED:
        return Look(state == STOPPED)
    cpu_ticks, faults, is_ready = 0, 0, False
    for process in _family(pid):
        try:
            fields = _stat(process)
            states = [_stat(thread)[0] for thread in (process / "task").iterdir()]
        except OSError:  # a process has just ended, so something happens there
            return Look(False, is_ready=True)
        faults += int(fields[9])
        cpu_ticks += sum(int(fields[index]) for index in (11, 12, 13, 14))
        is_ready = is_ready or any(state in READY for state in states)
    return Look(False, is_ready, cpu_ticks / TICKS_A_SECOND, faults)


def _stat(process: Path) -> list[str]:
    """Read the fields of a process or thread from its state on, which is the third in proc(5)."""
    return (process / "stat").read_text().rpartition(")")[2].split()


def _family(pid: int) -> Iterator[Path]:
    """Yield a process and its descendants, without this one."""
    children: dict[int, list[int]] = {}
    for process in PROC.iterdir():
        if process.name.isdecimal():
            try:
                children.setdefault(int(_stat(process)[1]), []).append(int(process.name))
            except OSError:
                continue  # it has just ended
    found = [pid]
    for each in found:
        yield PROC / str(each)
        found += [child for child in children.get(each, ()) if child != os.getpid()]


def _gpu_rests() -> bool:
    """Tell whether the driver says that no GPU the replica sees has run anything of late."""
    from models.devices import nvidia

    try:
        gpus = nvidia.visible(nvidia.gpus(), os.environ)
    except (OSError, ValueError):
        return False
    return bool(gpus) and all(gpu.utilisation_percent == 0 for gpu in gpus)


def watch(pid: int, page: mmap.mmap, look_s: float, *, on_gpu: bool) -> str | None:
    """Return why a process hangs, once it does; None once it has ended."""
    judge = Judge(look_s)
    while not select.select([sys.stdin], [], [], look_s)[0]:
        began, until = PAGE.unpack_from(page)
        late_s = time.monotonic() - until if began else 0.0
        look = look_at(pid, closely=late_s > 0)
        if look is None:
            return None
        if judge.hangs(look, is_overdue=late_s > 0):
            if look.is_stopped:
                return "it is stopped"
            if not on_gpu or _gpu_rests():
                return f"its batch should have ended {late_s:.0f} s ago, and it uses no CPU"
    return None


def main(name: str, pid: int, descriptor: int, look_s: float, device: str, log_format: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; this ends with the replica
    page = mmap.mmap(descriptor, PAGE.size, access=mmap.ACCESS_READ)
    why = watch(pid, page, look_s, on_gpu=device == "cuda")
    if why is None or os.getppid() != pid:
        return
    from deployments.telemetry.log import logger, set_up

    # Logged before, because Ray ends at once what a replica leaves behind.
    set_up("json" if log_format == "json" else "text")
    logger.error("a replica of model %r hangs (%s): process %d is ended", name, why, pid)
    os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    _name, _pid, _descriptor, _look_s, _device, _log_format = sys.argv[1:]
    main(_name, int(_pid), int(_descriptor), float(_look_s), _device, _log_format)
