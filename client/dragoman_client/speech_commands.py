"""Define the command ``translate``: one file, many files, or stdin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, cast

import typer

from . import console, files, long_files, reports
from .client import Client
from .files import Job, audio_of, name_of
from .glossary_commands import GlossaryOption, glossary_of
from .glossary_types import Glossary, as_text
from .options import (
    AUDIO,
    SUBTITLES,
    AsJson,
    OutputDir,
    Overwrite,
    SoundFiles,
    Speed,
    To,
    TranslationFormat,
    VoiceOrSource,
    format_of,
    writable,
)
from .types import AudioFormat, SpeechTranslation, SubtitleFormat

Source: TypeAlias = Annotated[
    str | None, typer.Option("--from", "--language", metavar="LANGUAGE", help="Default: detected.")
]


@dataclass(frozen=True, slots=True)
class TranslationOptions:
    """The options of a translation, for each of its files."""

    to: str
    source_language: str | None
    voice: str | None
    speed: float | None
    embedding: bool
    bilingual: bool
    format: TranslationFormat | None  # None: texts alone
    glossary: Glossary | None = None

    @property
    def is_for_subtitles(self) -> bool:
        return self.format in SUBTITLES.values()

    def check(self, *, as_json: bool) -> None:
        """Raise typer.BadParameter if the options do not go together."""
        spoken = self.voice or self.speed
        if self.is_for_subtitles and (spoken or self.embedding or as_json):
            raise typer.BadParameter("subtitles take no --voice, --speed, --embedding, --json")
        if self.bilingual and not self.is_for_subtitles:
            raise typer.BadParameter(
                "is for subtitles: --output FILE.srt", param_hint="--bilingual"
            )
        if self.format is None and spoken:
            message = "--voice and --speed need an audio file to write: --output FILE.wav"
            raise typer.BadParameter(message)

    def subtitles(self, client: Client, path: Path, output: Path | None = None) -> str:
        response_format = cast(SubtitleFormat, self.format)

        def at_once() -> str:
            return client.subtitles(
                audio_of(path),
                self.to,
                source_language=self.source_language,
                response_format=response_format,
                bilingual=self.bilingual,
                glossary=self.glossary,
            )

        fields = {
            **self._fields,
            "response_format": response_format,
            "bilingual": "true" if self.bilingual else None,
        }

        def read(job_id: str) -> str:
            return client.job_result(job_id).text

        return long_files.done(client, path, "translation", fields, at_once, read, output)

    def result(self, client: Client, path: Path, output: Path | None = None) -> SpeechTranslation:
        audio_format = cast(AudioFormat, self.format) if self.format else "none"

        def at_once() -> SpeechTranslation:
            return client.translate_speech(
                audio_of(path),
                self.to,
                source_language=self.source_language,
                voice=self.voice,
                speed=self.speed,
                include_embedding=self.embedding,
                audio_format=audio_format,
                glossary=self.glossary,
            )

        fields = {
            **self._fields,
            "response_format": "json",
            "voice": self.voice,
            "speed": self.speed,
            "audio_format": audio_format,
            "include[]": ["embedding"] if self.embedding else None,
        }
        read = client.job_translation
        return long_files.done(client, path, "translation", fields, at_once, read, output)

    @property
    def _fields(self) -> dict[str, Any]:
        """Return the fields that the forms of all jobs have."""
        return {
            "target_language": self.to,
            "source_language": self.source_language,
            "glossary": as_text(self.glossary),
        }


def translate(
    context: typer.Context,
    sources: SoundFiles,
    to: To,
    source: Source = None,
    voice: VoiceOrSource = None,
    speed: Speed = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"A file ({', '.join([*AUDIO, *SUBTITLES])}); for many files a folder.",
            callback=writable,
        ),
    ] = None,
    response_format: Annotated[
        TranslationFormat | None,
        typer.Option(
            "--format",
            "--output-format",
            "-f",
            help="Default: by the extension of --output; wav for many files.",
        ),
    ] = None,
    bilingual: Annotated[
        bool, typer.Option("--bilingual", help="Put the spoken text above.")
    ] = False,
    embedding: Annotated[bool, typer.Option("--embedding", help="Add the speaker's.")] = False,
    as_json: AsJson = False,
    output_dir: OutputDir = None,
    overwrite: Overwrite = False,
    glossary: GlossaryOption = None,
) -> None:
    """Translate speech into speech, subtitles or text.

    Of many files, or a folder, each gets a file of its own name, such as NAME.pt.wav, beside it or
    in the folder of --output. What an earlier run has written is not done again. Files that are too
    long for one request go through jobs.
    """
    output = files.folder_of(output, output_dir)
    many = files.are_many(sources, output)
    by_extension = None if many or response_format else format_of(output, {**AUDIO, **SUBTITLES})
    wanted = response_format or by_extension or ("wav" if many else None)
    options = TranslationOptions(
        to, source, voice, speed, embedding, bilingual, wanted, glossary_of(glossary)
    )
    options.check(as_json=as_json)
    if many:
        _translate_many(context, options, sources, output, as_json=as_json, overwrite=overwrite)
        return
    if response_format and output is None and not options.is_for_subtitles:
        raise typer.BadParameter("needs a file to write: --output FILE", param_hint="--format")
    (path,) = sources
    doing = f"translating {name_of(path)}"
    if options.is_for_subtitles:
        with console.connected(context, doing) as client:
            text = options.subtitles(client, path)
        console.show_document(text, output, str(wanted))
        return
    with console.connected(context, doing) as client:
        result = options.result(client, path)
    reports.show_translation(result, as_json=as_json)
    if output is not None:
        reports.write_audio(result, output)


def _translate_many(
    context: typer.Context,
    options: TranslationOptions,
    sources: list[Path],
    output: Path | None,
    *,
    as_json: bool,
    overwrite: bool,
) -> None:
    ending = f".{files.language_ending(options.to)}.{options.format}"
    todo = files.jobs(sources, output, ending)
    with console.client(context) as client:

        def work(job: Job) -> str | None:
            if options.is_for_subtitles:
                text = options.subtitles(client, job.source, job.output)
                return _write(job, text.encode(), str(options.format))
            result = options.result(client, job.source, job.output)
            _show_of_many(job, result, as_json=as_json)
            audio = result.audio
            if audio is None:
                return None
            return _write(job, audio.data, reports.audio_facts(audio))

        files.do_all(todo, "translating", work, overwrite=overwrite)


def _write(job: Job, content: bytes, what: str) -> str:
    console.put(job.output, content)
    return what


def _show_of_many(job: Job, result: SpeechTranslation, *, as_json: bool) -> None:
    """Print one of many translations: a line of JSON, or its name and its texts."""
    if as_json:
        line = {"file": str(job.source), **reports.translation_json(result)}
        typer.echo(console.to_json(line))
    else:
        typer.echo(job.source)
        reports.show_texts(result)
