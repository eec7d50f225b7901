"""The commands translate, transcribe, say, embed, compare and text."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.support import fake_api
from tests.support.fake_api import ok, refusal, serving
from tests.unit.client.dragoman import run


def test_translate_prints_texts_and_timings(wav: Path) -> None:
    result = run(serving(ok(fake_api.SPEECH)), "translate", wav, "--to", "pt")
    assert result.stdout.splitlines() == [
        "transcript (en, 98%): Good day.",
        "translation (pt): Olá, São João.",
        "",
        "stage\tms\tqueue ms\tbatch\tmodel",
        "vad\t9.8\t\t\t",
        "asr\t182.0\t3.0\t4.0\twhisper",
        "total\t195.5\t\t\t",
    ]
    assert result.stderr == ""


def test_translate_without_a_file_to_write_asks_for_no_audio(wav: Path) -> None:
    server = serving(ok(fake_api.SPEECH))
    run(server, "translate", wav, "--to", "pt", "--from", "en")
    assert server.fields() == {
        "target_language": "pt",
        "source_language": "en",
        "response_format": "json",
        "audio_format": "none",
    }


@pytest.mark.parametrize(
    ("extension", "audio_format"),
    [
        pytest.param("wav", "wav", id="wav"),
        pytest.param("mp3", "mp3", id="mp3"),
        pytest.param("opus", "opus", id="opus"),
        pytest.param("ogg", "opus", id="ogg"),
        pytest.param("FLAC", "flac", id="capitals"),
    ],
)
def test_the_extension_says_the_audio_format(wav: Path, extension: str, audio_format: str) -> None:
    server = serving(ok(fake_api.SPEECH))
    output = wav.with_name(f"out.{extension}")
    run(server, "translate", wav, "--to", "pt", "--voice", "v", "--speed", "1.5", "-o", output)
    sent = server.fields()
    assert (sent["audio_format"], sent["voice"], sent["speed"]) == (audio_format, "v", "1.5")


def test_translate_writes_the_audio_and_says_so(wav: Path) -> None:
    output = wav.with_name("out.wav")
    result = run(serving(ok(fake_api.SPEECH)), "translate", wav, "--to", "pt", "-o", output)
    assert output.read_bytes() == fake_api.WAV
    assert result.stderr == f"wrote {output} (wav, 1.25 s, 24000 Hz)\n"


def test_silence_writes_nothing_and_is_no_error(wav: Path) -> None:
    output = wav.with_name("out.wav")
    result = run(serving(ok(fake_api.SILENCE)), "translate", wav, "--to", "pt", "-o", output)
    assert not output.exists()
    assert (result.exit_code, "no speech" in result.stderr) == (0, True)


def test_silence_has_no_language_to_print(wav: Path) -> None:
    result = run(serving(ok(fake_api.SILENCE)), "translate", wav, "--to", "pt")
    assert result.stdout.splitlines()[0] == "no speech"


def test_translate_to_subtitles_writes_the_servers_document(wav: Path) -> None:
    server = serving(httpx.Response(200, content="WEBVTT\n\nOlá\n".encode()))
    output = wav.with_name("out.vtt")
    run(server, "translate", wav, "--to", "pt", "-o", output, "--bilingual")
    assert output.read_text(encoding="utf-8") == "WEBVTT\n\nOlá\n"
    assert (server.fields()["response_format"], server.fields()["bilingual"]) == ("vtt", "true")


def test_translate_as_json_leaves_the_audio_to_its_file(wav: Path) -> None:
    result = run(serving(ok(fake_api.SPEECH)), "translate", wav, "--to", "pt", "--json")
    printed = json.loads(result.stdout)
    assert printed["translation"] == {"text": "Olá, São João.", "language": "pt", "pivot": None}
    assert printed["audio"] == {"format": "wav", "sample_rate_hz": 24000, "duration_s": 1.25}
    assert "São" in result.stdout


def test_translate_prints_the_embedding_if_asked(wav: Path) -> None:
    server = serving(ok({**fake_api.SPEECH, "embedding": [0.5, 0.25]}))
    result = run(server, "translate", wav, "--to", "pt", "--embedding")
    assert server.fields()["include[]"] == "embedding"
    assert "embedding: 2 values (--json prints them)\n" in result.stdout


# ---- transcribe -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "response_format"),
    [
        pytest.param([], "text", id="text"),
        pytest.param(["--format", "srt"], "srt", id="named"),
        pytest.param(["-o", "a.vtt"], "vtt", id="by extension"),
        pytest.param(["-o", "a.json"], "verbose_json", id="json by extension"),
        pytest.param(["-o", "a.xyz", "--format", "json"], "json", id="named outweighs extension"),
    ],
)
def test_transcribe_asks_for_the_format(
    wav: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], response_format: str
) -> None:
    monkeypatch.chdir(wav.parent)
    server = serving(httpx.Response(200, text="Good day."))
    assert run(server, "transcribe", wav, *options).exit_code == 0
    assert server.fields()["response_format"] == response_format


def test_translate_says_how_near_the_voice_is(wav: Path) -> None:
    answer = {**fake_api.SPEECH, "voice": "source", "voice_similarity": 0.8345}
    result = run(serving(ok(answer)), "translate", wav, "--to", "pt")
    assert "voice: the speaker's own, cosine 0.83\n" in result.stdout


@pytest.mark.parametrize("document", ["Good day.", "Good day.\n"], ids=["bare", "with line end"])
def test_transcribe_prints_one_line_end(wav: Path, document: str) -> None:
    server = serving(httpx.Response(200, text=document))
    assert run(server, "transcribe", wav, "--language", "en").stdout == "Good day.\n"


def test_transcribe_with_words_prints_their_times(wav: Path) -> None:
    result = run(serving(ok(fake_api.TRANSCRIPTION)), "transcribe", wav, "--words")
    assert result.stdout.splitlines() == [
        "start s\tend s\tword",
        "0.10\t0.50\tGood",
        "0.50\t2.00\tday.",
    ]


# ---- say, embed, text -----------------------------------------------------------------


def test_say_writes_the_speech(tmp_path: Path) -> None:
    server = serving(httpx.Response(200, content=fake_api.WAV))
    output = tmp_path / "out.ogg"
    result = run(server, "say", "Bom dia.", "--language", "pt", "-o", output)
    asked = {"input": "Bom dia.", "language": "pt", "response_format": "opus"}
    assert server.json() == {**asked, "stream_format": "none"}
    assert output.read_bytes() == fake_api.WAV
    assert result.stderr == f"wrote {output} (opus)\n"


def test_say_to_stdout_is_a_stream(tmp_path: Path) -> None:
    server = serving(httpx.Response(200, content=fake_api.WAV))
    result = run(server, "say", "Bom dia.", "--language", "pt", "-o", "-", "--format", "mp3")
    assert server.json() == {"input": "Bom dia.", "language": "pt", "response_format": "mp3"}
    assert (result.stdout_bytes, result.stderr) == (fake_api.WAV, "")


def test_a_format_goes_before_the_extension(tmp_path: Path) -> None:
    server = serving(httpx.Response(200, content=fake_api.WAV))
    run(server, "say", "Hi", "--language", "en", "-o", tmp_path / "a.sound", "--format", "flac")
    assert server.json()["response_format"] == "flac"


def test_what_cannot_be_said_to_stdout_is_one_line(tmp_path: Path) -> None:
    result = run(serving(refusal(404, "voice_not_found")), "say", "Hi", "--voice", "x", "-o", "-")
    assert (result.exit_code, result.stdout_bytes) == (1, b"")
    assert result.stderr.startswith("dragoman: no (404 voice_not_found")


def test_embed_of_one_file_prints_the_vector(wav: Path) -> None:
    result = run(serving(ok(fake_api.embeddings([0.5, -1]))), "embed", wav)
    assert json.loads(result.stdout) == [0.5, -1]


def test_embed_of_two_files_prints_the_cosine(wav: Path) -> None:
    server = serving(ok(fake_api.embeddings([3, 4], [4, 3])))
    assert run(server, "embed", wav, wav).stdout == "0.9600\n"


def test_embed_of_three_files_prints_a_matrix(wav: Path) -> None:
    server = serving(ok(fake_api.embeddings([1, 0], [0, 1], [1, 0])))
    assert run(server, "embed", wav, wav, wav).stdout.splitlines() == [
        "file\thello.wav\thello.wav\thello.wav",
        "hello.wav\t1.0000\t0.0000\t1.0000",
        "hello.wav\t0.0000\t1.0000\t0.0000",
        "hello.wav\t1.0000\t0.0000\t1.0000",
    ]


def test_compare_prints_the_nearest_first(wav: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(fake_api.WAV)
    server = serving(ok(fake_api.comparisons(0.25, 0.9)))
    assert run(server, "compare", wav, other, wav).stdout.splitlines() == [
        "rank\tfile\tcosine\tsame speaker\tthreshold\tspeech s",
        "1\thello.wav\t0.9000\tyes\t0.75\t1.5",
        "2\tother.wav\t0.2500\tno\t0.75\t1.5",
    ]


def test_compare_passes_its_options_on(wav: Path) -> None:
    server = serving(ok(fake_api.comparisons(0.25)))
    result = run(server, "compare", wav, wav, "--threshold", "-0.5", "--top", "1", "--json")
    assert server.fields() == {"threshold": "-0.5", "top_k": "1", "include_embedding": "false"}
    assert json.loads(result.stdout)[0]["cosine"] == 0.25


def test_compare_needs_something_to_compare_with(wav: Path) -> None:
    assert run(serving(), "compare", wav).exit_code == 2


def test_text_of_no_named_language_has_its_doubts_on_stderr() -> None:
    body = fake_api.texts("Olá")
    body["translations"][0]["warnings"] = [{"code": "unsure_language", "message": "or Galician"}]
    server = serving(ok(body))
    result = run(server, "text", "Hello", "--to", "pt")
    assert (result.stdout, "or Galician" in result.stderr) == ("Olá\n", True)
    assert server.json() == {"text": ["Hello"], "target_language": "pt"}


def test_text_prints_one_line_each() -> None:
    server = serving(ok(fake_api.texts("Olá", "Obrigado")))
    result = run(server, "text", "Hello", "Thanks", "--from", "en", "--to", "pt")
    assert result.stdout == "Olá\nObrigado\n"
    assert server.json() == {
        "text": ["Hello", "Thanks"],
        "source_language": "en",
        "target_language": "pt",
    }
