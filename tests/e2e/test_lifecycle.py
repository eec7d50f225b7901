"""A server's life: it drains, leaves nothing behind, changes live, and survives a death."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
import yaml

from tests.support.bad_input import EMBED, TEXT, TEXT_OK, TRANSLATE, form, wav
from tests.support.server import (
    ROOT,
    Running,
    config_on_a_free_port,
    eventually,
    fakes_config,
    running,
)

SPEECH = wav(np.full(16_000, 700, np.int16))
SERVE = [sys.executable, "-m", "deployments.cli", "serve", "--config"]
PCM = {"content-type": "audio/pcm; rate=16000", "accept": "application/octet-stream"}


def translate(url: str) -> httpx.Response:
    return httpx.post(url + TRANSLATE, timeout=60, **form(SPEECH))


def heard(server: Running) -> int:
    """How many batches the ASR model has run."""
    row = httpx.get(f"{server.url}/v1/models/asr").json()
    return int(row["statistics"]["batches"])


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose Python lies in a path that a shell would split."""
    folder = tmp_path_factory.mktemp("living")
    link = folder / "my tools & more"
    link.symlink_to(sys.prefix, target_is_directory=True)
    python = link / Path(sys.executable).relative_to(sys.prefix)
    with running(config_on_a_free_port(folder, fakes_config()), str(python)) as server:
        yield server


def test_a_python_in_a_path_that_a_shell_would_split_serves(living: Running) -> None:
    assert httpx.get(f"{living.url}/health/ready").is_success


def test_the_command_of_the_ready_line_works_as_it_is_printed(
    living: Running, tmp_path: Path
) -> None:
    command = living.offered_command()
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, living.url in command) == (0, True), done.stderr
    assert (tmp_path / "out.wav").read_bytes().startswith(b"RIFF")


def test_a_wrong_configuration_stops_the_start(fakes: Path) -> None:
    content = yaml.safe_load(fakes.read_text())
    content["applications"][0]["args"]["models"]["asr"]["replica"] = 2
    fakes.write_text(yaml.safe_dump(content))
    command = [*SERVE, str(fakes)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "models.asr.replica: Extra inputs are not permitted" in ended.stderr


def test_a_model_that_cannot_load_stops_the_start(fakes: Path) -> None:
    content = yaml.safe_load(fakes.read_text())
    args = content["applications"][0]["args"]
    broken = {"engine": "silero", "weights": f"path:{fakes.parent}"}  # of another kind
    args["models"] = {"vad": broken, "tts": args["models"]["tts"]}
    fakes.write_text(yaml.safe_dump(content))
    command = [*SERVE, str(fakes)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert "model vad failed" in ended.stderr
    assert f"path:{fakes.parent}: no file" in ended.stderr


def test_a_taken_port_is_named(fakes: Path) -> None:
    port = yaml.safe_load(fakes.read_text())["applications"][0]["args"]["ingress"]["port"]
    command = [*SERVE, str(fakes)]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"ingress.port: 127.0.0.1:{port} cannot be listened on" in ended.stderr


def test_a_batch_policy_changes_live_and_no_model_is_loaded_again(living: Running) -> None:
    content = yaml.safe_load(living.config_path.read_text())
    before = {name: living.replicas(name) for name in ("asr", "speaker")}
    user_config = content["applications"][0]["deployments"][0]["user_config"]
    user_config["batching"] = {"nmt": {"max_queue_size": 2, "max_batch_size": 1}}
    living.deploy(content)

    def ask(_: int) -> int:
        return httpx.post(living.url + TEXT, json=TEXT_OK, timeout=60).status_code

    def refused() -> bool:
        with ThreadPoolExecutor(16) as callers:
            return 503 in callers.map(ask, range(32))

    eventually(refused, "a short queue refuses: the new policy has come")
    assert {name: living.replicas(name) for name in before} == before


def test_a_replica_that_dies_under_load_loses_no_request(living: Running) -> None:
    def embed(number: int) -> tuple[int, int]:
        clip = np.full(1600, number % 192, "<i2").tobytes()
        answer = http.post(living.url + EMBED, content=clip, headers=PCM)
        found = np.flatnonzero(np.frombuffer(answer.content, "<f4")) if answer.is_success else [-1]
        return answer.status_code, int(found[0])

    with httpx.Client(timeout=60) as http, ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(embed, number) for number in range(400)]
        wait(answers[:100])
        living.replicas("speaker")[0].send_signal(signal.SIGKILL)
        assert [a.result() for a in answers] == [(200, number % 192) for number in range(400)]


# The last test of its server.
def test_a_signal_drains_and_leaves_nothing_behind(living: Running) -> None:
    everything = psutil.Process(living.process.pid).children(recursive=True)
    before = heard(living)
    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(translate, living.url)
        # Its translation and synthesis are still to come then.
        eventually(lambda: heard(living) > before, "a batch of the ASR model")
        exit_code = living.stop()
        answer = in_flight.result()
    left = [process for process in everything if process.is_running()]
    with socket.socket() as probe:  # nobody listens on the port any more
        is_held = probe.connect_ex(("127.0.0.1", urlsplit(living.url).port)) == 0
    assert (exit_code, answer.status_code, left, is_held) == (0, 200, [], False)
