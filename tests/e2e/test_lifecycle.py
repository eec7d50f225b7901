"""A server's life: it drains, leaves nothing behind, changes live, and survives a death."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import yaml

from tests.support.bad_input import EMBED, TRANSLATE, form, wav
from tests.support.server import ROOT, Running, eventually, running, start

SPEECH = wav(np.full(16_000, 700, np.int16))
SERVE = [sys.executable, "-m", "deployments.cli", "serve", "--config"]
PCM = {"content-type": "audio/pcm; rate=16000", "accept": "application/octet-stream"}


def translate(url: str) -> httpx.Response:
    return httpx.post(url + TRANSLATE, timeout=60, **form(SPEECH))


def started_work(server: Running) -> None:
    """Wait until the ASR model has run a batch: a request is in the graph."""

    def heard() -> bool:
        row = httpx.get(f"{server.url}/v1/models/asr").json()
        return bool(row["statistics"]["batches"])

    eventually(heard, "a batch of the ASR model")


def test_a_signal_drains_and_leaves_nothing_behind(fakes: Path) -> None:
    server = start(fakes)
    everything = psutil.Process(server.process.pid).children(recursive=True)
    with ThreadPoolExecutor(1) as pool:
        in_flight = pool.submit(translate, server.url)
        started_work(server)  # its translation and synthesis are still to come
        exit_code = server.stop()
        answer = in_flight.result()
    left = [process for process in everything if process.is_running()]
    with socket.socket() as probe:  # nobody listens on the port any more
        is_held = probe.connect_ex(("127.0.0.1", urlsplit(server.url).port)) == 0
    assert (exit_code, answer.status_code, left, is_held) == (0, 200, [], False)


def test_the_command_of_the_ready_line_works_as_it_is_printed(fakes: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with running(fakes) as server:
        command = server.offered_command()
        done = subprocess.run(command, shell=True, cwd=elsewhere, capture_output=True, text=True)
    assert (done.returncode, server.url in command) == (0, True), done.stderr
    assert (elsewhere / "out.wav").read_bytes().startswith(b"RIFF")


def test_a_drained_server_runs_and_takes_no_more_requests(fakes: Path) -> None:
    with running(fakes) as server:
        drained = server.command("drain")
        answer = translate(server.url)
        is_running = server.process.poll() is None
    assert (drained.returncode, answer.status_code, is_running) == (0, 503, True), drained.stderr


def test_a_python_in_a_path_that_a_shell_would_split_serves(fakes: Path, tmp_path: Path) -> None:
    link = tmp_path / "my tools & more"
    link.symlink_to(sys.prefix, target_is_directory=True)
    python = link / Path(sys.executable).relative_to(sys.prefix)
    with running(fakes, str(python)) as server:
        assert httpx.get(f"{server.url}/health/ready").is_success


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
    models = content["applications"][0]["args"]["models"]
    models["vad"] = {"engine": "silero", "weights": f"path:{fakes.parent}"}  # of another kind
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


def test_a_batch_policy_changes_live_and_no_model_is_loaded_again(fakes: Path) -> None:
    content = yaml.safe_load(fakes.read_text())
    with running(fakes) as server:
        before = {name: server.replicas(name) for name in ("asr", "speaker")}
        user_config = content["applications"][0]["deployments"][0]["user_config"]
        user_config["batching"] = {"nmt": {"max_queue_size": 1, "max_batch_size": 1}}
        server.deploy(content)
        body = {"text": "Hello.", "source_language": "en", "target_language": "pt"}

        def ask(_: int) -> int:
            return httpx.post(
                server.url + "/v1/text/translations", json=body, timeout=60
            ).status_code

        def refused() -> bool:
            with ThreadPoolExecutor(16) as callers:
                return 503 in callers.map(ask, range(32))

        eventually(refused, "a queue of one refuses: the new policy has come")
        after = {name: server.replicas(name) for name in ("asr", "speaker")}
    assert before == after


def test_a_replica_that_dies_under_load_loses_no_request(fakes: Path) -> None:
    def embed(number: int) -> tuple[int, int]:
        clip = np.full(1600, number % 192, "<i2").tobytes()
        answer = http.post(server.url + EMBED, content=clip, headers=PCM)
        found = np.flatnonzero(np.frombuffer(answer.content, "<f4")) if answer.is_success else [-1]
        return answer.status_code, int(found[0])

    with running(fakes) as server, httpx.Client(timeout=60) as http, ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(embed, number) for number in range(400)]
        wait(answers[:100])
        server.replicas("speaker")[0].send_signal(signal.SIGKILL)
        assert [a.result() for a in answers] == [(200, number % 192) for number in range(400)]
