"""``/v1/models``: the models that can be used, and their aliases."""

from __future__ import annotations

import asyncio

import httpx

from deployments.batching.forming import BATCHES_A_REPLICA
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import (
    connect,
)
from tests.support.bad_input import TEXT, TEXT_OK
from tests.support.fakes import FAKE_TTS, FAKE_VAD
from tests.support.licensed import FREE, UNFREE
from tests.support.local import fake_config, fake_fleet, fake_remotes, until_queued


async def test_models_tell_their_device_and_batches(http: httpx.AsyncClient) -> None:
    await http.post(TEXT, json={**TEXT_OK, "text": ["One.", "Two.", "Three."]})
    rows = {row["id"]: row for row in (await http.get("/v1/models")).json()["data"]}
    assert rows["nmt"]["statistics"]["mean_batch_size"] == 3.0
    assert rows["asr"]["device"]["actual"] == "cpu"


async def test_a_model_tells_how_many_items_wait_for_it() -> None:
    config, answering = fake_config(), asyncio.Event()
    remotes = fake_remotes(config)
    remotes["nmt"].hold_all(answering)
    fleet = await fake_fleet(config, remotes, nmt=BatchPolicy(max_batch_size=1))
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        texts = [http.post(TEXT, json=TEXT_OK) for _ in range(BATCHES_A_REPLICA + 1)]
        asked = [asyncio.create_task(text) for text in texts]
        await until_queued(fleet.pick("nmt").batcher)
        rows = {row["id"]: row for row in (await http.get("/v1/models")).json()["data"]}
        waiting = fleet.pick("nmt").batcher.waiting
        answering.set()
        await asyncio.gather(*asked)
    assert rows["nmt"]["waiting"] == waiting > 0
    assert rows["asr"]["waiting"] == 0


async def test_models_tell_whether_they_may_be_used_in_commerce() -> None:
    engines = {"free": FREE, "unfree": UNFREE, "vad": FAKE_VAD}
    config = AppConfig(
        models={
            name: ModelConfig(engine=engine, accept_license=True)
            for name, engine in engines.items()
        }
    )
    async with connect(asgi_app(await fake_fleet(config), config, Admission(4))) as http:
        listed = (await http.get("/v1/models")).json()["data"]
    assert {row["id"]: (row["licence"], row["commercial_use"]) for row in listed} == {
        "free": ("MIT", True),
        "unfree": ("CC-BY-NC-4.0", False),
        "vad": ("none", None),
    }


async def test_a_model_answers_to_its_alias(http: httpx.AsyncClient) -> None:
    row = (await http.get("/v1/models/whisper-1")).json()
    assert (row["id"], row["alias_of"], row["kind"]) == ("whisper-1", "asr", "asr")


async def test_an_unloaded_model_is_left_out_of_the_list() -> None:
    config = fake_config()
    fleet = await fake_fleet(config)
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        await http.post("/v2/repository/models/tts/unload")
        listed = await http.get("/v1/models")
        alone = await http.get("/v1/models/tts")
    names = [row["id"] for row in listed.json()["data"]]
    assert names == ["vad", "asr", "nmt", "speaker", "whisper-1"]
    assert alone.status_code == 503


async def test_an_alias_of_a_kind_is_a_model() -> None:
    models = {
        "voices-a": ModelConfig(engine=FAKE_TTS),
        "voices-b": ModelConfig(engine=FAKE_TTS),
    }
    config = AppConfig(models=models, aliases={"tts-1": "tts"})
    fleet = await fake_fleet(config)
    async with connect(asgi_app(fleet, config, Admission(4))) as http:
        row = (await http.get("/v1/models/tts-1")).json()
        listed = (await http.get("/v1/models")).json()["data"]
    assert (row["id"], row["alias_of"]) == ("tts-1", "tts")
    assert [(row["id"], row["aliases"]) for row in listed] == [
        ("voices-a", ["tts-1"]),
        ("voices-b", ["tts-1"]),
        ("tts-1", []),
    ]
