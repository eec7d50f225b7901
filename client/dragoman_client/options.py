"""The options that the commands share, and what a file's extension asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from .types import AudioFormat, SpokenFormat, SubtitleFormat, TranscriptFormat
from .version import __version__

# What a file's extension asks for. Opus travels in Ogg.
AUDIO: Mapping[str, AudioFormat] = {
    ".wav": "wav",
    ".mp3": "mp3",
    ".opus": "opus",
    ".ogg": "opus",
    ".flac": "flac",
}
SPOKEN: Mapping[str, SpokenFormat] = {**AUDIO, ".aac": "aac", ".pcm": "pcm"}
SUBTITLES: Mapping[str, SubtitleFormat] = {".srt": "srt", ".vtt": "vtt"}
TRANSCRIPTS: Mapping[str, TranscriptFormat] = {
    ".txt": "text",
    ".json": "verbose_json",
    ".srt": "srt",
    ".vtt": "vtt",
}

Format = TypeVar("Format", bound=str)


def show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"dragoman-client {__version__}")
        raise typer.Exit


def writable(path: Path | None) -> Path | None:
    """Better to say it before the work than after."""
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


SoundFile = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A file with speech.")
]
To = Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="Target language, like pt.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VoiceName = Annotated[str | None, typer.Option(metavar="ID", help="See `voices`.")]
VoiceOrSource = Annotated[
    str | None, typer.Option(metavar="ID", help="See `voices`; source: the speaker's own.")
]
Speed = Annotated[float | None, typer.Option(min=0.25, max=4.0, help="1 is the voice's own.")]


def format_of(output: Path | None, formats: Mapping[str, Format]) -> Format | None:
    """What the extension of the output asks for; None without an output."""
    if output is None:
        return None
    try:
        return formats[output.suffix.lower()]
    except KeyError:
        message = f"{output.name} must end in one of {', '.join(formats)}"
        raise typer.BadParameter(message, param_hint="-o") from None
