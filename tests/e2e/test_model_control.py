"""Models come and go on a running server, and whoever uses the others notices nothing."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import yaml

from tests.support.bad_input import EMBED
from tests.support.fakes import FAKE_TTS
from tests.support.server import Running, config_on_a_free_port, eventually, fakes_config, running

PCM = {"content-type": "audio/pcm; rate=16000", "accept": "application/octet-stream"}
SPEAK, TEXT = "/v1/audio/speech", "/v1/text/translations"
SIZE = 192  # of a fake's embedding, unless its options say otherwise
CALLERS = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two ingresses; speech is unloaded when nobody asks for it."""
    config = fakes_config()
    args = config["applications"][0]["args"]
    args["ingress"] = {"replicas": 2}
    args["models"]["nmt"]["options"] = {"base_ms": 1.0}
    args["models"]["speaker"]["replicas"] = 1
    args["models"]["tts"]["idle_unload_s"] = 5.0
    args["security"]["load_allow"] |= {"engines": ["silero"], "weights": ["path:/no/such/*"]}
    with running(config_on_a_free_port(tmp_path_factory.mktemp("control"), config)) as server:
        yield server


@pytest.fixture(scope="module")
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as http:
        yield http


def load(http: httpx.Client, name: str, **parameters: str) -> httpx.Response:
    """Load a model, with parameters of its configuration as Triton's repository takes them."""
    config = {"parameters": {key: {"string_value": text} for key, text in parameters.items()}}
    body = {"parameters": {"config": json.dumps(config)}} if parameters else {}
    return http.post(f"/v2/repository/models/{name}/load", json=body)


def unload(http: httpx.Client, name: str) -> httpx.Response:
    return http.post(f"/v2/repository/models/{name}/unload")


def placed(http: httpx.Client, name: str) -> tuple[str, str]:
    """Its state and the reason for it."""
    rows = {row["name"]: row for row in http.post("/v2/repository/index").json()}
    return rows[name]["state"], rows[name]["reason"]


def embed(http: httpx.Client) -> int | str:
    """The size of the embedding, or the error."""
    answer = http.post(EMBED, content=np.full(1600, 7, "<i2").tobytes(), headers=PCM)
    return len(answer.content) // 4 if answer.is_success else answer.text


def translate(http: httpx.Client) -> int:
    body = {"text": "Hello.", "source_language": "en", "target_language": "pt"}
    return http.post(TEXT, json=body).status_code


def speak(http: httpx.Client) -> httpx.Response:
    return http.post(SPEAK, json={"input": "Hello.", "voice": "fake-en"})


def kept_or_new(ask: Callable[[], bool]) -> bool:
    """Ask where the ingress is replaced: it may end a kept connection while a request comes."""
    try:
        return ask()
    except httpx.RemoteProtocolError:
        return False


@contextmanager
def callers(http: httpx.Client) -> Iterator[Counter[int | str]]:
    """Asks for embeddings all the time; the answers, counted."""
    answers: Counter[int | str] = Counter()
    stop = Event()

    def call() -> None:
        while not stop.is_set():
            answers[embed(http)] += 1

    with ThreadPoolExecutor(CALLERS) as pool:
        calls: list[Future[Any]] = [pool.submit(call) for _ in range(CALLERS)]
        try:
            yield answers
        finally:
            stop.set()
    for done in calls:
        done.result()


def test_an_unloaded_model_has_no_process_and_a_load_brings_it_back(
    server: Running, http: httpx.Client
) -> None:
    (before,) = server.replicas("nmt")
    assert unload(http, "nmt").status_code == 200
    assert not before.is_running()
    assert (placed(http, "nmt"), translate(http)) == (("UNAVAILABLE", "unloaded"), 503)
    assert http.get("/health/ready").status_code == 200
    assert load(http, "nmt").status_code == 200
    assert (placed(http, "nmt"), translate(http)) == (("READY", ""), 200)


def test_a_load_that_fails_leaves_the_model_as_it_was(server: Running, http: httpx.Client) -> None:
    before = server.replicas("vad")
    failed = load(http, "vad", engine="silero", weights="path:/no/such/folder")
    assert (failed.status_code, server.replicas("vad")) == (400, before)
    assert "/no/such/folder: there is no such folder" in failed.json()["error"]
    assert placed(http, "vad")[0] == "READY"


def test_another_generation_takes_over_under_load(server: Running, http: httpx.Client) -> None:
    with callers(http) as answers:
        before = server.replicas("speaker")
        assert load(http, "speaker", **{"options.embedding_size": "7"}).status_code == 200
        changed = embed(http)
        assert load(http, "speaker").status_code == 200
        changed_back = embed(http)
    assert (changed, changed_back) == (7, SIZE)
    assert set(answers) == {7, SIZE}  # nobody was refused, and nothing was lost
    assert not [process for process in before if process.is_running()]


def test_a_load_of_what_serves_already_changes_nothing(server: Running, http: httpx.Client) -> None:
    before = server.replicas("speaker")
    assert load(http, "speaker").status_code == 200
    assert server.replicas("speaker") == before


def test_a_model_that_nobody_uses_goes_and_comes_back_for_the_first_who_asks(
    server: Running, http: httpx.Client
) -> None:
    eventually(lambda: placed(http, "tts") == ("UNAVAILABLE", "idle"), "unloaded as idle")
    assert server.replicas("tts") == []
    assert http.get("/health/ready").status_code == 200
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(lambda _: speak(http).status_code, range(CALLERS)))
    assert (answers, len(server.replicas("tts"))) == ([200] * CALLERS, 1)


def test_an_operator_s_unload_is_not_undone_by_a_request(http: httpx.Client) -> None:
    assert unload(http, "tts").status_code == 200
    assert (speak(http).status_code, placed(http, "tts")) == (503, ("UNAVAILABLE", "unloaded"))
    assert load(http, "tts").status_code == 200


DEATHS = {"the control": "ModelControl", "an ingress": "Ingress"}


@pytest.mark.parametrize("name", DEATHS.values(), ids=DEATHS)
def test_what_was_unloaded_and_changed_survives_a_death(
    server: Running, http: httpx.Client, name: str
) -> None:
    assert unload(http, "nmt").status_code == 200
    assert load(http, "speaker", **{"options.embedding_size": "5"}).status_code == 200
    models = {model: server.replicas(model) for model in ("asr", "vad", "speaker")}
    killed: psutil.Process = server.replicas(name)[0]
    count = len(server.replicas(name))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    eventually(lambda: len(server.replicas(name)) == count, "a new one")
    assert load(http, "nmt").status_code == 200
    assert (translate(http), embed(http)) == (200, 5)
    assert load(http, "speaker").status_code == 200
    after = {model: server.replicas(model) for model in ("asr", "vad")}
    assert after == {model: models[model] for model in after}


def test_another_configuration_changes_only_what_it_says(
    server: Running, http: httpx.Client
) -> None:
    content = yaml.safe_load(server.config_path.read_text())
    models = content["applications"][0]["args"]["models"]
    models["speaker"]["options"]["embedding_size"] = 11
    del models["tts"]
    models["spoken"] = {"engine": FAKE_TTS}
    kept = {name: server.replicas(name) for name in ("asr", "vad", "nmt")}
    server.deploy(content)
    eventually(lambda: kept_or_new(lambda: embed(http) == 11), "the new configuration's model")
    eventually(lambda: kept_or_new(lambda: speak(http).status_code == 200), "the new model")
    eventually(lambda: not server.replicas("tts"), "the end of the model that is no more")
    eventually(lambda: len(server.replicas("speaker")) == 1, "the end of the one before")
    assert {name: server.replicas(name) for name in kept} == kept
