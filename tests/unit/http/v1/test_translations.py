"""``POST /v1/speech/translations`` over the whole graph, on fakes."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
import soundfile

from deployments.config.policy import BatchPolicy
from deployments.config.schema import ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.errors import Unavailable
from tests.support.asgi import (
    HEARD,
    SILENCE,
    SPEECH,
    SPOKEN,
    TRANSLATED,
    connect,
    translate,
)
from tests.support.bad_input import TRANSLATE, form, wav
from tests.support.fakes import FAKE_TTS
from tests.support.local import fake_config, fake_fleet, fake_remotes


async def test_speech_becomes_translated_speech(http: httpx.AsyncClient) -> None:
    answer = (await translate(http)).json()
    assert answer["transcript"] == {"text": HEARD, "language": "en", "language_probability": 0.9}
    assert answer["translation"] == {
        "text": TRANSLATED,
        "language": "pt",
        "pivot": None,
    }
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(answer["audio"]["data"])))
    assert (rate_hz, answer["voice"]) == (16_000, "fake-pt")
    # Two sentences at 800 samples a character, and 0.2 s of silence between them.
    assert len(samples) == (len(TRANSLATED) - 1) * 800 + 3200


async def test_sentences_have_the_times_of_the_recording(http: httpx.AsyncClient) -> None:
    first, second = (await translate(http)).json()["segments"]
    assert first["start_s"] == pytest.approx(0.5, abs=0.01)
    assert second["end_s"] == pytest.approx(1.5, abs=0.01)
    assert first["start_s"] < first["end_s"] <= second["start_s"] < second["end_s"]


async def test_stages_are_timed_with_their_batches(http: httpx.AsyncClient) -> None:
    response = await translate(http, SPEECH, **{"include[]": "embedding"})
    stages = {stage["stage"]: stage for stage in response.json()["timings"]["stages"]}
    assert set(stages) == {"decode", "vad", "asr", "nmt", "tts", "speaker", "encode"}
    assert (stages["nmt"]["items"], stages["nmt"]["batch_size"]) == (2, 2.0)
    assert "nmt;dur=" in response.headers["server-timing"]


async def test_the_embedding_comes_on_request(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(SPOKEN), **{"include[]": "embedding"})).json()
    assert np.flatnonzero(answer["embedding"]).tolist() == [700 % 192]
    assert answer["speech_s"] == 1.024


async def test_the_speaker_s_own_voice_speaks_the_translation(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(SPOKEN), voice="source")).json()
    samples, _ = soundfile.read(
        io.BytesIO(base64.b64decode(answer["audio"]["data"])), dtype="int16"
    )
    assert set(samples) == {0, 700}  # the fake speaks at the level of the voice it hears
    assert (answer["voice"], answer["voice_similarity"]) == ("source", 1.0)


async def test_a_voice_of_the_server_has_no_likeness_to_the_speaker_s(
    http: httpx.AsyncClient,
) -> None:
    assert (await translate(http)).json()["voice_similarity"] is None


async def test_the_likeness_of_the_voice_goes_with_the_audio(http: httpx.AsyncClient) -> None:
    response = await translate(http, wav(SPOKEN), voice="source", response_format="wav")
    assert response.headers["x-voice-similarity"] == "1.0000"


async def test_a_likeness_that_cannot_be_had_loses_no_translation() -> None:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["speaker"].infer = refuses  # type: ignore[method-assign]
    fleet = await fake_fleet(config, remotes)
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        answer = (await translate(http, voice="source")).json()
    assert (answer["voice"], answer["voice_similarity"]) == ("source", None)
    assert "one_voice" in [warning["code"] for warning in answer["warnings"]]


async def refuses(items: Sequence[Any]) -> Any:
    raise Unavailable("no replica answers")


async def test_a_pair_that_no_model_has_goes_through_english(http: httpx.AsyncClient) -> None:
    fields = {"source_language": "pt", "target_language": "fr", "audio_format": "none"}
    answer = (await translate(http, **fields)).json()
    assert answer["segments"][0]["translation"] == "fr: en: There are 16000 samples."
    assert answer["translation"]["pivot"] == "en"


async def test_silence_has_no_segments(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, SILENCE)).json()
    assert (answer["segments"], answer["audio"], answer["transcript"]["text"]) == ([], None, "")


async def test_a_noise_in_which_nothing_is_said_has_no_segments(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(np.full(70 * 16_000, 1, np.int16)))).json()
    assert (answer["segments"], answer["transcript"]["language"]) == ([], None)


async def test_silence_as_audio_is_no_content(http: httpx.AsyncClient) -> None:
    assert (await translate(http, SILENCE, response_format="wav")).status_code == 204


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "opus", "flac"])
async def test_audio_carries_its_text_in_headers(
    http: httpx.AsyncClient, audio_format: str
) -> None:
    response = await translate(http, response_format=audio_format)
    charset, _, encoded = response.headers["x-translation"].partition("''")
    assert (charset, unquote(encoded)) == ("UTF-8", TRANSLATED)
    assert response.headers["content-type"].startswith("audio/")
    assert soundfile.info(io.BytesIO(response.content)).duration > 1


@pytest.mark.parametrize(
    ("subtitle_format", "expected"),
    [
        (
            "srt",
            "1\n00:00:00,500 --> 00:00:03,500\n"
            "pt: There are 16000 samples.\npt: The loudest is 700.\n",
        ),
        (
            "vtt",
            "WEBVTT\n\n00:00:00.500 --> 00:00:03.500\n"
            "pt: There are 16000 samples.\npt: The loudest is 700.\n",
        ),
        (
            "bilingual_srt",
            "1\n00:00:00,500 --> 00:00:01,068\n"
            "There are 16000 samples.\npt: There are 16000 samples.\n",
        ),
        (
            "bilingual_vtt",
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.068\n"
            "There are 16000 samples.\npt: There are 16000 samples.\n",
        ),
    ],
    ids=["srt", "vtt", "bilingual srt", "bilingual vtt"],
)
async def test_subtitles(http: httpx.AsyncClient, subtitle_format: str, expected: str) -> None:
    response = await translate(http, response_format=subtitle_format)
    assert response.text.startswith(expected)


async def test_text_alone_is_not_spoken(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, audio_format="none")).json()
    stages = [stage["stage"] for stage in answer["timings"]["stages"]]
    assert (answer["audio"], "tts" in stages) == (None, False)


async def test_a_long_recording_is_heard_in_windows(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(np.full(70 * 16_000, 9, np.int16)))).json()
    (asr,) = [stage for stage in answer["timings"]["stages"] if stage["stage"] == "asr"]
    # Stretches whose language is told; windows; and their halves, as the fake's text is short.
    assert asr["items"] == 10 + 3 + 6
    starts = [segment["start_s"] for segment in answer["segments"]]
    assert starts == sorted(starts)


async def test_a_pair_that_is_heard_to_be_unsupported_is_named(http: httpx.AsyncClient) -> None:
    response = await translate(http, target_language="en")  # the fake hears English
    assert response.status_code == 422
    assert "en to en; the pairs are en-pt, pt-en" in response.json()["error"]["message"]


async def test_a_language_without_a_voice_is_refused_before_it_is_heard(
    http: httpx.AsyncClient,
) -> None:
    response = await translate(http, target_language="fr")
    assert response.json()["error"]["message"] == "no voice speaks fr; there are voices for en, pt"


async def test_what_the_last_model_could_not_do_in_time_does_not_begin() -> None:
    config = fake_config()
    slow = ModelConfig(engine=FAKE_TTS, options={"base_ms": 300.0})
    config = config.model_copy(update={"models": {**config.models, "tts": slow}})
    remotes = fake_remotes(config)
    fleet = await fake_fleet(config, remotes, tts=BatchPolicy(max_batch_size=1))
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        one = {"input": "Good morning.", "voice": "fake-en", "stream_format": "none"}
        others = asyncio.gather(*(http.post("/v1/audio/speech", json=one) for _ in range(30)))
        while len(remotes["tts"].batches) < 3:  # the first tells what each takes
            await asyncio.sleep(0.01)
        refused = await http.post(TRANSLATE, **form(SPEECH), headers={"x-timeout-ms": "3000"})
        patient = asyncio.create_task(translate(http))
        while not remotes["vad"].batches:
            await asyncio.sleep(0.01)
        others.cancel()
        served = await patient
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
    assert (served.status_code, len(remotes["vad"].batches)) == (200, 1)


async def test_a_long_recording_is_heard_in_pieces_that_join(http: httpx.AsyncClient) -> None:
    speech = np.zeros(100 * 16_000, np.int16)
    speech[40 * 16_000 : 42 * 16_000] = 5  # the rest is silence, over six pieces
    answer = (await translate(http, wav(speech), audio_format="none")).json()
    (vad,) = [stage for stage in answer["timings"]["stages"] if stage["stage"] == "vad"]
    first, *_, last = answer["segments"]
    assert vad["items"] == 7
    assert first["start_s"] == pytest.approx(40, abs=0.3)
    assert last["end_s"] == pytest.approx(42, abs=0.3)
