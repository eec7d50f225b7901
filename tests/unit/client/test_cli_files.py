"""The commands on stdin, on many files and on folders."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.support import fake_api
from tests.support.fake_api import ok, refusal, serving
from tests.unit.client.dragoman import run


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
    """Make a folder with three sound files and some others."""
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


@pytest.mark.parametrize(
    ("options", "asked"),
    [pytest.param([], 0, id="as it is"), pytest.param(["--overwrite"], 3, id="--overwrite")],
)
def test_what_an_earlier_run_made_is_not_made_again(
    folder: Path, options: list[str], asked: int
) -> None:
    command: list[str | Path] = ["translate", folder, "--to", "pt"]
    run(serving(ok(fake_api.SPEECH)), *command)
    server = serving(ok(fake_api.SPEECH))
    result = run(server, *command, *options)
    assert (result.exit_code, len(server.requests)) == (0, asked)


def test_a_run_that_was_broken_off_is_gone_on_with(folder: Path) -> None:
    good = httpx.Response(200, text="Good day.")
    (folder / "a.txt").write_text("written before")
    (folder / ".b.txt.part").write_text("half wri")
    server = serving(good)
    result = run(server, "transcribe", folder)
    assert [file for _, file, _ in server.form() if file] == ["c.flac"]
    assert (len(server.requests), (folder / "a.txt").read_text()) == (2, "written before")
    assert (folder / "b.txt").read_text() == "Good day."
    assert not (folder / ".b.txt.part").exists()
    first, second, third = result.stderr.splitlines()
    assert first == "1 of 3 are done already (--overwrite does them again)"
    assert (second[:5], third[:5]) == ("[2/3]", "[3/3]")


def test_many_translations_as_json_are_lines(folder: Path) -> None:
    result = run(serving(ok(fake_api.SPEECH)), "translate", folder, "--to", "pt", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["file"] for row in rows] == [str(folder / n) for n in ("a.wav", "b.MP3", "c.flac")]
    assert rows[0]["translation"]["text"] == "Olá, São João."


def test_many_subtitles(folder: Path) -> None:
    server = serving(httpx.Response(200, text="1\n..."))
    run(server, "translate", folder, "--to", "pt", "--format", "srt", "--bilingual")
    assert made(folder) == {"a.pt.srt", "b.pt.srt", "c.pt.srt", "notes.txt"}
    assert (server.fields()["response_format"], server.fields()["bilingual"]) == ("srt", "true")


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
