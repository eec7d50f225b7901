"""The options of whisper's own command, as ``transcribe`` understands them."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.support import fake_api
from tests.support.fake_api import ok, serving
from tests.unit.client.dragoman import run

TEXT = httpx.Response(200, text="Good day.")


def test_a_command_of_whisper_s_is_understood(wav: Path, tmp_path: Path) -> None:
    server = serving(TEXT)
    output = tmp_path / "made" / "here"
    args = ["--model", "whisper-1", "--language", "English", "--output_format", "srt"]
    result = run(server, "transcribe", wav, *args, "--output_dir", output)
    assert (result.exit_code, (output / "hello.srt").read_text()) == (0, "Good day.")
    assert server.fields() == {
        "model": "whisper-1",
        "language": "English",
        "response_format": "srt",
    }


@pytest.mark.parametrize(
    ("named", "wire", "ending"),
    [
        ("txt", "text", "txt"),
        ("srt", "srt", "srt"),
        ("vtt", "vtt", "vtt"),
        ("json", "verbose_json", "json"),
    ],
)
def test_formats_have_whisper_s_names(wav: Path, named: str, wire: str, ending: str) -> None:
    server = serving(TEXT)
    run(server, "transcribe", wav, "-f", named, "-o", wav.parent / "out")
    assert server.fields()["response_format"] == wire
    assert (wav.parent / "out" / f"hello.{ending}").read_text() == "Good day."


def test_tsv_has_milliseconds(wav: Path) -> None:
    result = run(serving(ok(fake_api.TRANSCRIPTION)), "transcribe", wav, "-f", "tsv")
    assert result.stdout == "start\tend\ttext\n100\t2000\tGood day.\n"


def test_the_task_translate_is_into_english(wav: Path) -> None:
    server = serving(TEXT)
    result = run(server, "transcribe", wav, "--task", "translate", "--initial_prompt", "Names.")
    assert (result.exit_code, result.stdout) == (0, "Good day.\n")
    assert server.requests[-1].url.path == "/v1/audio/translations"
    assert server.fields()["prompt"] == "Names."


@pytest.mark.parametrize(
    "args",
    [
        pytest.param(["-f", "all"], id="an unknown format"),
        pytest.param(["-f", "srt", "--format", "srt"], id="two formats"),
        pytest.param(["-o", "a.txt", "--output_dir", "b"], id="two outputs"),
        pytest.param(["--task", "translate", "--glossary", "g"], id="a glossary"),
        pytest.param(["--task", "translate", "--stream"], id="a stream"),
    ],
)
def test_what_does_not_go_together_is_refused(wav: Path, args: list[str]) -> None:
    server = serving(TEXT)
    assert run(server, "transcribe", wav, *args).exit_code == 2
    assert not server.requests


def test_underscores_are_hyphens_elsewhere_too(wav: Path) -> None:
    server = serving(ok(fake_api.SPEECH))
    result = run(
        server, "translate", wav, "--to", "pt", "--output_format", "mp3", "--output_dir", wav.parent
    )
    assert (result.exit_code, server.fields()["audio_format"]) == (0, "mp3")
    assert json.dumps(server.fields()).count("verbose") == 0
    run(serving(TEXT), "transcribe", wav, "--format", "verbose_json")
