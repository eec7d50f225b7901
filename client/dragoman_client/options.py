"""The options that the commands share, and what a file's extension asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

import typer

from .exchange import key_header
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

TranslationFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac", "srt", "vtt"]
# RFC 9110, 5.1 and 5.5, without bytes above ASCII.
HEADER = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):(?P<value>[ -~\t]*)")

STDIN = Path("-")  # as an input file

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


def sound_file(path: Path) -> Path:
    """A file that is there, or stdin: Typer's own check knows no dash."""
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder")
    return _there(path)


def sound_files(paths: list[Path]) -> list[Path]:
    return [sound_file(path) for path in paths]


def sounds_or_folders(paths: list[Path]) -> list[Path]:
    return [_there(path) for path in paths]


def _there(path: Path) -> Path:
    if path != STDIN and not path.exists():
        raise typer.BadParameter(f"{path} does not exist")
    return path


SoundFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", callback=sound_file, help="A file with speech; - is stdin."),
]
SoundFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        callback=sounds_or_folders,
        help="Files with speech, folders of them, or - for stdin.",
    ),
]
To = Annotated[str, typer.Option("--to", metavar="LANGUAGE", help="Target language, like pt.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VoiceName = Annotated[str | None, typer.Option(metavar="ID", help="See `voices`.")]
VoiceOrSource = Annotated[
    str | None, typer.Option(metavar="ID", help="See `voices`; source: the speaker's own.")
]
Speed = Annotated[float | None, typer.Option(min=0.25, max=4.0, help="1 is the voice's own.")]


KEY_VARIABLE = "DRAGOMAN_KEY"
Key = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        envvar=KEY_VARIABLE,
        help="Of a server with keys; better in the variable, where no list of processes shows it.",
    ),
]


def with_key(key: str | None, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, the key's among them, unless they have one of their own."""
    try:
        return {**key_header(key), **headers}
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--key") from None


def parsed_headers(texts: Sequence[str]) -> dict[str, str]:
    """``name: value`` of each; of one name the last. Raises typer.BadParameter."""
    headers = {}
    for text in texts:
        found = HEADER.fullmatch(text)
        if found is None:
            message = "must be like 'name: value', in printable ASCII"
            raise typer.BadParameter(message, param_hint="--header")
        headers[found["name"].lower()] = found["value"].strip()
    return headers


def format_of(output: Path | None, formats: Mapping[str, Format]) -> Format | None:
    """What the extension of the output asks for; None without an output."""
    if output is None:
        return None
    try:
        return formats[output.suffix.lower()]
    except KeyError:
        message = f"{output.name} must end in one of {', '.join(formats)}"
        raise typer.BadParameter(message, param_hint="-o") from None
