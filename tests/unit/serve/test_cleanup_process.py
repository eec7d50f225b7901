"""The cleanup process outlives its launcher, and nothing that it runs outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
END_S = 60.0
# Says the number of a process that has left its session, as Ray's do, and whose parent then ends.
DAEMON = "(setsid sleep 600 & echo $!)"


@contextmanager
def running(script: str, folder: Path | str = "") -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A cleanup process that runs a shell script, and the number that the script prints."""
    command = [
        sys.executable,
        "-m",
        "deployments.serve.cleanup_process",
        str(folder),
        "sh",
        "-c",
        script,
    ]
    cleanup = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert cleanup.stdin is not None
    assert cleanup.stdout is not None
    with cleanup.stdout:
        try:
            yield cleanup, int(cleanup.stdout.readline())
        finally:
            cleanup.stdin.close()
            cleanup.wait(END_S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run, with a file."""
    made = tmp_path / "run"
    made.mkdir()
    (made / "socket").touch()
    return made


def test_a_launcher_that_is_gone_leaves_no_process_and_no_file(folder: Path) -> None:
    with running(f"{DAEMON}; exec sleep 600", folder) as (cleanup, daemon):
        everything = [psutil.Process(daemon), *psutil.Process(cleanup.pid).children(recursive=True)]
        assert cleanup.stdin is not None
        cleanup.stdin.close()  # what the kernel does for a process that was killed
        cleanup.wait(END_S)
        assert [each for each in everything if each.is_running()] == []
    assert not folder.exists()


def test_a_command_that_ends_leaves_nothing_and_its_code_is_told(folder: Path) -> None:
    with running(f"{DAEMON}; exit 7", folder) as (cleanup, daemon):
        assert cleanup.wait(END_S) == 7
        assert not psutil.pid_exists(daemon)
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_is_the_command_s(number: signal.Signals) -> None:
    script = "trap 'kill $!; exit 8' INT TERM; sleep 600 & echo $$; wait"
    with running(script) as (cleanup, _):
        cleanup.send_signal(number)
        assert cleanup.wait(END_S) == 8


def test_what_ends_among_the_adopted_is_reaped() -> None:
    with running("(sh -c 'echo $$; exec sleep 0.1' &); exec sleep 600") as (_, orphan):
        psutil.Process(orphan).wait(END_S)  # a zombie has not ended in its eyes


def test_it_is_no_burden() -> None:
    with running("echo $$; exec sleep 600") as (cleanup, _):
        assert psutil.Process(cleanup.pid).memory_info().rss < 64 << 20
        assert os.getpgid(cleanup.pid)
