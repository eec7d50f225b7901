"""Define the commands ``live`` and ``follow``: speech translated while it is spoken."""

from __future__ import annotations

import signal
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, BinaryIO, Protocol, cast

import typer

from . import console, live_screen
from .glossary_commands import GlossaryOption, glossary_of
from .live import LiveSession
from .live_audio import Loudspeaker, microphone
from .live_types import RATE_HZ, BlockingAudio, Delay, TranslatedSpeech
from .options import STDIN, VoiceOrSource, sound_file, writable

TextOnly = Annotated[bool, typer.Option("--text-only", help="Speak nothing.")]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE.wav",
        help="Write the speech there instead of playing it.",
        callback=writable,
    ),
]


class Sink(Protocol):
    """Takes the speech of a session."""

    def play(self, pcm: bytes) -> None: ...


def live(
    context: typer.Context,
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            callback=lambda path: path and sound_file(path),
            help=f"A file with speech; - reads PCM (16 bits, one channel, {RATE_HZ} Hz) of stdin.",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="LANGUAGE", help="The target language; without it, text alone."),
    ] = None,
    source_language: Annotated[
        str | None, typer.Option("--from", metavar="LANGUAGE", help="Default: detected.")
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="Listen to the microphone.")] = False,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the microphone; default: the system's.")
    ] = None,
    delay: Annotated[
        Delay | None, typer.Option(help="A longer one makes fewer mistakes; default: medium.")
    ] = None,
    voice: VoiceOrSource = None,
    text_only: TextOnly = False,
    output: Output = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="By which `follow` finds the session.")
    ] = None,
    paced: Annotated[
        bool, typer.Option("--paced", help="Send a file no faster than it was spoken.")
    ] = False,
    glossary: GlossaryOption = None,
) -> None:
    """Translate or write down speech while it is spoken. Ctrl-C ends it once all is answered."""
    if mic == (source is not None):
        raise typer.BadParameter("name either a file or --mic")
    if to is None and (voice or output):
        raise typer.BadParameter("--voice and --output need a language to speak: --to")
    speaks, terms = to is not None and not text_only, glossary_of(glossary)
    with console.reported(), console.client(context) as client, _sink(output, speaks) as sink:
        session = client.live(
            to,
            _audio(source, device),
            source_language=source_language,
            delay=delay,
            voice=voice,
            text_only=not speaks,
            name=name,
            paced=paced,
            glossary=terms,
        )
        _show(session, sink, translates=to is not None)


def follow(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the session.")],
    to: Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="Yours, such as pt.")],
    text_only: TextOnly = False,
    output: Output = None,
) -> None:
    """Listen to somebody's live session in a language of your own."""
    with (
        console.reported(),
        console.client(context) as client,
        _sink(output, not text_only) as sink,
    ):
        _show(client.follow(name, to, text_only=text_only), sink, translates=True)


def _audio(source: Path | None, device: str | None) -> BlockingAudio:
    if source is None:
        return microphone(device)
    if source == STDIN:
        # Unbuffered: a thread that waits in a buffer's lock would abort Python's exit.
        return cast(BinaryIO, getattr(sys.stdin.buffer, "raw", sys.stdin.buffer))
    return source


def _show(session: LiveSession, sink: Sink | None, *, translates: bool) -> None:
    shown = live_screen.display(translates=translates)
    with session, _stopping(session), shown as display:
        for event in session:
            if isinstance(event, TranslatedSpeech) and sink is not None:
                sink.play(event.pcm)
            else:
                display.show(event)


@contextmanager
def _stopping(session: LiveSession) -> Iterator[None]:
    """Let the first Ctrl-C ask for what is left; a second ends the command at once."""
    if threading.current_thread() is not threading.main_thread():  # where signals have no handlers
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        # A thread of its own: this one may hold the socket's lock.
        threading.Thread(target=session.finish, daemon=True).start()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _sink(output: Path | None, speaks: bool) -> Iterator[Sink | None]:
    """Open where the speech goes: a file, or else the loudspeaker."""
    with ExitStack() as stack:
        if not speaks:
            yield None
        elif output is None:
            speaker = Loudspeaker()
            stack.callback(speaker.close)
            yield speaker
        else:
            file = stack.enter_context(wave.open(str(output), "wb"))
            file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            yield WavFile(file)
            console.notice(f"wrote {output}")


class WavFile:
    """Writes speech to a WAV."""

    def __init__(self, file: wave.Wave_write) -> None:
        self._file = file

    def play(self, pcm: bytes) -> None:
        self._file.writeframes(pcm)
