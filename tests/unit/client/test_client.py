"""The client against a fake server behind httpx's transport, both colours alike."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

import dragoman_client
from dragoman_client import AsyncClient, Client, Retry, Timeout, errors
from tests.support import fake_api
from tests.support.fake_api import COLOURS, ONCE, Ask, FakeServer, ok, refusal, serving

Read: TypeAlias = Callable[[FakeServer], Awaitable[bytes]]


@pytest.fixture(params=COLOURS)
def ask(request: pytest.FixtureRequest) -> Ask:
    colour: Ask = request.param
    return colour


# ---- what is sent ---------------------------------------------------------------------


async def test_translate_speech_sends_every_option(ask: Ask) -> None:
    server = serving(ok(fake_api.SPEECH))
    await ask(
        server,
        "translate_speech",
        b"sound",
        "pt",
        source_language="en",
        voice="pt-kumo",
        speed=1.25,
        include_embedding=True,
        audio_format="opus",
    )
    assert server.requests[-1].url.path == "/v1/speech/translations"
    assert server.fields() == {
        "target_language": "pt",
        "source_language": "en",
        "voice": "pt-kumo",
        "speed": "1.25",
        "response_format": "json",
        "audio_format": "opus",
        "include[]": "embedding",
    }


async def test_options_that_are_not_given_are_not_sent(ask: Ask) -> None:
    server = serving(ok(fake_api.SPEECH))
    await ask(server, "translate_speech", b"sound", "pt")
    assert set(server.fields()) == {"target_language", "response_format", "audio_format"}


@pytest.mark.parametrize(
    ("options", "response_format"),
    [
        pytest.param({}, "srt", id="srt"),
        pytest.param({"response_format": "vtt"}, "vtt", id="vtt"),
        pytest.param({"bilingual": True}, "bilingual_srt", id="bilingual"),
    ],
)
async def test_subtitles_name_their_format(
    ask: Ask, options: dict[str, Any], response_format: str
) -> None:
    server = serving(httpx.Response(200, text="1\n00:00 --> 00:01\nOlá\n"))
    assert await ask(server, "subtitles", b"sound", "pt", **options) == "1\n00:00 --> 00:01\nOlá\n"
    assert server.fields()["response_format"] == response_format


async def test_word_timestamps_ask_for_both_granularities(ask: Ask) -> None:
    server = serving(ok(fake_api.TRANSCRIPTION))
    await ask(server, "transcribe", b"sound", word_timestamps=True)
    granularities = [row[2] for row in server.form() if row[0] == "timestamp_granularities[]"]
    assert granularities == [b"segment", b"word"]


async def test_transcribe_as_returns_the_document_untouched(ask: Ask) -> None:
    server = serving(httpx.Response(200, content="WEBVTT\n\nOlá\n".encode()))
    document = await ask(server, "transcribe_as", b"sound", "vtt", language="pt", prompt="São")
    assert document == "WEBVTT\n\nOlá\n"
    assert server.fields() == {"response_format": "vtt", "language": "pt", "prompt": "São"}


@pytest.mark.parametrize(
    ("method", "args", "answer"),
    [
        pytest.param("transcribe", (), ok(fake_api.TRANSCRIPTION), id="transcribe"),
        pytest.param(
            "transcribe_as", ("text",), httpx.Response(200, text="Hi"), id="as a document"
        ),
    ],
)
async def test_a_transcription_may_name_its_model(
    ask: Ask, method: str, args: tuple[str, ...], answer: httpx.Response
) -> None:
    server = serving(answer)
    await ask(server, method, b"sound", *args, model="whisper-1")
    assert server.fields()["model"] == "whisper-1"


async def test_another_name_of_a_model_is_no_model_of_its_own(ask: Ask) -> None:
    named = {**fake_api.MODEL, "aliases": ["whisper-1"]}
    alias = {**fake_api.MODEL, "id": "whisper-1", "alias_of": "asr", "aliases": []}
    (model,) = await ask(serving(ok({"data": [named, alias]})), "models")
    assert (model.id, model.aliases) == ("asr", ("whisper-1",))


async def test_speak_sends_what_was_named_only(ask: Ask) -> None:
    server = serving(httpx.Response(200, content=fake_api.WAV))
    result = await ask(server, "speak", "Bom dia.", language="pt", speed=0.5)
    assert server.json() == {
        "input": "Bom dia.",
        "language": "pt",
        "response_format": "wav",
        "speed": 0.5,
        "stream_format": "none",
    }
    assert result.audio == fake_api.WAV


@pytest.fixture(params=["sync", "async"])
def read(request: pytest.FixtureRequest) -> Read:
    """A streamed text, read to its end by a client of either colour."""
    fields: dict[str, Any] = {"language": "pt", "response_format": "mp3"}

    async def by_sync(server: FakeServer) -> bytes:
        with Client(retry=ONCE, transport=server.transport) as client:
            return b"".join(client.stream_speech("Bom dia.", **fields))

    async def by_async(server: FakeServer) -> bytes:
        async with AsyncClient(retry=ONCE, transport=server.transport) as client:
            return b"".join([piece async for piece in client.stream_speech("Bom dia.", **fields)])

    return by_sync if request.param == "sync" else by_async


async def test_a_stream_is_asked_for_and_read_to_its_end(read: Read) -> None:
    server = serving(httpx.Response(200, content=fake_api.WAV))
    assert await read(server) == fake_api.WAV
    assert server.json() == {"input": "Bom dia.", "language": "pt", "response_format": "mp3"}


async def test_a_refused_stream_is_its_error(read: Read) -> None:
    with pytest.raises(errors.UnknownVoice) as caught:
        await read(serving(refusal(404, "voice_not_found", param="voice")))
    assert caught.value.param == "voice"


async def test_a_stream_that_cannot_begin_is_a_failed_connection(read: Read) -> None:
    with pytest.raises(errors.ConnectionFailed):
        await read(serving(httpx.ConnectError("refused")))


async def test_many_files_go_in_one_request_in_their_order(ask: Ask) -> None:
    server = serving(ok(fake_api.embeddings([1, 0], [0, 1])))
    await ask(server, "embed", b"first", b"second")
    assert [content for name, _, content in server.form() if name == "file"] == [
        b"first",
        b"second",
    ]


async def test_embed_without_files_is_the_callers_mistake(ask: Ask) -> None:
    with pytest.raises(ValueError, match="at least one file"):
        await ask(serving(ok({})), "embed")


async def test_speakers_are_compared_in_one_request(ask: Ask) -> None:
    server = serving(ok(fake_api.comparisons(0.9)))
    await ask(server, "compare_speakers", b"first", b"second", threshold=0.5, model="ge2e")
    assert server.requests[-1].url.path == "/v1/audio/embeddings"
    assert [(name, content) for name, filename, content in server.form() if filename] == [
        ("file", b"first"),
        ("compare", b"second"),
    ]
    assert server.fields() == {
        "threshold": "0.5",
        "model": "ge2e",
        "include_embedding": "false",
    }


async def test_a_search_names_how_many_it_wants(ask: Ask) -> None:
    server = serving(ok(fake_api.comparisons(0.9, 0.8)))
    await ask(server, "search_speakers", b"query", [b"a", b"b", b"c"], top_k=2)
    assert [name for name, filename, _ in server.form() if filename] == ["file"] + ["compare"] * 3
    assert server.fields() == {"top_k": "2", "include_embedding": "false"}


async def test_a_search_of_nothing_is_the_callers_mistake(ask: Ask) -> None:
    with pytest.raises(ValueError, match="at least one clip"):
        await ask(serving(ok({})), "search_speakers", b"query", [])


async def test_a_models_name_is_quoted(ask: Ask) -> None:
    server = serving(ok(fake_api.MODEL))
    await ask(server, "model", "a/b ?")
    assert server.requests[-1].url.raw_path == b"/v1/models/a%2Fb%20%3F"


async def test_a_path_is_uploaded_under_its_name(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "olá.flac"
    path.write_bytes(fake_api.WAV)
    server = serving(ok(fake_api.SPEECH))
    await ask(server, "translate_speech", path, "pt")
    assert ("file", "olá.flac", fake_api.WAV) in server.form()


async def test_an_open_file_is_read_from_where_it_stands(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"skip" + fake_api.WAV)
    server = serving(ok(fake_api.SPEECH))
    with path.open("rb") as file:
        file.seek(4)
        await ask(server, "translate_speech", file, "pt")
    assert ("file", "a.wav", fake_api.WAV) in server.form()


async def test_a_file_in_text_mode_is_refused(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("text")
    with path.open() as file, pytest.raises(TypeError, match="binary mode"):
        await ask(serving(ok(fake_api.SPEECH)), "translate_speech", file, "pt")


async def test_a_base_url_may_have_a_path() -> None:
    server = serving(ok({"object": "list", "data": []}))
    with Client("https://example.org/speech/", transport=server.transport) as client:
        client.models()
    assert str(server.requests[-1].url) == "https://example.org/speech/v1/models"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("127.0.0.1:8000", id="no scheme"),
        pytest.param("ftp://example.org", id="another scheme"),
        pytest.param("http://", id="no host"),
        pytest.param("http://a:b", id="port of letters"),
    ],
)
def test_a_base_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        Client(url)


async def test_every_call_has_an_id_of_its_own(ask: Ask) -> None:
    server = serving(ok({"object": "list", "data": []}))
    await ask(server, "models")
    await ask(server, "models")
    first, second = (sent["x-request-id"] for sent in server.headers)
    assert first != second


async def test_the_deadline_is_told_a_little_short_of_the_timeout(ask: Ask) -> None:
    server = serving(ok({"object": "list", "data": []}))
    await ask(server, "models", within=Timeout(total_s=600, connect_s=2))
    assert 500_000 < int(server.headers[0]["x-timeout-ms"]) <= 599_750


async def test_without_a_timeout_no_deadline_is_told(ask: Ask) -> None:
    server = serving(ok({"object": "list", "data": []}))
    await ask(server, "models", within=None)
    assert "x-timeout-ms" not in server.headers[0]
    assert server.timeouts[0] == {"connect": 5.0, "read": None, "write": None, "pool": None}


# ---- what is returned -----------------------------------------------------------------


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


async def test_what_a_newer_server_adds_is_left_alone(ask: Ask) -> None:
    server = serving(ok({**fake_api.SPEECH, "surprise": {"new": 1}}))
    result = await ask(server, "translate_speech", b"sound", "pt")
    assert result.id == "tr-1"


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


# ---- the package ----------------------------------------------------------------------


def test_both_colours_have_the_same_methods() -> None:
    def methods(colour: type) -> dict[str, list[tuple[str, object]]]:
        return {
            name: [
                (parameter.name, parameter.default)
                for parameter in inspect.signature(method).parameters.values()
            ]
            for name, method in inspect.getmembers(colour, inspect.isfunction)
            if not name.startswith("_") and "close" not in name
        }

    assert methods(AsyncClient) == methods(Client)


def test_importing_the_client_brings_neither_the_server_nor_the_terminal() -> None:
    unwanted = ["models", "deployments", "ray", "torch", "numpy", "typer"]
    code = f"import sys, dragoman_client; print([m for m in {unwanted} if m in sys.modules])"
    folder = Path(dragoman_client.__file__).parents[1]
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "[]"


async def test_one_async_client_serves_many_calls_at_once() -> None:
    server = serving(ok(fake_api.SPEECH))
    async with AsyncClient(transport=server.transport) as client:
        results = await asyncio.gather(*(client.translate_speech(b"x", "pt") for _ in range(8)))
    assert len(results) == len({sent["x-request-id"] for sent in server.headers}) == 8


def test_the_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "call.flac").write_bytes(b"sound")
    readme = (Path(dragoman_client.__file__).parents[1] / "README.md").read_text("utf-8")
    example = readme.split("```python\n")[1].split("```")[0]
    lines = [line.removeprefix(">>> ") for line in example.splitlines() if line.startswith(">>>")]
    transport = serving(ok(fake_api.SPEECH)).transport
    code = "\n".join(lines).replace("timeout=30", "timeout=30, transport=transport")
    exec(code, {"transport": transport})
    assert (tmp_path / "chamada.wav").read_bytes() == fake_api.WAV
