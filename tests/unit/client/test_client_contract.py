"""The client against the server's own application on fakes: both mean the same API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from deployments.doctor import probe as facts
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from dragoman_client import AsyncClient, Retry, errors
from tests.support.bad_input import wav
from tests.support.films import film
from tests.support.local import fake_config, fake_fleet

SPEECH = wav(np.concatenate([np.zeros(8000), np.full(16_000, 700), np.zeros(8000)]).astype("<i2"))
SILENCE = wav(np.zeros(16_000, np.int16))
HEARD = "There are 16000 samples. The loudest is 700."
TRANSLATED = "pt: There are 16000 samples. pt: The loudest is 700."


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    config = fake_config(max_audio_s=120)
    app = asgi_app(await fake_fleet(config), config, Admission(64))
    transport = httpx.ASGITransport(app)
    async with AsyncClient(transport=transport, retry=Retry(attempts=1)) as client:
        yield client


async def test_speech_translation(client: AsyncClient) -> None:
    result = await client.translate_speech(SPEECH, "pt", include_embedding=True, speed=1.0)
    assert (result.transcript.text, result.translation.text) == (HEARD, TRANSLATED)
    assert result.audio is not None
    assert result.audio.data.startswith(b"RIFF")
    assert len(result.embedding or ()) == 192
    assert "asr" in {stage.stage for stage in result.timings.stages}


async def test_silence(client: AsyncClient) -> None:
    result = await client.translate_speech(SILENCE, "pt")
    assert (result.segments, result.audio, result.transcript.language) == ((), None, None)


async def test_translated_audio_with_its_texts(client: AsyncClient) -> None:
    result = await client.translate_speech_audio(SPEECH, "pt", response_format="flac")
    assert result.audio.startswith(b"fLaC")
    assert (result.transcript, result.translation) == (HEARD, TRANSLATED)
    assert (result.source_language, result.target_language) == ("en", "pt")
    assert "nmt" in result.server_timing_ms


async def test_bilingual_subtitles(client: AsyncClient) -> None:
    document = await client.subtitles(SPEECH, "pt", response_format="vtt", bilingual=True)
    assert document.startswith("WEBVTT")
    assert "There are 16000 samples.\npt: There are 16000 samples." in document


async def test_transcription_with_words(client: AsyncClient) -> None:
    result = await client.transcribe(SPEECH, language="en", temperature=0, word_timestamps=True)
    assert (result.text, result.language) == (HEARD, "en")
    assert result.segments


async def test_transcription_as_a_document(client: AsyncClient) -> None:
    assert (await client.transcribe_as(SPEECH, "text")).strip() == HEARD


async def test_texts(client: AsyncClient) -> None:
    rows = await client.translate_text(["One.", "Two."], "en", "pt")
    assert [row.text for row in rows] == ["pt: One.", "pt: Two."]


async def test_languages_of_texts(client: AsyncClient) -> None:
    first, second = await client.detect(["Where is the station?", "Onde fica a estação?"])
    assert (first.language, second.language) == ("en", "pt")
    assert first.probability == first.languages[0].probability


async def test_a_text_of_a_detected_language(client: AsyncClient) -> None:
    (row,) = await client.translate_text("Onde fica a estação?", None, "en")
    assert (row.text, row.source_language) == ("en: Onde fica a estação?", "pt")


async def test_speaking(client: AsyncClient) -> None:
    result = await client.speak("Bom dia.", language="pt")
    assert result.audio.startswith(b"RIFF")


async def test_embeddings(client: AsyncClient) -> None:
    first, second = await client.embed(SPEECH, SPEECH)
    assert first.cosine(second) == pytest.approx(1.0)


async def test_a_speaker_is_verified(client: AsyncClient) -> None:
    match = await client.compare_speakers(SPEECH, SPEECH, threshold=0.9)
    assert (match.cosine, match.same_speaker, match.threshold) == (1.0, True, 0.9)


async def test_a_speaker_is_searched(client: AsyncClient) -> None:
    voices = [wav(np.full(1600, speaker, np.int16)) for speaker in (1, 2, 3)]
    matches = await client.search_speakers(voices[1], voices, top_k=2)
    assert [(match.index, match.cosine) for match in matches] == [(1, 1.0), (0, 0.0)]


async def test_models(client: AsyncClient) -> None:
    models = await client.models()
    assert {model.kind for model in models} == {"vad", "asr", "nmt", "tts", "speaker"}
    assert await client.model(models[0].id)


async def test_voices(client: AsyncClient) -> None:
    assert "fake-pt" in {voice.id for voice in await client.voices()}


@pytest.mark.process
async def test_doctor(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "FACTS_S", 500.0)  # libraries may come from a slow disk
    checks = {finding.check for finding in (await client.doctor()).findings}
    assert {"driver", "settings", "model asr"} <= checks


async def test_readiness(client: AsyncClient) -> None:
    assert await client.wait_until_ready(0)


async def test_the_id_is_the_same_on_both_sides(client: AsyncClient) -> None:
    result = await client.translate_speech(SPEECH, "pt")
    assert result.id == result.request_id


@pytest.mark.parametrize(
    ("data", "language", "error_class", "param"),
    [
        pytest.param(b"text", "pt", errors.NotAudio, "file", id="not audio"),
        pytest.param(SPEECH, "xx", errors.UnknownLanguage, "target_language", id="language"),
        pytest.param(SPEECH, "", errors.InvalidRequest, "target_language", id="empty"),
    ],
)
async def test_refusals(
    client: AsyncClient, data: bytes, language: str, error_class: type[Exception], param: str
) -> None:
    with pytest.raises(errors.StatusError) as caught:
        await client.translate_speech(data, language)
    assert (type(caught.value), caught.value.param) == (error_class, param)
    assert caught.value.request_id


async def test_a_dubbed_film(client: AsyncClient) -> None:
    made = await client.dub(film(seconds=8), "pt", subtitles=True, bilingual=True)
    assert made.audio[4:8] == b"ftyp"
    assert made.source_language == "en"


async def test_sentences_at_their_places(client: AsyncClient) -> None:
    result = await client.translate_speech(SPEECH, "pt", fit="duration", background="duck")
    places = [row.placed for row in result.segments]
    assert places[0] is not None
    assert places[1] is not None
    assert places[0].end_s <= places[1].start_s
