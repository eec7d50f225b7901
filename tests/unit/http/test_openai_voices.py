"""OpenAI's own client makes voices of one's own, and deletes them."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import openai
import pytest

from tests.support.voices import ANNA, keeping_app, speech_of


@pytest.fixture
async def sdk(tmp_path: Path) -> AsyncIterator[openai.AsyncOpenAI]:
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(await keeping_app(tmp_path)))
    async with openai.AsyncOpenAI(
        api_key="none", base_url="http://localhost/v1", http_client=http, max_retries=0
    ) as client:
        yield client


def a_file() -> tuple[str, io.BytesIO]:
    return "anna.wav", io.BytesIO(speech_of(ANNA))


async def consent_of(sdk: openai.AsyncOpenAI) -> str:
    made = await sdk.audio.voice_consents.create(language="pt-BR", name="Anna", recording=a_file())
    return made.id


async def test_consents_are_made_changed_and_deleted(sdk: openai.AsyncOpenAI) -> None:
    id = await consent_of(sdk)
    assert [each.id async for each in sdk.audio.voice_consents.list(limit=1)] == [id]
    renamed = await sdk.audio.voice_consents.update(id, name="Bea")
    assert renamed == await sdk.audio.voice_consents.retrieve(id)
    deleted = await sdk.audio.voice_consents.delete(id)
    assert (deleted.deleted, renamed.name) == (True, "Bea")


async def test_a_voice_is_made_speaks_and_is_deleted(sdk: openai.AsyncOpenAI) -> None:
    consent = await consent_of(sdk)
    voice = await sdk.audio.voices.create(audio_sample=a_file(), consent=consent, name="Anna")
    assert (voice.object, voice.type, voice.name) == ("audio.voice", "audio_sample", "Anna")
    spoken = await sdk.audio.speech.create(
        model="tts-1", voice={"id": voice.id}, input="O médico disse que ela precisa descansar."
    )
    assert spoken.content
    assert (await sdk.audio.voices.delete(voice.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await sdk.audio.voices.delete(voice.id)


async def test_every_page_of_the_list_is_read(sdk: openai.AsyncOpenAI) -> None:
    ids = [await consent_of(sdk) for _ in range(3)]
    listed = [each.id async for each in sdk.audio.voice_consents.list(limit=2)]
    assert listed == ids[::-1]
