"""Commands refuse a wrong line and report failures; on a terminal they draw."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest

from dragoman_client import console
from tests.support import commands, fake_api
from tests.support.fake_api import ok, refusal, serving
from tests.unit.client.dragoman import run


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
