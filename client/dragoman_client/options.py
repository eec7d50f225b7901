"""Define the options that commands share, and the format that a file's extension asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, TypeVar

import typer

from .exchange import key_header
from .types import AudioFormat, SpokenFormat, SubtitleFormat, TranscriptFormat
from .version import __version__

# The format of each extension. Opus is stored in Ogg.
AUDIO: Mapping[str, AudioFormat] = {
    ".wav": "wav",
    ".mp3": "mp3",
    ".opus": "opus",
    ".ogg": "opus",
    ".flac": "flac",
}
SPOKEN: Mapping[str, SpokenFormat] = {**AUDIO, ".aac": "aac", ".pcm": "pcm"}
SUBTITLES: Mapping[str, SubtitleFormat] = {
    ".srt": "srt",
    ".vtt": "vtt",
    ".ttml": "ttml",
    ".ass": "ass",
}
TRANSCRIPTS: Mapping[str, TranscriptFormat] = {
    ".txt": "text",
    ".json": "verbose_json",
    **SUBTITLES,
}

TranslationFormat: TypeAlias = Literal[AudioFormat, SubtitleFormat]
# A header by RFC 9110, 5.1 and 5.5, in ASCII alone.
HEADER = re.compile(r"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+):(?P<value>[ -~\t]*)")

STDIN = Path("-")  # as an input file

Format = TypeVar("Format", bound=str)


def show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"dragoman-client {__version__}")
        raise typer.Exit


def writable(path: Path | None) -> Path | None:
    """Refuse an output whose folder is missing, before the work instead of after it."""
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


def sound_file(path: Path) -> Path:
    """Refuse a missing file. Typer's own check does not know that - is stdin."""
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
    typer.Argument(metavar="FILE", callback=sound_file, help="A file with speech; - reads stdin."),
]
SoundFiles = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        callback=sounds_or_folders,
        help="Files with speech, or folders of them; - reads stdin.",
    ),
]
To = Annotated[
    str, typer.Option("--to", metavar="LANGUAGE", help="The target language, such as pt.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VoiceName = Annotated[str | None, typer.Option(metavar="ID", help="A voice that `voices` lists.")]
VoiceOrSource = Annotated[
    str | None,
    typer.Option(metavar="ID", help="A voice that `voices` lists; source is the speaker's own."),
]
Speed = Annotated[
    float | None, typer.Option(min=0.25, max=4.0, help="Speed of the speech; 1 is the voice's own.")
]

OutputDir = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Write each output there; it is made if it is missing."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Of many files, do those again that are done.")
]
Url = Annotated[
    str, typer.Option("--url", metavar="URL", envvar="DRAGOMAN_URL", help="The server's address.")
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar="DRAGOMAN_KEY",
        help="The key of a server with keys. In the variable no list of processes shows it.",
    ),
]
Headers = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="'NAME: VALUE'",
        help="A header that goes with every request; may be repeated.",
    ),
]


def with_key(key: str | None, headers: Mapping[str, str]) -> dict[str, str]:
    """Add the key's header, unless the headers have one of that name."""
    try:
        return {**key_header(key), **headers}
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--key") from None


def parsed_headers(texts: Sequence[str]) -> dict[str, str]:
    """Read each ``name: value``; the last of a name counts. Raise typer.BadParameter."""
    headers = {}
    for text in texts:
        found = HEADER.fullmatch(text)
        if found is None:
            message = "must be like 'name: value', in printable ASCII"
            raise typer.BadParameter(message, param_hint="--header")
        headers[found["name"].lower()] = found["value"].strip()
    return headers


def format_of(output: Path | None, formats: Mapping[str, Format]) -> Format | None:
    """Return the format of the output's extension; None without an output."""
    if output is None:
        return None
    try:
        return formats[output.suffix.lower()]
    except KeyError:
        message = f"{output.name} must end in one of {', '.join(formats)}"
        raise typer.BadParameter(message, param_hint="--output") from None
