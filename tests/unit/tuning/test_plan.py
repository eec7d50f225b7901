"""The tuner's plan: what it tries, starts and sends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments.config.files import ServeFile, load
from load.endpoints import SAMPLE
from tests.support import nvidia_driver
from tests.support.nvidia_driver import gpu
from tuning.options import Options
from tuning.plan import Plan, plan
from tuning.server import server_content

ROOT = Path(__file__).parents[3]
OPTIONS = Options(
    config=ROOT / "serve_config.yaml",
    slo_p99_ms=500.0,
    model="nmt",
    graph=False,
    batch_sizes=None,
    delays_ms=None,
    replicas=None,
    threads=None,
    callers=None,
    rate=None,
    duration=1.0,
    warm_up=0.0,
    turns=1,
    budget_s=60.0,
    audio=None,
    text=None,
    source="en",
    to="pt",
    timeout=None,
    seed=0,
    output=Path("tuned.yaml"),
    json_file=None,
    picture=None,
)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And no GPU."""
    nvidia_driver.remove(monkeypatch, tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3})


def planned(**options: Any) -> Plan:
    return plan(replace(OPTIONS, **options))


def test_the_present_values_are_among_those_that_are_named() -> None:
    values = planned(batch_sizes="1,8", delays_ms="0", replicas="2", threads="2").space["nmt"]
    assert values.batch_sizes == (1, 8, 32)
    assert values.delays_ms == (0.0, 100.0)
    assert values.instances == ((1, 1), (2, 2))


def test_by_default_no_batch_is_larger_than_there_are_callers() -> None:
    assert planned(callers=6).space["nmt"].batch_sizes == (1, 2, 4, 8, 32)  # 32 is the present


def test_an_open_loop_bounds_no_batch() -> None:
    assert planned(rate=10.0).space["nmt"].batch_sizes == (1, 2, 4, 8, 16, 32)


def test_by_default_all_threads_have_a_core() -> None:
    instances = planned().space["nmt"].instances
    assert instances == ((1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (4, 1))


def test_values_that_are_named_are_tried_whatever_the_machine() -> None:
    instances = planned(replicas="1,3", threads="1,8").space["nmt"].instances
    assert instances == ((1, 1), (1, 8), (3, 1), (3, 8))


def test_replicas_that_the_gpus_cannot_hold_are_not_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nvidia_driver.install(monkeypatch, gpus=[gpu(0)])
    replicas = {count for count, _ in planned(model="asr").space["asr"].instances}
    assert replicas == {1, 2}  # 0.3 of a GPU each, 0.4 are the others'


def test_the_graph_tunes_its_models_and_runs_all() -> None:
    made = planned(model=None, graph=True)
    assert [name for name, _ in made.start.models] == ["vad", "asr", "nmt", "tts-en", "tts-pt"]
    assert "speaker" in made.running
    assert made.how.bodies == []


def test_texts_are_sent_to_a_translation_model_in_turn() -> None:
    first, second = planned(text=["Hello.", "Goodbye."], to="fr").how.bodies
    assert [json.loads(body.content)["inputs"][0]["data"] for body in (first, second)] == [
        ["Hello."],
        ["Goodbye."],
    ]
    languages = json.loads(first.content)["inputs"][1:]
    assert [tensor["data"] for tensor in languages] == [["en"], ["fr"]]


def test_clips_are_sent_as_samples() -> None:
    (body,) = planned(model="speaker", audio=SAMPLE).how.bodies
    assert body.audio_s == pytest.approx(2.17, abs=0.01)
    header = json.loads(body.content[: int(body.headers["Inference-Header-Content-Length"])])
    assert header["inputs"][0]["shape"] == [1, pytest.approx(2.17 * 16_000, rel=0.01)]


# ---- the server's configuration ----------------------------------------------------------


def served(*names: str, **policy: Any) -> ServeFile:
    content = load(OPTIONS.config).model_dump(mode="json", exclude_unset=True)
    args = content["applications"][0]["args"]
    args["ingress"] |= {"host": "0.0.0.0", "port": 8000}
    args["security"] = {"keys": [{"name": "ann", "hash": "0" * 64, "scopes": ["infer"]}]}
    args["models"]["nmt"]["idle_unload_s"] = 5.0
    ingress = content["applications"][0]["deployments"][0]
    ingress["user_config"]["batching"]["nmt"].update(policy)
    return ServeFile.model_validate(
        server_content(ServeFile.model_validate(content), names, port=20_123)
    )


def test_the_server_listens_on_loopback_on_a_port_of_its_own() -> None:
    ingress = served("nmt").applications[0].args.ingress
    assert (ingress.host, ingress.port) == ("127.0.0.1", 20_123)


def test_only_the_models_that_are_needed_are_started() -> None:
    assert list(served("nmt").applications[0].args.models) == ["nmt"]


def test_no_model_is_unloaded_as_idle_while_it_is_measured() -> None:
    assert served("nmt").applications[0].args.models["nmt"].idle_unload_s is None


def test_the_server_asks_for_no_key_and_loads_more_replicas() -> None:
    security = served("nmt").applications[0].args.security
    assert (security.keys, security.load_allow.max_replicas) == ((), 256)


def test_no_answer_comes_from_a_cache() -> None:
    (ingress,) = served("nmt", response_cache=True, max_padding=0.1).applications[0].deployments
    policy = ingress.user_config.batching["nmt"]
    assert (policy.response_cache, policy.max_padding) == (False, 0.1)
