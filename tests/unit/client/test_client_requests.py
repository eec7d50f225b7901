"""The client sends what each method is given: sync and async alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from dragoman_client import AsyncClient, Client, Timeout, errors
from tests.support import fake_api
from tests.support.fake_api import ONCE, Ask, FakeServer, ok, refusal, serving

Read: TypeAlias = Callable[[FakeServer], Awaitable[bytes]]


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
    ("options", "sent"),
    [
        pytest.param({}, {"response_format": "srt"}, id="srt"),
        pytest.param({"response_format": "ttml"}, {"response_format": "ttml"}, id="ttml"),
        pytest.param(
            {"bilingual": True}, {"response_format": "srt", "bilingual": "true"}, id="bilingual"
        ),
    ],
)
async def test_subtitles_name_their_format(
    ask: Ask, options: dict[str, Any], sent: dict[str, str]
) -> None:
    server = serving(httpx.Response(200, text="1\n00:00 --> 00:01\nOlá\n"))
    assert await ask(server, "subtitles", b"sound", "pt", **options) == "1\n00:00 --> 00:01\nOlá\n"
    assert server.fields() == {"target_language": "pt", **sent}


async def test_a_dub_asks_for_what_fits(ask: Ask) -> None:
    server = serving(
        httpx.Response(200, content=b"film", headers={"x-warnings": "dub_shifted, unsure_text"})
    )
    made = await ask(
        server, "dub", b"film", "pt", voice="source", background="duck", subtitles=True
    )
    assert (made.audio, made.warning_codes) == (b"film", ("dub_shifted", "unsure_text"))
    assert server.fields() == {
        "target_language": "pt",
        "voice": "source",
        "response_format": "mp4",
        "fit": "duration",
        "background": "duck",
        "subtitles": "true",
    }


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
