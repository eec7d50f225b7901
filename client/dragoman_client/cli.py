"""Offer the server's API in a shell: the command ``dragoman``.

The options of the server (``--url``, ``--timeout``, ``--key``, ``--header``) stand before the
command. Exit codes: 0 done, 1 the server or a file refused, 2 the command line is wrong.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from . import (
    console,
    dub_commands,
    files,
    glossary_commands,
    job_commands,
    live_commands,
    reports,
    speech_commands,
    text_commands,
    transcribe_command,
    voice_commands,
)
from .client import Client
from .connection import DEFAULT_URL
from .exchange import checked_url
from .options import (
    SPOKEN,
    AsJson,
    Headers,
    Key,
    SoundFile,
    Speed,
    Url,
    VoiceName,
    format_of,
    parsed_headers,
    show_version,
    sound_files,
    with_key,
    writable,
)
from .policy import DEFAULT_TOTAL_S
from .types import SpokenFormat

COMMANDS = "dragoman.commands"  # the entry-point group of other packages' commands

app = typer.Typer(
    name="dragoman",
    help="Speech translation from a Dragoman server.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    # whisper's own command has underscores: --output_format.
    context_settings={"token_normalize_func": lambda name: name.replace("_", "-")},
)


@app.callback()
def connection_options(
    context: typer.Context,
    url: Url = DEFAULT_URL,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Of a whole call, with its retries.")
    ] = DEFAULT_TOTAL_S,
    key: Key = None,
    header: Headers = None,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=show_version, help="Print the version."),
    ] = False,
) -> None:
    try:
        checked_url(url)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--url") from None
    headers = with_key(key, parsed_headers(header or []))
    context.obj = console.ServerOptions(url, timeout, headers, context.obj or Client)


# ---- speech ---------------------------------------------------------------------------


app.command()(speech_commands.translate)
app.command()(transcribe_command.transcribe)
app.command()(dub_commands.dub)
app.command()(live_commands.live)
app.command()(live_commands.follow)


@app.command()
def say(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The text; - reads stdin.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=f"A file ({', '.join(SPOKEN)}); - is stdout, sentence by sentence.",
            callback=writable,
        ),
    ],
    voice: VoiceName = None,
    language: Annotated[
        str | None, typer.Option(metavar="LANGUAGE", help="Use its first voice.")
    ] = None,
    speed: Speed = None,
    response_format: Annotated[
        SpokenFormat | None,
        typer.Option("--format", help="Default: by the extension of --output, or wav."),
    ] = None,
    glossary: glossary_commands.GlossaryOption = None,
) -> None:
    """Speak a text."""
    if (voice is None) == (language is None):
        raise typer.BadParameter("name either --voice or --language")
    to_stdout = output == console.STDOUT
    by_extension = None if to_stdout or response_format else format_of(output, SPOKEN)
    wanted = response_format or by_extension or "wav"
    said, terms = files.text_of(text), glossary_commands.glossary_of(glossary)
    asked: dict[str, Any] = {"voice": voice, "language": language, "glossary": terms}
    with console.connected(context, "speaking") as client:
        if to_stdout:
            pieces = client.stream_speech(said, response_format=wanted, speed=speed, **asked)
            console.write_stdout(pieces)
            return
        result = client.speak(said, response_format=wanted, speed=speed, **asked)
    console.write(output, result.audio, wanted)


@app.command()
def embed(
    context: typer.Context,
    clips: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", callback=sound_files, help="- reads stdin."),
    ],
) -> None:
    """Print the embedding of one file, the cosine of two, or the matrix of more."""
    with console.connected(context, "listening") as client:
        embeddings = client.embed(*map(files.audio_of, clips))
    if len(embeddings) == 1:
        typer.echo(reports.vector_json(embeddings[0].values))
    elif len(embeddings) == 2:
        typer.echo(f"{embeddings[0].cosine(embeddings[1]):.4f}")
    else:
        rows = [
            (files.name_of(clip), *(f"{row.cosine(column):.4f}" for column in embeddings))
            for clip, row in zip(clips, embeddings, strict=True)
        ]
        console.show_table(("file", *map(files.name_of, clips)), rows)


@app.command()
def compare(
    context: typer.Context,
    query: SoundFile,
    clips: Annotated[
        list[Path],
        typer.Argument(metavar="OTHER...", callback=sound_files, help="Files to rank."),
    ],
    threshold: Annotated[
        float | None,
        typer.Option(min=-1.0, max=1.0, help="The lowest cosine of one speaker."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Print only the nearest.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rank files by how similar their speaker is to that of the first file."""
    with console.connected(context, "listening") as client:
        matches = client.search_speakers(
            files.audio_of(query), [*map(files.audio_of, clips)], top_k=top, threshold=threshold
        )
    if as_json:
        console.show_json(matches)
    else:
        reports.show_matches(matches, [*map(files.name_of, clips)])


app.add_typer(job_commands.app, name="jobs")


# ---- text -----------------------------------------------------------------------------


app.command()(text_commands.text)
app.add_typer(glossary_commands.app, name="glossary")


# ---- the server -----------------------------------------------------------------------


@app.command()
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models: where each runs and why, its counts, and how late live sessions are."""
    with console.connected(context, "asking") as client:
        rows = client.models()
    if as_json:
        console.show_json(rows)
        return
    console.show_table(
        (
            *("id", "kind", "engine", "asked", "runs on", "why"),
            *("replicas", "batches", "mean batch", "live lag", "licence"),
        ),
        [
            (
                row.id,
                row.kind,
                row.engine,
                row.device.requested,
                row.device.actual,
                row.device.reason,
                row.replicas,
                row.statistics.batches,
                row.statistics.mean_batch_size,
                "" if row.live_lag_p95_s is None else f"{row.live_lag_p95_s:.2f} s",
                f"{row.licence}{' (not for commerce)' if row.commercial_use is False else ''}",
            )
            for row in rows
        ],
    )


app.add_typer(voice_commands.app)


@app.command()
def ready(
    context: typer.Context,
    wait: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.0, help="Wait so long for the server to start."),
    ] = 0.0,
) -> None:
    """Print the state of each model; exit with 0 if the server takes requests."""
    with console.connected(context, "waiting for the server") as client:
        readiness = client.wait_until_ready(wait) if wait else client.ready()
    console.show_table(("model", "state"), list(readiness.models.items()))
    if not readiness:
        console.fail("not ready")


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Tell whether the GPU is used, and if not, why; exit with 0 if nothing failed."""
    with console.connected(context, "the server inspects its machine") as client:
        diagnosis = client.doctor()
    reports.show_diagnosis(diagnosis, as_json=as_json)
    if diagnosis.status == "failed":
        raise typer.Exit(1)


# ---- commands of other packages ---------------------------------------------------------


def add_installed_commands(target: typer.Typer) -> None:
    """Add the Typer apps of the entry-point group ``COMMANDS``: the server brings some."""
    for entry in entry_points(group=COMMANDS):
        try:
            target.add_typer(entry.load())
        except Exception as error:  # the other package is installed in part
            console.notice(f"dragoman: the command {entry.name} cannot be loaded: {error}")


add_installed_commands(app)
