"""Define the command ``transcribe``, which understands the habits of whisper's own command, too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

import typer

from . import console, files, long_files
from .client import Client
from .files import Job, audio_of, name_of
from .glossary_commands import GlossaryOption, glossary_of
from .glossary_types import Glossary, as_text
from .options import (
    TRANSCRIPTS,
    OutputDir,
    Overwrite,
    SoundFiles,
    format_of,
    writable,
)
from .types import TranscriptDelta, TranscriptFormat

# The endings of files whose names are made from their sources.
ENDINGS = {"text": ".txt", "json": ".json", "verbose_json": ".json"}
WhisperFormat: TypeAlias = Literal["txt", "vtt", "srt", "tsv", "json"]
WHISPER: dict[str, Any] = {"txt": "text", "json": "verbose_json"}  # the others have their names
Format: TypeAlias = TranscriptFormat | Literal["tsv"]
Task: TypeAlias = Literal["transcribe", "translate"]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a transcript, for each of its files."""

    format: Format
    task: Task
    language: str | None
    model: str | None
    prompt: str | None
    words: bool
    glossary: Glossary | None

    @property
    def wire_format(self) -> TranscriptFormat:
        """Return the format that the server writes."""
        return "verbose_json" if self.format == "tsv" else self.format

    def check(self) -> None:
        """Raise typer.BadParameter if the options do not go together."""
        if self.words and self.format != "verbose_json":
            message = "needs --format verbose_json, or no --output"
            raise typer.BadParameter(message, param_hint="--words")
        if self.task == "translate" and (self.words or self.glossary is not None):
            message = "translate is into English, by the recogniser: no --words, --glossary"
            raise typer.BadParameter(message, param_hint="--task")

    def document(self, client: Client, path: Path, output: Path | None = None) -> str:
        """Return what is written down of a file."""

        def at_once() -> str:
            return self._at_once(client, path)

        if self.task == "translate":
            text = at_once()
        else:
            text = long_files.done(
                client,
                path,
                "transcription",
                self._fields(),
                at_once,
                lambda job_id: client.job_result(job_id).text,
                output,
            )
        return as_tsv(text) if self.format == "tsv" else text

    def _at_once(self, client: Client, path: Path) -> str:
        asked: dict[str, Any] = {
            "language": self.language,
            "model": self.model,
            "prompt": self.prompt,
        }
        if self.task == "translate":
            return client.translate_audio(audio_of(path), self.wire_format, **asked)
        return client.transcribe_as(
            audio_of(path),
            self.wire_format,
            word_timestamps=self.words,
            glossary=self.glossary,
            **asked,
        )

    def _fields(self) -> dict[str, Any]:
        """Return the fields of a job's form."""
        return {
            "response_format": self.wire_format,
            "language": self.language,
            "model": self.model,
            "prompt": self.prompt,
            "glossary": as_text(self.glossary),
            "timestamp_granularities[]": ["segment", "word"] if self.words else None,
        }


def as_tsv(verbose_json: str) -> str:
    """Write the segments as whisper does: start and end in milliseconds, and the text."""
    rows = ["start\tend\ttext"]
    for segment in json.loads(verbose_json).get("segments", []):
        times = (round(1000 * segment["start"]), round(1000 * segment["end"]))
        text = segment["text"].strip().replace("\t", " ")
        rows.append(f"{times[0]}\t{times[1]}\t{text}")
    return "\n".join(rows) + "\n"


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
        typer.Option(
            "--prompt",
            "--initial-prompt",
            metavar="TEXT",
            help="A text that could stand before it: names, style.",
        ),
    ] = None,
    task: Annotated[Task, typer.Option(help="translate: into English.")] = "transcribe",
    response_format: Annotated[
        TranscriptFormat | None,
        typer.Option("--format", help="Default: by the extension of --output, or text."),
    ] = None,
    whisper_format: Annotated[
        WhisperFormat | None,
        typer.Option("--output-format", "-f", help="The same, by the names that whisper has."),
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
            help=f"A file ({', '.join(TRANSCRIPTS)}), or a folder for many.",
            callback=writable,
        ),
    ] = None,
    output_dir: OutputDir = None,
    overwrite: Overwrite = False,
    glossary: GlossaryOption = None,
) -> None:
    """Write down speech in its own language.

    Of many files, or a folder, each gets a file of its own name, such as NAME.txt, beside it or in
    the folder of --output. What an earlier run has written is not done again. Files that are too
    long for one request go through jobs. The options of whisper's own command are understood, with
    underscores, too: --task, --output_format, --output_dir, --initial_prompt.
    """
    if response_format and whisper_format:
        raise typer.BadParameter("name either --format or --output-format")
    folder = files.folder_of(output, output_dir)
    many = files.are_many(sources, folder)
    named = WHISPER.get(whisper_format, whisper_format) if whisper_format else response_format
    by_extension = None if many or named else format_of(folder, TRANSCRIPTS)
    wanted = cast(Format, named or by_extension or "text")
    asked = Options(wanted, task, language, model, prompt, words, glossary_of(glossary))
    if stream:
        if many or words or folder or wanted != "text" or task != "transcribe":
            message = "prints the text of one file: no --output, --words, or another --format"
            raise typer.BadParameter(message, param_hint="--stream")
        _print_stream(context, sources[0], asked)
    elif words and wanted == "text" and folder is None and not many:
        _print_words(context, sources[0], asked)
    else:
        asked.check()
        _write(context, asked, sources, folder, many=many, overwrite=overwrite)


def _write(
    context: typer.Context,
    asked: Options,
    sources: list[Path],
    output: Path | None,
    *,
    many: bool,
    overwrite: bool,
) -> None:
    if not many:
        (path,) = sources
        with console.connected(context, f"transcribing {name_of(path)}") as client:
            text = asked.document(client, path)
        console.show_document(text, output, asked.format)
        return
    todo = files.jobs(sources, output, ENDINGS.get(asked.format, f".{asked.format}"))
    with console.client(context) as client:

        def work(job: Job) -> str:
            text = asked.document(client, job.source, job.output)
            console.put(job.output, text.encode())
            return asked.format

        files.do_all(todo, "transcribing", work, overwrite=overwrite)


def _print_words(context: typer.Context, path: Path, asked: Options) -> None:
    with console.connected(context, f"transcribing {name_of(path)}") as client:
        result = client.transcribe(
            audio_of(path),
            word_timestamps=True,
            language=asked.language,
            model=asked.model,
            prompt=asked.prompt,
            glossary=asked.glossary,
        )
    rows = [(f"{w.start_s:.2f}", f"{w.end_s:.2f}", w.word.strip()) for w in result.words]
    console.show_table(("start s", "end s", "word"), rows)


def _print_stream(context: typer.Context, path: Path, asked: Options) -> None:
    with console.connected(context, f"transcribing {name_of(path)}") as client:
        for part in client.stream_transcription(
            audio_of(path),
            language=asked.language,
            model=asked.model,
            prompt=asked.prompt,
            glossary=asked.glossary,
        ):
            if isinstance(part, TranscriptDelta):
                typer.echo(part.text, nl=False)
    typer.echo()
