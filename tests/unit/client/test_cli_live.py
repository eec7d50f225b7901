"""The commands ``live`` and ``follow``, against a server that a test scripts."""

from __future__ import annotations

import asyncio
import base64
import io
import signal
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from rich.console import Console

from dragoman_client import (
    PartialText,
    SentenceEnd,
    TranscriptText,
    TranslatedText,
    TurnEnd,
)
from dragoman_client.cli import app
from dragoman_client.live_screen import Screen
from tests.support import commands
from tests.support.live_server import FakeSession, serving
from tests.unit.client.test_live import PCM, SPEECH, followed, transcribed, translated


async def run(script: Any, *args: str | Path, stdin: bytes | None = None) -> Any:
    """Run ``dragoman ARGS`` in a thread. Return its result and the server."""
    async with serving(script) as server:
        work: Callable[..., typer.testing.Result] = commands.run
        result = await asyncio.to_thread(
            work, app, "--url", server.url, *args, obj=None, env=None, stdin=stdin
        )
    return result, server


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(PCM)
    return path


async def test_both_texts_are_a_line_each_in_a_pipe(talk: Path) -> None:
    result, server = await run(translated, "live", talk, "--to", "pt", "--text-only")
    assert (result.exit_code, result.stdout) == (0, "en\tGood day.\npt\tBom dia.\n")
    assert server.sessions[0].pcm() == PCM
    assert server.query["text_only"] == "true"


async def test_without_a_target_each_turn_is_a_line(talk: Path) -> None:
    result, _ = await run(transcribed, "live", talk)
    assert (result.exit_code, result.stdout) == (0, "en\tOne.\n\tTwo.\n")


async def test_pcm_is_read_from_stdin() -> None:
    result, server = await run(translated, "live", "-", "--to", "pt", "--text-only", stdin=PCM)
    assert result.exit_code == 0
    assert server.sessions[0].pcm() == PCM


async def test_the_speech_is_written_as_a_wav(talk: Path, tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    result, _ = await run(translated, "live", talk, "--to", "pt", "-o", path)
    with wave.open(str(path), "rb") as file:
        assert file.getframerate() == 24_000
        assert file.readframes(1000) == SPEECH
    assert f"wrote {path}" in result.stderr


async def test_playing_without_sounddevice_says_what_to_install(
    talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result, server = await run(translated, "live", talk, "--to", "pt")
    assert result.exit_code == 1
    assert "pip install 'dragoman-client[mic]'" in result.stderr
    assert server.requests == []


async def test_another_session_is_followed() -> None:
    result, server = await run(followed, "follow", "lecture", "--to", "pt", "--text-only")
    assert (result.exit_code, result.stdout) == (0, "pt\tOlá.\n")
    assert server.query["follow"] == "lecture"


async def test_a_session_that_breaks_off_fails_with_what_was_lost(talk: Path) -> None:
    async def break_off(session: FakeSession) -> None:
        await session.open()
        await session.until("session.close")
        await session.socket.close(1012, "restarting")

    result, _ = await run(break_off, "live", talk, "--to", "pt", "--text-only")
    assert result.exit_code == 1
    assert "code 1012 restarting; 0.5 s from 0.0 s on are not answered" in result.stderr


@pytest.mark.parametrize(
    "args",
    [["live"], ["live", "--mic", "-"], ["live", "-", "--voice", "a"]],
    ids=["no-source", "two-sources", "voice-without-target"],
)
async def test_wrong_options_are_refused_before_anything_is_asked(args: list[str]) -> None:
    result, server = await run(translated, *args, stdin=PCM)
    assert result.exit_code == 2
    assert server.requests == []


@pytest.mark.process
async def test_ctrl_c_asks_for_what_is_left() -> None:
    async def talk_on(session: FakeSession) -> None:
        await session.open()
        await session.until("session.input_audio_buffer.append")
        await session.tell("dragoman.notice", code="test", message="listening")
        await session.until("session.close")
        await session.tell("session.output_transcript.done", text="Bom dia.")
        await session.tell("session.closed")

    program = "from dragoman_client.cli import app; app()"
    async with serving(talk_on) as server:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, "--url", server.url),
            *("live", "-", "--to", "pt", "--text-only"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stderr is not None
        assert process.stdout is not None
        process.stdin.write(bytes(9600))  # which stays open
        assert b"listening" in await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said = await process.stdout.read()
        process.stdin.close()
        assert (await process.wait(), said.decode()) == (0, "pt\tBom dia.\n")


# ---- on a terminal -----------------------------------------------------------------------


def drawn(*events: Any, width: int = 80, translates: bool = True) -> str:
    """Show events on a terminal that keeps what it is sent."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False)
    with Screen(console, translates=translates) as screen:
        for event in events:
            screen.show(event)
            screen._live.refresh()
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


def test_what_may_still_change_is_dim() -> None:
    text = drawn(TranscriptText("Good"), PartialText(" day"))
    assert "Good\x1b[2m day" in text


@pytest.mark.parametrize("width", [20, 200])
def test_whole_sentences_stay_on_the_screen(width: int) -> None:
    text = drawn(
        TranscriptText("Good day. And"),
        TranslatedText("Bom dia.", "pt"),
        SentenceEnd("Bom dia.", "Good day.", "pt", "en"),
        TurnEnd("Good day. And you?", "en"),  # which its sentences have told
        width=width,
    )
    kept = text.rsplit("\x1b[2K", 1)[-1]
    assert "Bom dia." in text
    assert "And you?" not in text
    assert "Bom dia." not in kept  # nothing is written twice at the end


def test_speech_is_no_text() -> None:
    assert base64.b64encode(SPEECH).decode() not in drawn()
