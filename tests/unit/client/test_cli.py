"""The command line against a fake server: what it prints, writes, refuses and returns."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
import typer.testing

from dragoman_client import Client, Retry, console
from dragoman_client.cli import app
from tests.support import commands, fake_api
from tests.support.fake_api import FakeServer, ok, refusal, serving

Result: TypeAlias = typer.testing.Result
Run: TypeAlias = Callable[..., Result]

FROM_EN = ["--from", "en", "--to", "pt"]
READY = {"ready": True, "models": {"asr": "ready"}}
LOADING = {"ready": False, "models": {"asr": "loading"}}


def run(
    server: FakeServer,
    *args: str | Path,
    env: dict[str, str] | None = None,
    stdin: str | bytes | None = None,
) -> Result:
    """Runs ``dragoman ARGS``; the commands get their client from the context's object."""
    make_client = partial(Client, transport=server.transport, retry=Retry(attempts=1))
    return commands.run(app, *args, obj=make_client, env=env, stdin=stdin)


@pytest.fixture(autouse=True)
def client_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the commands of an installed server, whose `doctor` replaces the client's."""
    monkeypatch.setattr(app, "registered_groups", [])


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "hello.wav"
    path.write_bytes(fake_api.WAV)
    return path


# ---- translate ------------------------------------------------------------------------


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
    assert server.fields()["response_format"] == "bilingual_vtt"


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


def test_text_prints_one_line_each() -> None:
    server = serving(ok(fake_api.texts("Olá", "Obrigado")))
    result = run(server, "text", "Hello", "Thanks", "--from", "en", "--to", "pt")
    assert result.stdout == "Olá\nObrigado\n"
    assert server.json() == {
        "text": ["Hello", "Thanks"],
        "source_language": "en",
        "target_language": "pt",
    }


# ---- stdin ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stdin", "sent"),
    [
        pytest.param("Hello.\nThanks.\n", ["Hello.", "Thanks."], id="lines"),
        pytest.param("Hello.\r\nThanks.", ["Hello.", "Thanks."], id="lines of Windows"),
        pytest.param("Hello.\n\nThanks.\n", ["Hello.", "", "Thanks."], id="an empty line"),
        pytest.param("\ufeffOlá.\n".encode(), ["Olá."], id="a byte order mark"),
        pytest.param(b"a\xff\n", ["a\ufffd"], id="no UTF-8"),
    ],
)
def test_a_dash_is_the_lines_of_stdin(stdin: str | bytes, sent: list[str]) -> None:
    server = serving(ok(fake_api.texts("Olá")))
    result = run(server, "text", "-", "--from", "en", "--to", "pt", stdin=stdin)
    assert (server.json()["text"], result.stdout) == (sent, "Olá\n")


def test_nothing_on_stdin_asks_for_nothing() -> None:
    server = serving(ok({}))
    result = run(server, "text", "-", "--from", "en", "--to", "pt", stdin="")
    assert (result.exit_code, result.stdout, len(server.requests)) == (0, "", 0)


def test_many_lines_go_in_portions() -> None:
    server = serving(ok(fake_api.texts("Olá")))
    lines = [f"Line {number}." for number in range(150)]
    run(server, "text", "-", "--from", "en", "--to", "pt", stdin="\n".join([*lines, "a" * 9000]))
    sent = [json.loads(request.content)["text"] for request in server.requests]
    assert [text for portion in sent for text in portion] == [*lines, "a" * 9000]
    assert [len(portion) for portion in sent] == [64, 64, 22, 1]


def test_what_is_on_stdin_is_spoken() -> None:
    server = serving(httpx.Response(200, content=fake_api.WAV))
    run(server, "say", "-", "--language", "pt", "-o", "-", stdin="Bom dia.\nTudo bem?\n")
    assert server.json()["input"] == "Bom dia.\nTudo bem?"


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        pytest.param(["translate", "-", "--to", "pt"], ok(fake_api.SPEECH), id="translate"),
        pytest.param(["transcribe", "-"], httpx.Response(200, text="Hi"), id="transcribe"),
        pytest.param(["transcribe", "-", "--words"], ok(fake_api.TRANSCRIPTION), id="words"),
        pytest.param(["embed", "-"], ok(fake_api.embeddings([1])), id="embed"),
    ],
)
def test_sound_comes_from_stdin(args: list[str], answer: httpx.Response) -> None:
    server = serving(answer)
    assert run(server, *args, stdin=fake_api.WAV).exit_code == 0
    assert [content for name, file, content in server.form() if file] == [fake_api.WAV]


# ---- many files -----------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of three sounds, and of what is none."""
    path = tmp_path / "calls"
    path.mkdir()
    for name in ("a.wav", "b.MP3", "c.flac", "notes.txt", ".hidden.wav"):
        (path / name).write_bytes(fake_api.WAV)
    (path / "deeper.wav").mkdir()
    return path


def made(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in (".txt", ".srt", ".json")}


def test_each_file_has_a_transcript_beside_it(folder: Path) -> None:
    server = serving(httpx.Response(200, text="Good day."))
    result = run(server, "transcribe", folder / "a.wav", folder / "b.MP3")
    assert (result.exit_code, result.stdout) == (0, "")
    assert made(folder) == {"a.txt", "b.txt", "notes.txt"}
    assert (folder / "a.txt").read_text() == "Good day."
    assert result.stderr.splitlines() == [
        f"[1/2] wrote {folder / 'a.txt'} (text)",
        f"[2/2] wrote {folder / 'b.txt'} (text)",
    ]


def test_a_folder_stands_for_its_sounds(folder: Path, tmp_path: Path) -> None:
    server = serving(httpx.Response(200, text="1\n..."))
    output = tmp_path / "subtitles"
    result = run(server, "transcribe", folder, "--format", "srt", "-o", output)
    assert (result.exit_code, made(output)) == (0, {"a.srt", "b.srt", "c.srt"})
    assert [file for _, file, _ in server.form() if file] == ["c.flac"]


def test_one_that_fails_stops_no_other(folder: Path) -> None:
    good = httpx.Response(200, text="Good day.")
    server = serving(good, refusal(415, "not_audio", "no audio"), good)
    result = run(server, "transcribe", folder)
    assert (result.exit_code, made(folder)) == (1, {"a.txt", "c.txt", "notes.txt"})
    _, second, _, last = result.stderr.splitlines()
    assert second.startswith(f"[2/3] dragoman: {folder / 'b.MP3'}: no audio (415 not_audio")
    assert last == "dragoman: 1 of 3 files failed"


def test_each_file_has_its_translation_beside_it(folder: Path) -> None:
    server = serving(ok(fake_api.SPEECH))
    result = run(server, "translate", folder, "--to", "pt-BR", "--voice", "v")
    assert (folder / "c.pt-br.wav").read_bytes() == fake_api.WAV
    assert (server.fields()["audio_format"], server.fields()["voice"]) == ("wav", "v")
    assert result.stdout.splitlines()[:3] == [
        str(folder / "a.wav"),
        "transcript (en, 98%): Good day.",
        "translation (pt): Olá, São João.",
    ]


def test_what_an_earlier_run_made_is_not_translated_again(folder: Path) -> None:
    for _ in range(2):
        server = serving(ok(fake_api.SPEECH))
        run(server, "translate", folder, "--to", "pt")
        assert len(server.requests) == 3


def test_many_translations_as_json_are_lines(folder: Path) -> None:
    result = run(serving(ok(fake_api.SPEECH)), "translate", folder, "--to", "pt", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["file"] for row in rows] == [str(folder / n) for n in ("a.wav", "b.MP3", "c.flac")]
    assert rows[0]["translation"]["text"] == "Olá, São João."


def test_many_subtitles(folder: Path) -> None:
    server = serving(httpx.Response(200, text="1\n..."))
    run(server, "translate", folder, "--to", "pt", "--format", "srt", "--bilingual")
    assert made(folder) == {"a.pt.srt", "b.pt.srt", "c.pt.srt", "notes.txt"}
    assert server.fields()["response_format"] == "bilingual_srt"


def test_silence_among_many_is_no_failure(folder: Path) -> None:
    result = run(serving(ok(fake_api.SILENCE)), "translate", folder, "--to", "pt")
    assert (result.exit_code, result.stderr.count("no speech in")) == (0, 3)


def test_a_name_that_two_files_share_keeps_its_ending(folder: Path) -> None:
    (folder / "a.mp3").write_bytes(fake_api.WAV)
    run(serving(httpx.Response(200, text="Hi")), "transcribe", folder)
    assert made(folder) == {"a.wav.txt", "a.mp3.txt", "b.txt", "c.txt", "notes.txt"}


def test_two_files_are_never_written_into_one(folder: Path, tmp_path: Path) -> None:
    other, output = tmp_path / "a.wav", tmp_path / "out"
    other.write_bytes(fake_api.WAV)
    server = serving(httpx.Response(200, text="Hi"))
    result = run(server, "transcribe", other, folder / "a.wav", "-o", output)
    assert (result.exit_code, len(server.requests)) == (2, 0)


def test_one_file_into_a_folder_has_its_own_name(folder: Path, tmp_path: Path) -> None:
    run(serving(httpx.Response(200, text="Hi")), "transcribe", folder / "a.wav", "-o", tmp_path)
    assert (tmp_path / "a.txt").read_text() == "Hi"


# ---- what goes with a request -----------------------------------------------------------


def test_a_transcription_names_model_and_prompt(wav: Path) -> None:
    server = serving(httpx.Response(200, text="Hi"))
    run(server, "transcribe", wav, "--model", "whisper-1", "--prompt", "Ann.", "--language", "pt")
    sent = server.fields()
    assert (sent["model"], sent["prompt"], sent["language"]) == ("whisper-1", "Ann.", "pt")


@pytest.mark.parametrize("command", [["voices"], ["ready"], ["text", "Hi", *FROM_EN]])
def test_headers_go_with_every_command(command: list[str]) -> None:
    server = serving(httpx.Response(500))
    run(server, "--header", "Authorization: Bearer a:b", "--header", "x-priority:1", *command)
    (sent,) = server.headers
    assert (sent["authorization"], sent["x-priority"]) == ("Bearer a:b", "1")


def test_subtitles_without_a_file_are_printed(wav: Path) -> None:
    server = serving(httpx.Response(200, text="1\n..."))
    result = run(server, "translate", wav, "--to", "pt", "--format", "srt")
    assert result.stdout == "1\n...\n"


# ---- the server -----------------------------------------------------------------------


def test_models_say_what_was_asked_what_was_got_and_why() -> None:
    result = run(serving(ok({"data": [fake_api.MODEL]})), "models")
    assert result.stdout.splitlines() == [
        "id\tkind\tengine\tasked\truns on\twhy\treplicas\tbatches\tmean batch",
        "asr\tasr\tfaster_whisper\tauto\tcpu\tno driver was found\t2\t4\t2.5",
    ]


def test_models_as_json() -> None:
    result = run(serving(ok({"data": [fake_api.MODEL]})), "models", "--json")
    assert json.loads(result.stdout)[0]["device"]["requested"] == "auto"


def test_voices() -> None:
    result = run(serving(ok({"data": [fake_api.VOICE]})), "voices")
    assert result.stdout.splitlines()[1] == "pt-kumo\tpt\tkokoro\ttts-pt\t24000"


@pytest.mark.parametrize(
    ("status", "body", "exit_code"),
    [pytest.param(200, READY, 0, id="ready"), pytest.param(503, LOADING, 1, id="loading")],
)
def test_ready_says_it_by_its_exit_code(status: int, body: dict[str, Any], exit_code: int) -> None:
    result = run(serving(httpx.Response(status, json=body)), "ready")
    assert result.exit_code == exit_code
    assert result.stdout.splitlines() == ["model\tstate", f"asr\t{body['models']['asr']}"]


def test_ready_waits_if_told_to() -> None:
    assert run(serving(httpx.Response(200, json=READY)), "ready", "--wait", "60").exit_code == 0


@pytest.mark.parametrize(
    ("args", "env"),
    [
        pytest.param(["--url", "http://gpu:9/x"], {}, id="option"),
        pytest.param([], {"DRAGOMAN_URL": "http://gpu:9/x"}, id="environment"),
        pytest.param(
            ["--url", "http://gpu:9/x"], {"DRAGOMAN_URL": "http://no"}, id="option outweighs"
        ),
    ],
)
def test_the_server_is_named(args: list[str], env: dict[str, str]) -> None:
    server = serving(httpx.Response(200, json=READY))
    run(server, *args, "ready", env=env)
    assert str(server.requests[0].url) == "http://gpu:9/x/health/ready"


def test_the_timeout_is_told_to_the_server() -> None:
    server = serving(ok({"data": []}))
    run(server, "--timeout", "600", "voices")
    assert 500_000 < int(server.headers[0]["x-timeout-ms"]) <= 599_750


# ---- what goes wrong ------------------------------------------------------------------


def test_a_refusal_is_one_line_with_the_field_and_the_id(wav: Path) -> None:
    message, headers = "no pair\nen-xx", {"x-request-id": "r"}
    answer = refusal(422, "unprocessable", message, param="target_language", headers=headers)
    result = run(serving(answer), "translate", wav, "--to", "xx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "dragoman: no pair en-xx (422 unprocessable, param target_language, request r)\n"
    )


def test_a_server_out_of_reach_says_how_to_start_one() -> None:
    result = run(serving(httpx.ConnectError("refused")), "voices")
    assert result.exit_code == 1
    assert result.stderr == (
        "dragoman: cannot reach http://127.0.0.1:8000: refused; start a server with `make run`, "
        "or name another with --url or DRAGOMAN_URL\n"
    )


def test_another_server_is_recognised() -> None:
    result = run(serving(httpx.Response(200, text="It works!")), "voices")
    assert (result.exit_code, "is it a Dragoman server" in result.stderr) == (1, True)


def test_a_file_that_cannot_be_written_is_named(wav: Path) -> None:
    output = wav.with_name("folder.wav")
    output.mkdir()
    server = serving(httpx.Response(200, content=fake_api.WAV))
    result = run(server, "say", "Hi", "--voice", "v", "-o", output)
    assert (result.exit_code, result.stderr) == (1, f"dragoman: {output}: Is a directory\n")


TO_PT = ["translate", "WAV", "--to", "pt"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["translate", "WAV"], "--to", id="no target"),
        pytest.param(["transcribe", "none.wav"], "none.wav", id="no such file"),
        pytest.param([*TO_PT, "-o", "a.doc"], "a.doc must end in", id="unknown extension"),
        pytest.param([*TO_PT, "-o", "no/a.wav"], "there is no folder no", id="no such folder"),
        pytest.param([*TO_PT, "--voice", "v"], "need an audio file", id="voice without file"),
        pytest.param([*TO_PT, "--bilingual"], "is for subtitles", id="bilingual text"),
        pytest.param([*TO_PT, "--speed", "9"], "--speed", id="speed"),
        pytest.param(
            [*TO_PT, "-o", "a.srt", "--json"], "subtitles take no", id="subtitles as json"
        ),
        pytest.param(["transcribe", "WAV", "--format", "doc"], "doc", id="unknown format"),
        pytest.param(
            ["transcribe", "WAV", "--words", "--format", "srt"], "--words", id="words in srt"
        ),
        pytest.param(["say", "Hi", "-o", "a.wav"], "name either", id="neither voice nor language"),
        pytest.param(
            ["say", "Hi", "-o", "a.wav", "--voice", "v", "--language", "en"],
            "name either",
            id="both voice and language",
        ),
        pytest.param(["embed"], "FILE", id="no files"),
        pytest.param([*TO_PT, "-"], "- stands alone", id="stdin among files"),
        pytest.param([*TO_PT, "--format", "wav"], "needs a file to write", id="audio for nobody"),
        pytest.param(
            [*TO_PT, "WAV2", "-o", "WAV"], "is no folder that many files", id="many files into one"
        ),
        pytest.param(["transcribe", "EMPTY"], "there is no sound file in", id="an empty folder"),
        pytest.param(["--header", "no colon", "voices"], "--header", id="a header without a value"),
        pytest.param(["--header", "a b: c", "voices"], "--header", id="a header of two words"),
        pytest.param(["--header", "a: b\r\nc: d", "voices"], "--header", id="two lines"),
        pytest.param(["--header", "a: é", "voices"], "--header", id="a header beyond ASCII"),
        pytest.param(["--url", "gpu:8000", "voices"], "--url", id="address"),
    ],
)
def test_a_wrong_command_line_asks_nothing_of_the_server(
    wav: Path, args: list[str], said: str
) -> None:
    server = serving(ok({}))
    places = {"WAV": wav, "WAV2": wav.with_name("other.wav"), "EMPTY": wav.with_name("empty")}
    places["WAV2"].write_bytes(b"")
    places["EMPTY"].mkdir()
    result = run(server, *(places.get(arg, arg) for arg in args))
    assert (result.exit_code, result.stdout, len(server.requests)) == (2, "", 0)
    assert said in commands.said(result)


def test_the_version_needs_no_command() -> None:
    assert run(serving(ok({})), "--version").stdout == "dragoman-client 0.1.0\n"


# ---- on a terminal --------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_an_aligned_table(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    console.show_table(("stage", "ms"), [("asr", 1.0), ("[tts]", 182.04)])
    lines = [line.rstrip() for line in terminal.getvalue().splitlines()]
    assert lines == ["stage     ms", "asr      1.0", "[tts]  182.0"]


def test_waiting_is_seen_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with console.waiting("translating [a].wav"):
        pass
    assert "translating [a].wav" in terminal.getvalue()


# ---- doctor ---------------------------------------------------------------------------


def test_doctor_prints_the_findings_with_their_fixes() -> None:
    result = run(serving(ok(fake_api.DIAGNOSIS)), "doctor")
    assert result.stdout.splitlines() == [
        "status\tcheck\tfound\tfix",
        "failed\tdriver\tnone\tinstall it",
        "ok\ttorch\t2.13.0\t",
        "",
        "host: 1 failed, the first at driver: none",
    ]


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        pytest.param("ok", 0, id="ok"),
        pytest.param("warning", 0, id="warning"),
        pytest.param("failed", 1, id="failed"),
    ],
)
def test_doctor_fails_if_something_failed(status: str, exit_code: int) -> None:
    result = run(serving(ok({**fake_api.DIAGNOSIS, "status": status})), "doctor")
    assert result.exit_code == exit_code


def test_doctor_as_json() -> None:
    result = run(serving(ok(fake_api.DIAGNOSIS)), "doctor", "--json")
    assert json.loads(result.stdout) == fake_api.DIAGNOSIS


@pytest.mark.parametrize(
    ("command", "offers"), [("say", False), ("translate", True)], ids=["say", "translate"]
)
def test_the_speakers_own_voice_is_offered_where_there_is_a_speaker(
    command: str, offers: bool
) -> None:
    commands = typer.main.get_group(app).commands
    (voice,) = (param for param in commands[command].params if param.name == "voice")
    assert ("source" in str(getattr(voice, "help", ""))) is offers
