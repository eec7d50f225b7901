"""The client and its commands keep voices: against the server's own application, and a fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman_client import AsyncClient, Retry, UnknownVoice, Unprocessable
from tests.support import fake_api
from tests.support.fake_api import ok, refusal, serving
from tests.support.voices import ANNA, BERT, keeping_app, speech_of
from tests.unit.client.dragoman import run

CONSENT = {"id": "cons_1", "name": "Ann", "language": "en", "created_at": 1}
VOICE = {"id": "voice_1", "name": "Ann", "created_at": 1, "kind": "own"}
SERVER_S = {"id": "joe", "name": "joe", "language": "en", "model": "tts"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AsyncClient]:
    transport = httpx.ASGITransport(await keeping_app(tmp_path))
    async with AsyncClient(transport=transport, retry=Retry(attempts=1)) as client:
        yield client


async def test_a_voice_is_kept_and_spoken_in(client: AsyncClient) -> None:
    assert "pt" in await client.consent_texts()
    consent = await client.add_consent(speech_of(ANNA), "pt", "Ann")
    voice = await client.add_voice(speech_of(ANNA), consent.id, "Ann")
    assert await client.own_voices() == [voice]
    assert await client.voice_sample(voice.id) == speech_of(ANNA)
    assert (await client.speak("Bom dia.", voice=voice.id, language="pt")).audio


async def test_a_voice_is_deleted(client: AsyncClient) -> None:
    consent = await client.add_consent(speech_of(ANNA), "pt", "Ann")
    voice = await client.add_voice(speech_of(ANNA), consent.id, "Ann")
    await client.delete_voice(voice.id)
    with pytest.raises(UnknownVoice):
        await client.delete_voice(voice.id)
    await client.delete_consent(consent.id)
    assert await client.consents() == []


async def test_a_refusal_says_why(client: AsyncClient) -> None:
    consent = await client.add_consent(speech_of(ANNA), "pt", "Ann")
    with pytest.raises(Unprocessable, match="another"):
        await client.add_voice(speech_of(BERT), consent.id, "Ann")


async def test_the_speakers_of_a_translation_are_told(client: AsyncClient) -> None:
    result = await client.translate_speech(
        speech_of(ANNA, BERT), "pt", source_language="en", voice="source"
    )
    assert [each.speaker for each in result.speakers] == ["A", "B"]
    assert {segment.speaker for segment in result.segments} <= {"A", "B"}


# ---- commands -----------------------------------------------------------------------------


def test_adding_sends_the_consent_then_the_sample(wav: Path) -> None:
    server = serving(ok(CONSENT), ok(VOICE))
    result = run(server, "voices", "add", "Ann", "--sample", wav, "--consent", wav)
    assert result.stdout == "voice_1\n"
    paths = [request.url.path for request in server.requests]
    assert paths == ["/v1/audio/voice_consents", "/v1/audio/voices"]
    assert server.fields()["consent"] == "cons_1"


def test_a_consent_that_is_kept_is_not_sent_again(wav: Path) -> None:
    server = serving(ok(VOICE))
    run(server, "voices", "add", "Ann", "--sample", wav, "--consent", "cons_7")
    assert server.fields()["consent"] == "cons_7"


def test_own_voices_are_listed_apart_from_the_server_s() -> None:
    result = run(serving(ok({"data": [SERVER_S, VOICE]})), "voices", "list")
    assert result.stdout.splitlines() == ["id\tname", "voice_1\tAnn"]


def test_the_text_to_read_is_printed() -> None:
    rows = [{"language": "en", "text": "I agree."}, {"language": "pt", "text": "Concordo."}]
    assert run(serving(ok({"data": rows})), "voices", "text", "pt").stdout == "Concordo.\n"


def test_a_sample_is_exported(tmp_path: Path) -> None:
    server = serving(httpx.Response(200, content=fake_api.WAV))
    run(server, "voices", "export", "voice_1", "-o", tmp_path / "ann.wav")
    assert (tmp_path / "ann.wav").read_bytes() == fake_api.WAV


@pytest.mark.parametrize(
    ("answer", "exit_code"),
    [
        pytest.param(ok({"id": "voice_1", "deleted": True}), 0, id="kept"),
        pytest.param(refusal(404, "voice_not_found"), 1, id="unknown"),
    ],
)
def test_removing_says_whether_it_could_be(answer: Any, exit_code: int) -> None:
    server = serving(answer)
    assert run(server, "voices", "rm", "voice_1").exit_code == exit_code
    assert server.requests[-1].method == "DELETE"
