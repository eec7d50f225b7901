"""Define the commands ``translate`` and ``transcribe``: one file, many files, or stdin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, cast

import typer

from . import console, files, reports
from .client import Client
from .files import Job, audio_of, name_of
from .glossary_commands import GlossaryOption, glossary_of
from .glossary_types import Glossary
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
from .types import (
    AudioFormat,
    SpeechTranslation,
    SubtitleFormat,
    TranscriptDelta,
    TranscriptFormat,
)

# The endings of files whose names are made from their sources.
TRANSCRIPT_ENDINGS = {"text": ".txt", "json": ".json", "verbose_json": ".json"}
Source: TypeAlias = Annotated[
    str | None, typer.Option("--from", metavar="LANGUAGE", help="Default: detected.")
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

    def subtitles(self, client: Client, path: Path) -> str:
        return client.subtitles(
            audio_of(path),
            self.to,
            source_language=self.source_language,
            response_format=cast(SubtitleFormat, self.format),
            bilingual=self.bilingual,
            glossary=self.glossary,
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
            glossary=self.glossary,
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
            "--output",
            "-o",
            metavar="FILE",
            help=f"A file ({', '.join([*AUDIO, *SUBTITLES])}); for many files a folder.",
            callback=writable,
        ),
    ] = None,
    response_format: Annotated[
        TranslationFormat | None,
        typer.Option("--format", help="Default: by the extension of --output; wav for many files."),
    ] = None,
    bilingual: Annotated[
        bool, typer.Option("--bilingual", help="Put the spoken text above.")
    ] = False,
    embedding: Annotated[bool, typer.Option("--embedding", help="Add the speaker's.")] = False,
    glossary: GlossaryOption = None,
    as_json: AsJson = False,
) -> None:
    """Translate speech into speech, subtitles or text.

    Of many files, or a folder, each gets a file of its own name, such as NAME.pt.wav, beside it or
    in the folder of --output.
    """
    many = files.are_many(sources, output)
    by_extension = None if many or response_format else format_of(output, {**AUDIO, **SUBTITLES})
    wanted = response_format or by_extension or ("wav" if many else None)
    options = TranslationOptions(
        to, source, voice, speed, embedding, bilingual, wanted, glossary_of(glossary)
    )
    options.check(as_json=as_json)
    if many:
        _translate_many(context, options, sources, output, as_json=as_json)
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
) -> None:
    ending = f".{files.language_ending(options.to)}.{options.format}"
    todo = files.jobs(sources, output, ending)
    with console.client(context) as client:

        def work(job: Job) -> str | None:
            if options.is_for_subtitles:
                return _write(
                    job, options.subtitles(client, job.source).encode(), str(options.format)
                )
            result = options.result(client, job.source)
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
        str | None, typer.Option(metavar="LANGUAGE", help="Default: detected.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="ID", help="A model that `models` lists.")
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="A text that could stand before it: names, style."),
    ] = None,
    response_format: Annotated[
        TranscriptFormat | None,
        typer.Option("--format", help="Default: by the extension of --output, or text."),
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Add the times of words.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print the text of one file as it is heard.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"A file ({', '.join(TRANSCRIPTS)}); for many files a folder.",
            callback=writable,
        ),
    ] = None,
    glossary: GlossaryOption = None,
) -> None:
    """Write down speech in its own language.

    Of many files, or a folder, each gets a file of its own name, such as NAME.txt, beside it or in
    the folder of --output.
    """
    many = files.are_many(sources, output)
    by_extension = None if many or response_format else format_of(output, TRANSCRIPTS)
    wanted = response_format or by_extension or "text"
    asked: dict[str, Any] = {"language": language, "model": model, "prompt": prompt}
    asked["glossary"] = glossary_of(glossary)
    if stream:
        if many or words or output or wanted != "text":
            message = "prints the text of one file: no --output, --words, or another --format"
            raise typer.BadParameter(message, param_hint="--stream")
        _print_stream(context, sources[0], asked)
        return
    if words and wanted == "text" and output is None and not many:
        (path,) = sources
        with console.connected(context, f"transcribing {name_of(path)}") as client:
            result = client.transcribe(audio_of(path), word_timestamps=True, **asked)
        rows = [(f"{w.start_s:.2f}", f"{w.end_s:.2f}", w.word.strip()) for w in result.words]
        console.show_table(("start s", "end s", "word"), rows)
        return
    if words and wanted != "verbose_json":
        raise typer.BadParameter(
            "needs --format verbose_json, or no --output", param_hint="--words"
        )

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


def _print_stream(context: typer.Context, path: Path, asked: dict[str, Any]) -> None:
    with console.connected(context, f"transcribing {name_of(path)}") as client:
        for part in client.stream_transcription(audio_of(path), **asked):
            if isinstance(part, TranscriptDelta):
                typer.echo(part.text, nl=False)
    typer.echo()


def _write(job: Job, content: bytes, what: str) -> str:
    job.output.write_bytes(content)
    return what


def _show_of_many(job: Job, result: SpeechTranslation, *, as_json: bool) -> None:
    """Print one of many translations: a line of JSON, or its name and its texts."""
    if as_json:
        line = {"file": str(job.source), **reports.translation_json(result)}
        typer.echo(console.to_json(line))
    else:
        typer.echo(job.source)
        reports.show_texts(result)
