"""The vital processes of Ray: each that ends or stands still is named; none else is missed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deployments.serve.cleanup_process import end_all
from deployments.serve.cluster import STOPPED_S, VITAL, Cluster
from tests.support.server import eventually


@pytest.fixture
def vital(tmp_path: Path) -> Iterator[dict[str, psutil.Process]]:
    """Children of this process that are called like Ray's, by their names."""
    children, started = [], {}
    for name in VITAL:
        (tmp_path / name).symlink_to(shutil.which("sleep") or "sleep")
        children.append(subprocess.Popen([tmp_path / name, "600"]))
        started[name] = psutil.Process(children[-1].pid)
        eventually(lambda name=name: started[name].name() == name, name)  # type: ignore[misc]
    yield started
    for process in started.values():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
    end_all(list(started.values()))
    for child in children:
        child.wait()


def test_a_cluster_that_runs_has_no_fault(vital: dict[str, psutil.Process]) -> None:
    cluster = Cluster()
    assert [cluster.fault() for _ in range(3)] == [None, None, None]


def test_one_that_has_not_begun_has_none() -> None:
    assert Cluster().fault() is None


@pytest.mark.parametrize("name", VITAL)
@pytest.mark.parametrize("reaped", [False, True], ids=["zombie", "reaped"])
def test_a_dead_one_is_named(vital: dict[str, psutil.Process], name: str, reaped: bool) -> None:
    cluster = Cluster()
    cluster.fault()
    vital[name].kill()
    if reaped:
        vital[name].wait()
    else:
        os.waitid(os.P_PID, vital[name].pid, os.WEXITED | os.WNOWAIT)
    assert cluster.fault() == f"{VITAL[name]} ({name}, process {vital[name].pid}) has ended"


@pytest.mark.parametrize("name", VITAL)
def test_one_that_stands_still_is_named_once_that_is_long(
    vital: dict[str, psutil.Process], name: str
) -> None:
    now_s = [0.0]
    cluster = Cluster(lambda: now_s[0])
    cluster.fault()
    vital[name].suspend()
    eventually(lambda: vital[name].status() == psutil.STATUS_STOPPED, "it stands still")
    soon = cluster.fault()
    now_s[0] = STOPPED_S
    said = f"{VITAL[name]} ({name}, process {vital[name].pid}) has been stopped for 20 s"
    assert (soon, cluster.fault()) == (None, said)


def test_one_that_goes_on_in_time_is_well(vital: dict[str, psutil.Process]) -> None:
    now_s = [0.0]
    cluster = Cluster(lambda: now_s[0])
    for stopped_at_s in (0.0, STOPPED_S):
        now_s[0] = stopped_at_s
        vital["raylet"].suspend()
        eventually(lambda: vital["raylet"].status() == psutil.STATUS_STOPPED, "it stands still")
        assert cluster.fault() is None
        vital["raylet"].resume()
        eventually(lambda: vital["raylet"].status() != psutil.STATUS_STOPPED, "it goes on")
        assert cluster.fault() is None
