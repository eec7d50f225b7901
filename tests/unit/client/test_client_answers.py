"""The client returns what each answer says: sync and async alike."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import httpx
import pytest

import dragoman_client
from dragoman_client import Retry, errors
from tests.support import fake_api
from tests.support.fake_api import Ask, ok, serving


async def test_speech_translation_has_all_that_the_answer_has(ask: Ask) -> None:
    body = {**fake_api.SPEECH, "embedding": [0.6, 0.8]}
    result = await ask(serving(ok(body)), "translate_speech", b"sound", "pt")
    assert result == dragoman_client.SpeechTranslation(
        id="tr-1",
        duration_s=2.5,
        transcript=dragoman_client.Transcript("Good day.", "en", 0.981),
        translation=dragoman_client.Translation("Olá, São João.", "pt"),
        segments=(dragoman_client.Segment(0, 0.1, 2.0, "Good day.", "Olá, São João."),),
        voice="pt-kumo",
        audio=dragoman_client.Audio(fake_api.WAV, "wav", 24000, 1.25),
        embedding=(0.6, 0.8),
        timings=dragoman_client.Timings(
            195.5,
            (
                dragoman_client.StageTiming("vad", None, 9.8, 0.0, 0.0, 1, 0.0),
                dragoman_client.StageTiming("asr", "whisper", 182.04, 3.0, 178.5, 1, 4.0),
            ),
        ),
        request_id="from-server",
    )


async def test_silence_has_no_audio_and_no_segments(ask: Ask) -> None:
    result = await ask(serving(ok(fake_api.SILENCE)), "translate_speech", b"sound", "pt")
    assert (result.audio, result.segments, result.translation.text) == (None, (), "")


async def test_audio_comes_with_its_texts(ask: Ask) -> None:
    answer = httpx.Response(200, content=fake_api.WAV, headers=fake_api.SPOKEN_HEADERS)
    result = await ask(serving(answer), "translate_speech_audio", b"sound", "pt")
    assert (result.audio, result.format) == (fake_api.WAV, "wav")
    assert (result.transcript, result.translation) == ("Good day.", "Olá, São João.")
    assert (result.source_language, result.target_language) == ("en", "pt")
    assert result.server_timing_ms == {"asr": 182.04, "tts": 240.0}
    assert not result.texts_truncated


async def test_audio_of_silence_is_empty(ask: Ask) -> None:
    result = await ask(serving(httpx.Response(204)), "translate_speech_audio", b"sound", "pt")
    assert (result.audio, result.translation) == (b"", "")


async def test_transcription_has_segments_and_words(ask: Ask) -> None:
    result = await ask(serving(ok(fake_api.TRANSCRIPTION)), "transcribe", b"sound")
    assert (result.text, result.language, result.duration_s) == ("Good day.", "en", 2.5)
    assert result.segments[0].avg_logprob == -0.2
    assert result.words[1] == dragoman_client.Word(" day.", 0.5, 2.0)


async def test_texts_keep_their_order(ask: Ask) -> None:
    server = serving(ok(fake_api.texts("um", "dois")))
    rows = await ask(server, "translate_text", ("one", "two"), "en", "pt")
    assert [row.text for row in rows] == ["um", "dois"]
    assert server.json()["text"] == ["one", "two"]


async def test_a_beam_is_asked_for(ask: Ask) -> None:
    server = serving(ok(fake_api.texts("um")))
    await ask(server, "translate_text", "one", "en", "pt", beam_size=5)
    assert server.json()["beam_size"] == 5


async def test_the_language_between_is_told(ask: Ask) -> None:
    body = fake_api.texts("un")
    body["translations"][0]["pivot"] = "en"
    (row,) = await ask(serving(ok(body)), "translate_text", "um", "pt", "fr")
    assert row.pivot == "en"


async def test_a_language_that_is_not_named_is_not_sent(ask: Ask) -> None:
    body = fake_api.texts("one")
    body["translations"][0] |= {"source_language": "pt", "source_language_probability": 0.97}
    server = serving(ok(body))
    (row,) = await ask(server, "translate_text", "um", None, "en")
    assert server.json() == {"text": "um", "target_language": "en"}
    assert (row.source_language, row.source_language_probability) == ("pt", 0.97)


async def test_languages_of_texts_are_told(ask: Ask) -> None:
    english = {"language": "en", "probability": 0.9}
    told = {**english, "languages": [english, {"language": "pt", "probability": 0.1}]}
    none: dict[str, Any] = {"language": None, "probability": 0.0, "languages": []}
    server = serving(ok({"detections": [told, none]}))
    first, second = await ask(server, "detect", ("Hello", "12"))
    assert server.json() == {"text": ["Hello", "12"]}
    assert (first.language, first.languages[1].language) == ("en", "pt")
    assert (second.language, second.languages) == (None, ())


async def test_embeddings_are_sorted_by_index_and_compared(ask: Ask) -> None:
    body = fake_api.embeddings([3, 4], [4, 3])
    body["data"].reverse()
    first, second = await ask(serving(ok(body)), "embed", b"a", b"b")
    assert (first.values, first.speech_s) == ((3, 4), 1.5)
    assert first.cosine(second) == pytest.approx(24 / 25)


async def test_the_cosine_of_nothing_is_zero(ask: Ask) -> None:
    first, second = await ask(serving(ok(fake_api.embeddings([0, 0], [1, 0]))), "embed", b"", b"")
    assert first.cosine(second) == 0.0


async def test_a_comparison_says_how_near_two_voices_are(ask: Ask) -> None:
    server = serving(ok(fake_api.comparisons(0.9, threshold=0.75)))
    match = await ask(server, "compare_speakers", b"a", b"b")
    assert (match.cosine, match.same_speaker, match.threshold) == (0.9, True, 0.75)


async def test_a_comparison_says_how_much_speech_there_was(ask: Ask) -> None:
    match = await ask(serving(ok(fake_api.comparisons(0.9))), "compare_speakers", b"a", b"b")
    assert match.speech_s == 1.5


async def test_a_server_of_before_has_one_threshold(ask: Ask) -> None:
    body = fake_api.comparisons(0.9) | {"threshold": 0.75}
    for row in body["comparisons"]:
        del row["threshold"], row["speech_s"]
    match = await ask(serving(ok(body)), "compare_speakers", b"a", b"b")
    assert (match.threshold, match.speech_s) == (0.75, None)


async def test_matches_come_nearest_first(ask: Ask) -> None:
    body = fake_api.comparisons(0.1, 0.9, 0.5)
    body["comparisons"].reverse()
    matches = await ask(serving(ok(body)), "search_speakers", b"q", [b"a", b"b", b"c"])
    assert [(match.index, match.same_speaker) for match in matches] == [
        (1, True),
        (2, False),
        (0, False),
    ]


async def test_without_a_threshold_nothing_is_judged(ask: Ask) -> None:
    server = serving(ok(fake_api.comparisons(0.9, threshold=None)))
    match = await ask(server, "compare_speakers", b"a", b"b")
    assert (match.same_speaker, match.threshold) == (None, None)


async def test_models_say_where_they_run(ask: Ask) -> None:
    (model,) = await ask(serving(ok({"data": [fake_api.MODEL]})), "models")
    assert (model.device.requested, model.device.actual) == ("auto", "cpu")
    assert model.pairs == (("en", "pt"),)
    assert model.statistics.mean_batch_size == 2.5


async def test_voices_are_listed(ask: Ask) -> None:
    (voice,) = await ask(serving(ok({"data": [fake_api.VOICE]})), "voices")
    assert voice == dragoman_client.Voice("pt-kumo", "pt", "kokoro", "tts-pt", 24000)


def with_surprises(value: Any) -> Any:
    """Add a field to every object of an answer, as a newer server may."""
    if isinstance(value, dict):
        return {"surprise": {"new": 1}, **{name: with_surprises(v) for name, v in value.items()}}
    return [with_surprises(each) for each in value] if isinstance(value, list) else value


ANSWERS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "speech": ("translate_speech", (b"sound", "pt"), fake_api.SPEECH),
    "transcription": ("transcribe", (b"sound",), fake_api.TRANSCRIPTION),
    "texts": ("translate_text", ("Hi", "en", "pt"), fake_api.texts("Olá")),
    "embeddings": ("embed", (b"sound",), fake_api.embeddings([0.5, 1.0])),
    "comparison": ("compare_speakers", (b"a", b"b"), fake_api.comparisons(0.5)),
    "models": ("models", (), {"data": [fake_api.MODEL]}),
    "model": ("model", ("asr",), fake_api.MODEL),
    "voices": ("voices", (), {"data": [fake_api.VOICE]}),
    "diagnosis": ("doctor", (), fake_api.DIAGNOSIS),
}


@pytest.mark.parametrize(("method", "args", "body"), ANSWERS.values(), ids=ANSWERS)
async def test_fields_that_a_newer_server_adds_are_ignored(
    ask: Ask, method: str, args: tuple[Any, ...], body: dict[str, Any]
) -> None:
    expected = await ask(serving(ok(body)), method, *args)
    assert await ask(serving(ok(with_surprises(body))), method, *args) == expected


async def test_optional_fields_may_be_missing(ask: Ask) -> None:
    optional = ("voice", "audio")
    body = {name: value for name, value in fake_api.SPEECH.items() if name not in optional}
    result = await ask(serving(ok(body)), "translate_speech", b"sound", "pt")
    assert (result.voice, result.audio, result.embedding, result.warnings) == (None, None, None, ())


MALFORMED = {
    "a missing field": ({**fake_api.SPEECH, "timings": {"stages": []}}, "total_ms"),
    "a wrong type": ({**fake_api.SPEECH, "segments": [{"id": "one"}]}, r"segments\[0\]\.id"),
    "no base64": (
        {**fake_api.SPEECH, "audio": {**fake_api.SPEECH["audio"], "data": "?"}},
        r"audio\.data",
    ),
}


@pytest.mark.parametrize(("body", "named"), MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_answer_names_the_field(
    ask: Ask, body: dict[str, Any], named: str
) -> None:
    with pytest.raises(errors.UnexpectedResponse, match=named) as caught:
        await ask(serving(ok(body)), "translate_speech", b"sound", "pt")
    assert (caught.value.status, caught.value.request_id) == (200, "from-server")


async def test_one_comparison_is_expected_of_one_pair(ask: Ask) -> None:
    with pytest.raises(errors.UnexpectedResponse):
        await ask(serving(ok(fake_api.comparisons(0.5, 0.6))), "compare_speakers", b"a", b"b")


async def test_a_result_is_frozen_and_survives_pickling(ask: Ask) -> None:
    result = await ask(serving(ok(fake_api.SPEECH)), "translate_speech", b"sound", "pt")
    with pytest.raises(AttributeError):
        result.voice = "another"
    assert pickle.loads(pickle.dumps(result)) == result


async def test_the_text_of_a_result_leaves_out_audio_and_vectors(ask: Ask) -> None:
    body = {**fake_api.SPEECH, "embedding": [0.125, 0.25]}
    shown = repr(await ask(serving(ok(body)), "translate_speech", b"sound", "pt"))
    assert "Audio(format='wav', sample_rate_hz=24000, duration_s=1.25)" in shown
    assert ("RIFF" in shown, "0.125" in shown) == (False, False)


async def test_a_segment_begins_with_a_word(ask: Ask) -> None:
    (segment,) = fake_api.TRANSCRIPTION["segments"]
    body = {**fake_api.TRANSCRIPTION, "segments": [{**segment, "text": " Good day."}]}
    result = await ask(serving(ok(body)), "transcribe", b"sound")
    assert result.segments[0].text == "Good day."


def test_audio_is_saved_as_it_came(tmp_path: Path) -> None:
    dragoman_client.Audio(fake_api.WAV, "wav", 24000, 1.25).save(tmp_path / "a.wav")
    assert (tmp_path / "a.wav").read_bytes() == fake_api.WAV


# ---- readiness ------------------------------------------------------------------------


async def test_doctor(ask: Ask) -> None:
    diagnosis = await ask(serving(ok(fake_api.DIAGNOSIS)), "doctor")
    assert diagnosis == dragoman_client.Diagnosis(
        "host",
        "failed",
        "1 failed, the first at driver: none",
        (
            dragoman_client.Finding("driver", "failed", "none", "install it"),
            dragoman_client.Finding("torch", "ok", "2.13.0", None),
        ),
    )


LOADING = httpx.Response(503, json={"ready": False, "models": {"asr": "loading", "nmt": "ready"}})
READY = httpx.Response(200, json={"ready": True, "models": {"asr": "ready", "nmt": "ready"}})


async def test_a_server_that_loads_is_an_answer_asked_once(ask: Ask) -> None:
    server = serving(LOADING)
    readiness = await ask(server, "ready", retry=Retry(attempts=3, backoff_s=0))
    assert not readiness
    assert readiness.models["asr"] == "loading"
    assert len(server.requests) == 1


async def test_a_503_of_a_proxy_is_an_error(ask: Ask) -> None:
    with pytest.raises(errors.Unavailable):
        await ask(serving(httpx.Response(503, html="<h1>no server</h1>")), "ready")


async def test_waiting_outlives_a_closed_port_and_a_missing_route(ask: Ask) -> None:
    server = serving(httpx.ConnectError("refused"), httpx.Response(404), LOADING, READY)
    assert await ask(server, "wait_until_ready", 60, poll_s=0)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(LOADING, "not ready after 0 s: asr loading", id="loading"),
        pytest.param(httpx.ConnectError("refused"), "cannot reach", id="closed port"),
    ],
)
async def test_waiting_ends_with_what_is_missing(
    ask: Ask, answer: httpx.Response | Exception, message: str
) -> None:
    with pytest.raises(errors.TimeoutError, match=message):
        await ask(serving(answer), "wait_until_ready", 0, poll_s=0)
