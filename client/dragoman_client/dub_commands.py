"""Define the command ``dub``: a film or recording with its speech in another language."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from . import console, files, long_files
from .dubbing_types import Background, DubFormat
from .options import AUDIO, STDIN, SoundFile, To, VoiceOrSource, format_of, writable
from .speech_commands import Source
from .types import TranslatedAudio

FILMS: Mapping[str, DubFormat] = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mp4",
    ".mkv": "mkv",
    ".webm": "webm",
}
FORMATS: Mapping[str, DubFormat] = {**FILMS, **AUDIO}


def dub(
    context: typer.Context,
    source: SoundFile,
    to: To,
    spoken: Source = None,
    voice: VoiceOrSource = None,
    background: Annotated[
        Background,
        typer.Option(help="duck: keep what is recorded, lower under the voice."),
    ] = "none",
    subtitles: Annotated[
        bool, typer.Option("--subtitles", help="Add the translation as a stream of subtitles.")
    ] = False,
    bilingual: Annotated[
        bool, typer.Option("--bilingual", help="Put the spoken text above, in --subtitles.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"A file ({', '.join(FORMATS)}). Default: NAME.LANGUAGE.FORMAT beside the source.",
            callback=writable,
        ),
    ] = None,
    response_format: Annotated[
        DubFormat | None,
        typer.Option("--format", help="Default: by the extension of --output, or of the source."),
    ] = None,
) -> None:
    """Dub a film or a recording: each sentence is spoken where it was said.

    A film keeps its pictures, and its own sound as the second track.
    """
    wanted = response_format or format_of(output, FORMATS) or _format_of_source(source)
    is_film = wanted in FILMS.values()
    if subtitles and not is_film:
        raise typer.BadParameter("is for a film: mp4, mkv or webm", param_hint="--subtitles")
    if bilingual and not subtitles:
        raise typer.BadParameter("needs --subtitles", param_hint="--bilingual")
    target = output or source.with_name(f"{source.stem}.{files.language_ending(to)}.{wanted}")
    asked: dict[str, Any] = {
        "source_language": spoken,
        "voice": voice,
        "response_format": wanted,
        "background": background,
    }

    def at_once() -> TranslatedAudio:
        return client.dub(
            files.audio_of(source), to, subtitles=subtitles, bilingual=bilingual, **asked
        )

    fields = {
        **asked,
        "target_language": to,
        "fit": "duration",
        "subtitles": "true" if subtitles else None,
        "bilingual": "true" if bilingual else None,
    }
    with console.connected(context, f"dubbing {files.name_of(source)}") as client:
        made = long_files.done(
            client,
            source,
            "translation",
            fields,
            at_once,
            lambda job_id: client.job_audio(job_id, wanted),
            target,
        )
    if made.transcript:
        typer.echo(f"transcript ({made.source_language}): {made.transcript}")
        typer.echo(f"translation ({made.target_language}): {made.translation}")
    for code in made.warning_codes:
        console.notice(f"warning: {code}")
    if made.audio:
        console.write(target, made.audio, wanted)
    else:
        console.notice(f"no speech in the file: {target} was not written")


def _format_of_source(source: Path) -> DubFormat:
    """Return the format of the source's own kind. Raise typer.BadParameter."""
    if source == STDIN:
        message = "stdin has no name: name --output, with an extension"
        raise typer.BadParameter(message, param_hint="--output")
    return FORMATS.get(source.suffix.lower(), "wav")
