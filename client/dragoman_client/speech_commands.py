"""The commands ``translate`` and ``transcribe``: of one file, of many, of stdin."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, cast

import typer

from . import console, files, reports
from .client import Client
from .files import Job, audio_of, name_of
from .options import (
    AUDIO,
    SUBTITLES,
    TRANSCRIPTS,
    AsJson,
    SoundFiles,
    Speed,
    To,
    TranslationFormat,
    VoiceOrSource,
    format_of,
    writable,
)
from .types import AudioFormat, SpeechTranslation, TranscriptFormat

# The endings of files that were written without a name of their own.
TRANSCRIPT_ENDINGS = {"text": ".txt", "json": ".json", "verbose_json": ".json"}
Source: TypeAlias = Annotated[
    str | None, typer.Option("--from", metavar="LANGUAGE", help="Detected if left out.")
]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of each file that is translated."""

    to: str
    source_language: str | None
    voice: str | None
    speed: float | None
    embedding: bool
    bilingual: bool
    format: TranslationFormat | None  # None: texts alone

    @property
    def is_for_subtitles(self) -> bool:
        return self.format in SUBTITLES.values()

    def check(self, *, as_json: bool) -> None:
        """Raises typer.BadParameter: options that do not go together."""
        spoken = self.voice or self.speed
        if self.is_for_subtitles and (spoken or self.embedding or as_json):
            raise typer.BadParameter("subtitles take no --voice, --speed, --embedding, --json")
        if self.bilingual and not self.is_for_subtitles:
            raise typer.BadParameter("is for subtitles: -o FILE.srt", param_hint="--bilingual")
        if self.format is None and spoken:
            raise typer.BadParameter("--voice and --speed need an audio file to write: -o FILE.wav")

    def subtitles(self, client: Client, path: Path) -> str:
        return client.subtitles(
            audio_of(path),
            self.to,
            source_language=self.source_language,
            response_format="vtt" if self.format == "vtt" else "srt",
            bilingual=self.bilingual,
        )

    def result(self, client: Client, path: Path) -> SpeechTranslation:
        return client.translate_speech(
            audio_of(path),
            self.to,
            source_language=self.source_language,
            voice=self.voice,
            speed=self.speed,
            include_embedding=self.embedding,
            audio_format=cast(AudioFormat, self.format) if self.format else "none",
        )


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
            "-o",
            "--output",
            help=f"{', '.join([*AUDIO, *SUBTITLES])}; a folder, of many files.",
            callback=writable,
        ),
    ] = None,
    response_format: Annotated[
        TranslationFormat | None,
        typer.Option("--format", help="By the extension of -o if left out; of many files wav."),
    ] = None,
    bilingual: Annotated[bool, typer.Option("--bilingual", help="Source above.")] = False,
    embedding: Annotated[bool, typer.Option("--embedding", help="The speaker's, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Translate speech into speech, subtitles or text.

    Many files, or a folder of them: each gets a file of its own name, as in NAME.pt.wav, beside it
    or in the folder of -o.
    """
    many = files.are_many(sources, output)
    by_extension = None if many or response_format else format_of(output, {**AUDIO, **SUBTITLES})
    wanted = response_format or by_extension or ("wav" if many else None)
    wish = Wish(to, source, voice, speed, embedding, bilingual, wanted)
    wish.check(as_json=as_json)
    if many:
        _translate_many(context, wish, sources, output, as_json=as_json)
        return
    if response_format and output is None and not wish.is_for_subtitles:
        raise typer.BadParameter("needs a file to write: -o FILE", param_hint="--format")
    (path,) = sources
    doing = f"translating {name_of(path)}"
    if wish.is_for_subtitles:
        with console.connected(context, doing) as client:
            text = wish.subtitles(client, path)
        console.show_document(text, output, str(wanted))
        return
    with console.connected(context, doing) as client:
        result = wish.result(client, path)
    reports.show_translation(result, as_json=as_json)
    if output is not None:
        reports.write_audio(result, output)


def _translate_many(
    context: typer.Context, wish: Wish, sources: list[Path], output: Path | None, *, as_json: bool
) -> None:
    ending = f".{files.language_ending(wish.to)}.{wish.format}"
    todo = files.jobs(sources, output, ending)
    with console.client(context) as client:

        def work(job: Job) -> str | None:
            if wish.is_for_subtitles:
                return _write(job, wish.subtitles(client, job.source).encode(), str(wish.format))
            result = wish.result(client, job.source)
            _show_of_many(job, result, as_json=as_json)
            audio = result.audio
            if audio is None:
                return None
            return _write(job, audio.data, reports.audio_facts(audio))

        files.do_all(todo, "translating", work)


def transcribe(
    context: typer.Context,
    sources: SoundFiles,
    language: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="Detected if left out.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="ID", help="See `models`.")] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What might come before: names, style.")
    ] = None,
    response_format: Annotated[
        TranscriptFormat | None,
        typer.Option("--format", help="By the extension of -o if left out, or else text."),
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Times of words.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help=f"{', '.join(TRANSCRIPTS)}; a folder, of many files.",
            callback=writable,
        ),
    ] = None,
) -> None:
    """Write down what was said, in its own language; `translate` says it in another.

    Many files, or a folder of them: each gets a file of its own name, as in NAME.txt, beside it or
    in the folder of -o.
    """
    many = files.are_many(sources, output)
    by_extension = None if many or response_format else format_of(output, TRANSCRIPTS)
    wanted = response_format or by_extension or "text"
    asked: dict[str, Any] = {"language": language, "model": model, "prompt": prompt}
    if words and wanted == "text" and output is None and not many:
        (path,) = sources
        with console.connected(context, f"transcribing {name_of(path)}") as client:
            result = client.transcribe(audio_of(path), word_timestamps=True, **asked)
        rows = [(f"{w.start_s:.2f}", f"{w.end_s:.2f}", w.word.strip()) for w in result.words]
        console.show_table(("start s", "end s", "word"), rows)
        return
    if words and wanted != "verbose_json":
        raise typer.BadParameter("needs --format verbose_json, or no -o", param_hint="--words")

    def document(client: Client, path: Path) -> str:
        return client.transcribe_as(audio_of(path), wanted, word_timestamps=words, **asked)

    if many:
        todo = files.jobs(sources, output, TRANSCRIPT_ENDINGS.get(wanted, f".{wanted}"))
        with console.client(context) as client:
            files.do_all(
                todo,
                "transcribing",
                lambda job: _write(job, document(client, job.source).encode(), wanted),
            )
        return
    (path,) = sources
    with console.connected(context, f"transcribing {name_of(path)}") as client:
        text = document(client, path)
    console.show_document(text, output, wanted)


def _write(job: Job, content: bytes, what: str) -> str:
    job.output.write_bytes(content)
    return what


def _show_of_many(job: Job, result: SpeechTranslation, *, as_json: bool) -> None:
    """One of many translations: a line of JSON, or its texts under its name."""
    if as_json:
        line = {"file": str(job.source), **reports.translation_json(result)}
        typer.echo(json.dumps(line, ensure_ascii=False))
    else:
        typer.echo(job.source)
        reports.show_texts(result)
