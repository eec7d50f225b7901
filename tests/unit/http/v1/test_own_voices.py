"""Voices of one's own: made, listed, spoken in, exported, deleted, and refused in words."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import soundfile

from deployments.config.security import Key
from deployments.security.keys import new_key
from tests.support.asgi import translate
from tests.support.bad_input import SPEAK
from tests.support.voices import (
    ANNA,
    BERT,
    CONSENTS,
    PLAIN_TTS,
    VOICES,
    anna_s_voice,
    consent_of,
    keeping,
    keeping_config,
    speech_of,
    voice_of,
)

UNKNOWN = "voice_" + 24 * "0"
PORTUGUESE = "O médico disse que ela precisa descansar por três dias."


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with await keeping(tmp_path) as client:
        yield client


def levels(data: bytes) -> set[int]:
    """The fake speaks at the level of the voice that it is given."""
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    return set(samples.tolist()) - {0}


def found_in(folder: Path, name: str, data: bytes) -> list[Path]:
    """The files that have a name or hold some data."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if name in str(path) or data in path.read_bytes()]


async def spoken(http: httpx.AsyncClient, voice: Any, **fields: str) -> httpx.Response:
    body = {"input": PORTUGUESE, "voice": voice, "response_format": "wav", **fields}
    return await http.post(SPEAK, json=body)


# ---- use ----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", [{"language": "pt"}, {}], ids=["named", "told by the text"])
async def test_a_text_is_spoken_in_it(http: httpx.AsyncClient, language: dict[str, str]) -> None:
    answer = await spoken(http, {"id": await anna_s_voice(http)}, **language)
    assert levels(answer.content) == {ANNA}


async def test_a_translation_is_spoken_in_it(http: httpx.AsyncClient) -> None:
    voice = await anna_s_voice(http)
    answer = (await translate(http, speech_of(BERT), voice=voice)).json()
    assert levels(base64.b64decode(answer["audio"]["data"])) == {ANNA}
    assert answer["voice"] == voice


async def test_another_process_speaks_in_it(http: httpx.AsyncClient, tmp_path: Path) -> None:
    voice = await anna_s_voice(http)
    async with await keeping(tmp_path) as other:
        assert levels((await spoken(other, voice)).content) == {ANNA}


async def test_the_file_says_that_no_human_speaks(http: httpx.AsyncClient) -> None:
    voice = await anna_s_voice(http)
    answer = await spoken(http, voice)
    with av.open(io.BytesIO(answer.content)) as container:
        comment = container.metadata["comment"]
    assert comment == f"Synthetic speech, made by Dragoman; voice: {voice}"
    assert answer.headers["x-synthetic-speech"] == "true"


async def test_a_text_of_no_language_that_it_speaks_needs_one(http: httpx.AsyncClient) -> None:
    answer = await spoken(http, await anna_s_voice(http), input="12345")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "language")


async def test_it_is_listed_with_what_speaks_in_it(http: httpx.AsyncClient) -> None:
    voice = await anna_s_voice(http)
    listed = (await http.get(VOICES)).json()
    (own,) = [row for row in listed["data"] if row.get("kind") == "own"]
    assert (own["id"], own["name"], own["object"]) == (voice, "Anna", "audio.voice")
    assert listed["cloning"] == {"model": "tts", "languages": ["pt"]}
    assert listed["cloning_missing"] is None


async def test_its_sample_comes_back_as_it_was(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{VOICES}/{await anna_s_voice(http)}/sample")
    assert answer.content == speech_of(ANNA)
    assert answer.headers["content-type"] == "audio/wav"


# ---- what goes ----------------------------------------------------------------------------


async def test_a_deleted_voice_is_gone(http: httpx.AsyncClient, tmp_path: Path) -> None:
    voice = await anna_s_voice(http)
    (consent,) = (await http.get(CONSENTS)).json()["data"]
    sound = np.full(1000, ANNA, "<i2").tobytes()
    found_before = found_in(tmp_path, voice, sound)
    deleted = await http.delete(f"{VOICES}/{voice}")
    assert deleted.json() == {"id": voice, "object": "audio.voice.deleted", "deleted": True}
    assert (await http.delete(f"{CONSENTS}/{consent['id']}")).json()["deleted"]
    assert (await spoken(http, voice)).status_code == 404
    assert found_before
    assert not found_in(tmp_path, voice, sound)


async def test_a_consent_that_is_withdrawn_takes_its_voices(http: httpx.AsyncClient) -> None:
    voice = await anna_s_voice(http)
    (consent,) = (await http.get(CONSENTS)).json()["data"]
    await http.delete(f"{CONSENTS}/{consent['id']}")
    assert (await spoken(http, voice)).status_code == 404


async def test_another_key_sees_none_of_it(tmp_path: Path) -> None:
    secrets = {name: new_key() for name in ("anna", "bert")}
    keys = [Key(name=name, hash=digest, scopes=("infer",)) for name, (_, digest) in secrets.items()]
    async with await keeping(tmp_path, keeping_config(keys)) as http:
        http.headers["authorization"] = f"Bearer {secrets['anna'][0]}"
        voice = await anna_s_voice(http)
        consent = (await http.get(CONSENTS)).json()["data"][0]["id"]
        http.headers["authorization"] = f"Bearer {secrets['bert'][0]}"
        answers = [
            await spoken(http, voice),
            await translate(http, voice=voice),
            await http.get(f"{VOICES}/{voice}/sample"),
            await http.delete(f"{VOICES}/{voice}"),
            await http.get(f"{CONSENTS}/{consent}"),
            await http.post(f"{CONSENTS}/{consent}", json={"name": "mine"}),
            await http.delete(f"{CONSENTS}/{consent}"),
            await voice_of(http, speech_of(ANNA), consent),
        ]
        assert [answer.status_code for answer in answers] == [404] * len(answers)
        codes = [answer.json()["error"]["code"] for answer in answers]
        assert codes == ["voice_not_found"] * 4 + ["not_found"] * 4
        assert not [row for row in (await http.get(VOICES)).json()["data"] if "kind" in row]
        assert (await http.get(CONSENTS)).json()["data"] == []


# ---- what is refused ----------------------------------------------------------------------

SAMPLES = {
    "another voice": (speech_of(BERT), 422, "reads the consent, and it is another"),
    "two voices": (speech_of(ANNA, BERT), 422, "of one speaker, and 2 were heard"),
    "too short": (speech_of(ANNA, each_s=2.0), 422, "at least 3 s of speech"),
    "silence": (speech_of(0), 422, "none was heard"),
    "no sound": (b"This is no audio at all. " * 100, 415, ""),
    "nothing": (b"", 400, ""),
}


@pytest.mark.parametrize(("data", "status", "says"), SAMPLES.values(), ids=SAMPLES)
async def test_a_sample_is_refused(
    http: httpx.AsyncClient, data: bytes, status: int, says: str
) -> None:
    consent = (await consent_of(http, speech_of(ANNA))).json()["id"]
    answer = await voice_of(http, data, consent)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, "audio_sample")
    assert says in error["message"]


async def test_an_unknown_consent_is_refused(http: httpx.AsyncClient) -> None:
    answer = await voice_of(http, speech_of(ANNA), "cons_" + 24 * "0")
    assert (answer.status_code, answer.json()["error"]["param"]) == (404, "consent")


async def test_a_description_makes_no_voice(http: httpx.AsyncClient) -> None:
    form = {"type": (None, "prompt"), "name": (None, "me"), "prompt": (None, "calm")}
    error = (await http.post(VOICES, files=form)).json()["error"]
    assert error["param"] == "type"
    assert "from a description" in error["message"]


async def test_without_a_model_that_clones_it_is_said_which_would(tmp_path: Path) -> None:
    async with await keeping(tmp_path, keeping_config(tts=PLAIN_TTS)) as http:
        answers = [
            await consent_of(http, speech_of(ANNA)),
            await voice_of(http, speech_of(ANNA), "cons_" + 24 * "0"),
        ]
        listed = (await http.get(VOICES)).json()
    assert [answer.status_code for answer in answers] == [422, 422]
    assert all("yourtts" in answer.json()["error"]["message"] for answer in answers)
    assert listed["cloning"] is None
    assert "yourtts" in listed["cloning_missing"]


async def test_a_voice_that_nothing_here_clones_is_refused(tmp_path: Path) -> None:
    async with await keeping(tmp_path) as http:
        voice = await anna_s_voice(http)
    async with await keeping(tmp_path, keeping_config(tts=PLAIN_TTS)) as http:
        answer = await spoken(http, voice, language="pt")
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "voice")
    assert "yourtts" in answer.json()["error"]["message"]


async def test_a_server_without_a_folder_keeps_none() -> None:
    async with await keeping(None) as http:
        answers = [
            await consent_of(http, speech_of(ANNA)),
            await http.get(CONSENTS),
            await http.delete(f"{VOICES}/{UNKNOWN}"),
            await spoken(http, UNKNOWN),
        ]
        listed = (await http.get(VOICES)).json()
    assert {answer.json()["error"]["code"] for answer in answers} == {"nothing_kept"}
    assert (listed["cloning"], "library.folder" in listed["cloning_missing"]) == (None, True)
