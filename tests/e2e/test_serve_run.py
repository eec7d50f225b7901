"""A bare ``serve run``, without the launcher: what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import yaml

from deployments.config.files import load
from tests.support.bad_input import TEXT, TEXT_OK
from tests.support.server import ROOT, config_on_a_free_port, eventually, fakes_config

MAX_LINES = 25  # of a start with one model and ten requests
STOP_S = 60


def takes_interrupts() -> None:
    """A job in the background of a script ignores them, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def serve_run(config_path: Path, log_path: Path) -> Iterator[str]:
    """A server for the length of a block, once it is ready; its address."""
    url = load(config_path).url
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-m", "ray.serve.scripts", "run", str(config_path)]
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=takes_interrupts,
        )

    def is_ready() -> bool:
        assert process.poll() is None, log_path.read_text()
        try:
            return httpx.get(f"{url}/health/ready").is_success
        except httpx.TransportError:
            return False

    everything = psutil.Process(process.pid)
    try:
        eventually(is_ready, "the server is ready", within_s=180)
        yield url
    finally:
        children = everything.children(recursive=True)
        process.send_signal(signal.SIGINT)
        process.wait(STOP_S)
        for child in psutil.wait_procs(children, timeout=STOP_S)[1]:
            child.kill()


def test_a_bare_start_prints_dragoman_s_lines_and_no_calls(tmp_path: Path) -> None:
    shipped = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    config = fakes_config()
    config |= {name: shipped[name] for name in ("logging_config", "controller_options")}
    args = config["applications"][0]["args"]
    args["models"] = {"nmt": args["models"]["nmt"] | {"options": {"base_ms": 1.0}}}
    log_path = tmp_path / "log"
    with serve_run(config_on_a_free_port(tmp_path, config), log_path) as url:
        for _ in range(10):
            assert httpx.post(url + TEXT, json=TEXT_OK, timeout=60).status_code == 200
        log = log_path.read_text()
    assert "dragoman: model nmt: fake-nmt on cpu" in log
    assert "CALL" not in log
    assert len(log.splitlines()) < MAX_LINES, log
