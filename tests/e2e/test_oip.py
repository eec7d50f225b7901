"""Triton's contract under fire: malformed requests by the thousand, a death, several ingresses.

Run with ``-s`` to see the figures.
"""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from deployments.serve.shared_memory import NAME as BLOCK
from tests.support.malformed_oip import malformed_requests
from tests.support.server import Running, config_on_a_free_port, eventually, fakes_config, running

MALFORMED = 2_000
SEED = 20_26
CALLERS = 16
SAMPLES = 1600
LENGTH = "inference-header-content-length"
PATH = "/v2/models/speaker/infer"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of fakes that take hardly any time, with two ingresses and two replicas."""
    config = fakes_config()
    args = config["applications"][0]["args"]
    for name in ("asr", "nmt"):
        args["models"][name]["options"] = {"base_ms": 1.0}
    args["ingress"] = {"replicas": 2}
    with running(config_on_a_free_port(tmp_path_factory.mktemp("quick"), config)) as server:
        yield server


def clip(number: int) -> dict[str, Any]:
    """A binary request whose answer only this number can have."""
    data = np.full(SAMPLES, number % 192, "<i2").tobytes()
    tensor = {"name": "AUDIO", "datatype": "INT16", "shape": [1, SAMPLES]}
    head = json.dumps(
        {
            "inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    headers = {LENGTH: str(len(head)), "accept-encoding": "identity"}
    return {"content": head + data, "headers": headers}


def answered(answer: httpx.Response) -> int:
    """Which number an embedding stands for; -1: it is none."""
    if not answer.is_success:
        return -1
    vector = np.frombuffer(answer.content[int(answer.headers[LENGTH]) :], "<f4")
    return int(np.flatnonzero(vector)[0])


def test_malformed_requests_get_4xx_and_the_server_goes_on(quick: Running) -> None:
    with httpx.Client(base_url=quick.url, timeout=60) as http, ThreadPoolExecutor(CALLERS) as pool:

        def send(malformed: Any) -> tuple[int, str]:
            request = http.build_request(
                malformed.method,
                malformed.path,
                content=malformed.body,
                headers=malformed.headers,
            )
            answer = http.send(request)
            return answer.status_code, malformed.id

        answers = list(pool.map(send, malformed_requests(SEED, MALFORMED)))
        statuses = Counter(status for status, _ in answers)
        live = http.get("/v2/health/live").status_code
        good = http.post(PATH, **clip(7))
    wrong = Counter((status, name) for status, name in answers if not 400 <= status < 500)
    print(f"\n{len(answers)} malformed requests: {dict(sorted(statuses.items()))}, live {live}")
    assert (len(answers), wrong) == (MALFORMED, Counter())
    assert (live, answered(good)) == (200, 7)


def test_samples_reach_a_replica_in_shared_memory(quick: Running) -> None:
    with httpx.Client(base_url=quick.url, timeout=60) as http:
        assert answered(http.post(PATH, **clip(1))) == 1
    maps = [Path(f"/proc/{each.pid}/maps").read_text() for each in quick.replicas("speaker")]
    assert any(BLOCK in mapped for mapped in maps)


def test_a_replica_killed_under_load_costs_no_request(quick: Running) -> None:
    def ask(number: int) -> bool:
        return answered(http.post(PATH, **clip(number))) == number % 192

    def replicas() -> int:
        return int(httpx.get(f"{quick.url}/v1/models/speaker").json().get("replicas", 0))

    with httpx.Client(base_url=quick.url, timeout=60) as http, ThreadPoolExecutor(CALLERS) as pool:
        first = [pool.submit(ask, number) for number in range(200)]
        assert all(future.result() for future in first[:100])
        victim = quick.replicas("speaker")[0]
        killed_at = time.monotonic()
        victim.send_signal(signal.SIGKILL)
        rest = [pool.submit(ask, number) for number in range(200, 1000)]
        sent = [*first, *rest]
        right = sum(future.result() for future in sent)
        eventually(lambda: len(quick.replicas("speaker")) == 2 == replicas(), "two replicas")
        back_s = time.monotonic() - killed_at
    print(f"\nkilled: {len(sent)} sent, {right} answered, {len(sent) - right} failed; ", end="")
    print(f"both replicas back after {back_s:.1f} s")
    assert right == len(sent)


def test_a_stopped_replica_is_ended_and_its_requests_are_answered(quick: Running) -> None:
    def ask(number: int) -> bool:
        return answered(http.post(PATH, **clip(number))) == number % 192

    with httpx.Client(base_url=quick.url, timeout=60) as http, ThreadPoolExecutor(CALLERS) as pool:
        assert all(pool.map(ask, range(100)))  # each replica has run a batch
        stopped = quick.replicas("speaker")
        for replica in stopped:
            replica.send_signal(signal.SIGSTOP)
        right = sum(pool.map(ask, range(100, 200)))
        is_new = not {replica.pid for replica in stopped} & {
            replica.pid for replica in quick.replicas("speaker")
        }
    assert (right, is_new) == (100, True)
    told = "hangs (it is stopped)"
    eventually(lambda: any(told in line for line in quick.log), "why it was ended is told")


def test_the_counts_of_all_ingresses_are_exact(quick: Running) -> None:
    def stats() -> dict[str, Any]:
        (row,) = httpx.get(f"{quick.url}/v2/models/vad/stats").json()["model_stats"]
        return dict(row)

    def ask(number: int) -> int:
        with httpx.Client(base_url=quick.url, timeout=60) as http:  # any of the ingresses
            return http.post(PATH.replace("speaker", "vad"), **clip(number)).status_code

    before = stats()
    with ThreadPoolExecutor(CALLERS) as pool:
        assert set(pool.map(ask, range(200))) == {200}
    after = stats()
    success = [row["inference_stats"]["success"]["count"] for row in (before, after)]
    rows = [row["inference_count"] for row in (before, after)]
    assert (success[1] - success[0], rows[1] - rows[0]) == (200, 200)


def test_a_configuration_is_loaded_and_taken_back(quick: Running) -> None:
    def load(config: dict[str, Any] | None) -> httpx.Response:
        parameters = {"parameters": {"config": json.dumps(config)}} if config else {}
        url = f"{quick.url}/v2/repository/models/vad/load"
        return httpx.post(url, json=parameters, timeout=60)

    def largest() -> int:
        config = httpx.get(f"{quick.url}/v2/models/vad/config").json()
        return int(config["max_batch_size"])

    before = largest()
    assert load({"max_batch_size": 3}).status_code == 200
    assert load({"max_batch_size": 3}).status_code == 200  # still another than the file's
    while_loaded = largest()
    refused = load({"parameters": {"options.base_ms": {"string_value": "soon"}}})
    as_before = largest()
    assert load(None).status_code == 200
    assert (while_loaded, refused.status_code, as_before, largest()) == (3, 400, 3, before)


def test_an_unloaded_model_is_gone_until_it_is_loaded(quick: Running) -> None:
    repository = f"{quick.url}/v2/repository"
    (process,) = quick.replicas("tts")
    assert httpx.post(f"{repository}/models/tts/unload", timeout=60).status_code == 200
    gone = not process.is_running()
    states = {r["name"]: r["state"] for r in httpx.post(f"{repository}/index").json()}
    ready = httpx.get(f"{quick.url}/v2/health/ready").status_code
    assert httpx.post(f"{repository}/models/tts/load", timeout=60).status_code == 200
    back = httpx.get(f"{quick.url}/v2/models/tts/ready").status_code
    assert (gone, ready, back) == (True, 200, 200)
    assert {states["tts"], states["speech_translation"]} == {"UNAVAILABLE"}
