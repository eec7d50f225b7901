"""What dies under a server: nothing hangs, nothing stays, and the log says why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.fakes import SLEEP
from tests.support.server import STOP_S, Running, config_on_a_free_port, fakes_config, start

END_S = 60.0  # in which a server ends or heals, whatever dies


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    """A server with one model."""
    config = fakes_config()
    config["applications"][0]["args"]["models"] = {"speaker": {"engine": SLEEP}}
    running = start(config_on_a_free_port(tmp_path, config))
    yield running
    if running.process.poll() is None:
        running.stop()
    assert running.process.stdout is not None
    running.process.stdout.close()


def everything(server: Running) -> list[psutil.Process]:
    return psutil.Process(server.process.pid).children(recursive=True)


def folder(server: Running) -> Path:
    (found,) = re.findall(r"Ray's files, its logs among them, are in (\S+)", "".join(server.log))
    return Path(found)


@pytest.mark.parametrize("name", ["gcs_server", "raylet"])
def test_a_server_without_a_vital_process_ends_in_words(server: Running, name: str) -> None:
    processes = everything(server)
    next(each for each in processes if each.name() == name).kill()
    code = server.process.wait(END_S)
    server.reader.join(STOP_S)
    left = [each for each in processes if each.is_running()]
    assert (code, left, folder(server).exists()) == (4, [], False)
    assert f"({name}, process " in "".join(server.log)


def test_only_this_machine_reaches_a_server_whose_killed_launcher_leaves_nothing(
    server: Running,
) -> None:
    processes, files = everything(server), folder(server)
    addresses = {
        connection.laddr.ip.removeprefix("::ffff:")
        for each in processes
        for connection in each.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    token = Path.home() / ".ray" / "auth_token"
    assert addresses == {"127.0.0.1"}
    assert [path.stat().st_mode & 0o077 for path in (files, token)] == [0, 0]

    server.process.kill()
    _, left = psutil.wait_procs(processes, END_S)
    server.reader.join(STOP_S)
    assert (left, files.exists()) == ([], False)
