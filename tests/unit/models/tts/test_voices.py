"""Other names of voices and models: what they stand for, and where they are listed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from deployments.config.schema import AppConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import SPEECH, connect
from tests.support.bad_input import SPEAK, TRANSLATE, form
from tests.support.fakes import FAKE_ASR, FAKE_TTS
from tests.support.local import fake_config, fake_fleet

BOTH = {"en": "fake-en", "pt": "fake-pt"}
NAMES: dict[str, str | Mapping[str, str]] = {"alloy": BOTH, "echo": "fake-pt"}


@asynccontextmanager
async def serving(aliases: Mapping[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    config = AppConfig.model_validate({**fake_config().model_dump(), "voice_aliases": aliases})
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        yield http


@pytest.mark.parametrize(
    ("alias", "language", "voice"),
    [
        pytest.param("alloy", "en", "fake-en", id="one of each language, English"),
        pytest.param("alloy", "pt", "fake-pt", id="one of each language, Portuguese"),
        pytest.param("echo", "pt", "fake-pt", id="one voice"),
    ],
)
async def test_an_alias_obeys_the_language(alias: str, language: str, voice: str) -> None:
    source = {"en": "pt", "pt": "en"}[language]
    fields = {"source_language": source, "target_language": language, "voice": alias}
    async with serving(NAMES) as http:
        answer = await http.post(TRANSLATE, **form(SPEECH, **fields))
    assert answer.json()["voice"] == voice


async def test_without_a_language_the_first_voice_speaks() -> None:
    async with serving({"alloy": dict(reversed(BOTH.items()))}) as http:
        named, first = [
            await http.post(SPEAK, json={"input": "Hello.", "voice": voice})
            for voice in ("fake-pt", "alloy")
        ]
    assert named.content == first.content


@pytest.mark.parametrize(
    ("alias", "spoken"),
    [pytest.param("alloy", "en, pt", id="some"), pytest.param("echo", "pt", id="one")],
)
async def test_an_alias_that_does_not_speak_the_language_is_refused(
    alias: str, spoken: str
) -> None:
    body = {"input": "Bonjour.", "voice": alias, "language": "fr"}
    async with serving(NAMES | {"fr-knower": "fake-pt"}) as http:
        known = await http.post(SPEAK, json={**body, "language": "fr"})
    error = known.json()["error"]
    assert (known.status_code, error["param"]) == (422, "voice")
    assert f"speaks {spoken}, not fr" in error["message"]


async def test_a_voice_s_own_name_goes_first() -> None:
    async with serving({"fake-en": "fake-pt"}) as http:
        body = {"input": "Hello.", "voice": "fake-en", "language": "en"}
        assert (await http.post(SPEAK, json=body)).status_code == 200


async def test_an_alias_speaks_with_the_model_that_is_named() -> None:
    models = {name: ModelConfig(engine=FAKE_TTS) for name in ("voices-a", "voices-b")}
    config = AppConfig(models=models, voice_aliases={"alloy": BOTH})
    async with connect(asgi_app(await fake_fleet(config), config, Admission(4))) as http:
        body = {"input": "Hello.", "voice": "alloy", "model": "voices-b"}
        await http.post(SPEAK, json=body)
        rows = (await http.get("/v1/models")).json()["data"]
    assert {row["id"]: row["statistics"]["items"] for row in rows} == {"voices-a": 0, "voices-b": 1}


@pytest.mark.parametrize("language", [None, "en"])
async def test_no_other_language_s_voice_stands_in_for_one_that_is_unloaded(
    language: str | None,
) -> None:
    models = {name: ModelConfig(engine=FAKE_TTS) for name in ("voices-a", "voices-b")}
    aliases: dict[str, Any] = {"alloy": {"en": "only-of-b", "pt": "fake-pt"}}
    config = AppConfig(models=models, voice_aliases=aliases)
    async with connect(asgi_app(await fake_fleet(config), config, Admission(4))) as http:
        await http.post("/v2/repository/models/voices-b/unload")
        body = {"input": "Hello.", "voice": "alloy", "language": language}
        assert (await http.post(SPEAK, json=body)).status_code == 503


async def test_web_clients_find_voices_and_models() -> None:
    async with serving(NAMES) as http:
        voices = (await http.get("/v1/audio/voices")).json()
        models = (await http.get("/v1/audio/models")).json()
    assert voices["voices"] == voices["data"]
    assert [(row["id"], row["name"]) for row in voices["voices"]] == [
        ("fake-pt", "fake-pt"),
        ("fake-en", "fake-en"),
        ("alloy", "alloy (fake-en, fake-pt)"),
        ("echo", "echo (fake-pt)"),
    ]
    assert [row["id"] for row in models["models"]] == ["tts", "tts-1"]


async def test_a_server_without_voices_lists_none() -> None:
    models = {"asr": ModelConfig(engine=FAKE_ASR)}
    config = AppConfig(models=models, voice_aliases={"alloy": BOTH})
    async with connect(asgi_app(await fake_fleet(config), config, Admission(4))) as http:
        assert (await http.get("/v1/audio/voices")).json()["voices"] == []
        assert (await http.get("/health/ready")).status_code == 200


# ---- what the configuration says ----------------------------------------------------------


@pytest.mark.parametrize(
    ("aliases", "says"),
    [
        pytest.param({"alloy": "fake-de"}, "there is no voice 'fake-de'", id="no such voice"),
        pytest.param({"alloy": {"en": "fake-pt"}}, "speaks pt, not en", id="another language"),
    ],
)
async def test_an_alias_of_a_voice_that_is_not_there_stops_the_start(
    aliases: Mapping[str, Any], says: str
) -> None:
    async with serving(aliases) as http:
        ready = await http.get("/health/ready")
    assert (ready.status_code, ready.json()["ready"]) == (503, False)
    assert ready.json()["models"]["voice_aliases.alloy"].startswith("failed")
    assert says in ready.json()["models"]["voice_aliases.alloy"]


async def test_an_alias_of_a_model_that_was_unloaded_is_not_wrong() -> None:
    async with serving({"alloy": "fake-de"}) as http:
        await http.post("/v2/repository/models/tts/unload")
        assert (await http.get("/health/ready")).status_code == 200


@pytest.mark.parametrize(
    ("aliases", "says"),
    [
        pytest.param({"source": "fake-en"}, "the speaker's own", id="the speaker's own voice"),
        pytest.param({"alloy": {}}, "at least 1 item", id="no voice"),
        pytest.param({"alloy": {"English": "fake-en"}}, "ISO 639-1", id="no code"),
        pytest.param({"": "fake-en"}, "pattern", id="no name"),
        pytest.param({"a\nb": "fake-en"}, "pattern", id="two lines"),
        pytest.param({"alloy": 7}, "voice_aliases", id="no text"),
    ],
)
def test_a_wrong_alias_is_named(aliases: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        AppConfig.model_validate({**fake_config().model_dump(), "voice_aliases": aliases})
