"""Define the commands ``voices ...``: list the voices, and keep voices of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import console
from .files import audio_of
from .options import AsJson, sound_file, writable

app = typer.Typer(name="voices", help="List the voices, and keep voices of your own.")
CONSENT_ID = "cons_"  # with which the id of a consent begins

VoiceId = Annotated[str, typer.Argument(metavar="ID", help="A voice of your own.")]


@app.callback(invoke_without_command=True)
def voices(context: typer.Context, as_json: AsJson = False) -> None:
    """List the voices of the server, or keep voices of your own."""
    if context.invoked_subcommand is not None:
        return
    with console.connected(context, "asking") as client:
        rows = client.voices()
    if as_json:
        console.show_json(rows)
        return
    console.show_table(
        ("id", "language", "engine", "model", "Hz"),
        [(row.id, row.language, row.engine, row.model, row.sample_rate_hz) for row in rows],
    )


@app.command("text")
def text(
    context: typer.Context,
    language: Annotated[
        str | None, typer.Argument(metavar="LANGUAGE", help="Default: all of them.")
    ] = None,
) -> None:
    """Print what must be read aloud to consent to a copy of one's voice."""
    with console.connected(context, "asking") as client:
        texts = client.consent_texts()
    if language is not None and language not in texts:
        console.fail(f"there is no text in {language}; there are {', '.join(texts)}")
    for code in texts if language is None else [language]:
        typer.echo(texts[code] if language else f"{code}\t{texts[code]}")


@app.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the voice.")],
    sample: Annotated[
        Path,
        typer.Option(metavar="FILE", callback=sound_file, help="At least 3 s of the voice alone."),
    ],
    consent: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="The text of `voices text`, read aloud; or a consent's id."
        ),
    ],
    language: Annotated[
        str, typer.Option(metavar="LANGUAGE", help="That the consent is read in.")
    ] = "en",
) -> None:
    """Keep a voice at the server, and print its id."""
    is_kept = consent.startswith(CONSENT_ID)
    if not is_kept:
        sound_file(Path(consent))
    with console.connected(context, "listening") as client:
        if not is_kept:
            consent = client.add_consent(audio_of(Path(consent)), language, name).id
        made = client.add_voice(audio_of(sample), consent, name)
    typer.echo(made.id)


@app.command("list")
def list_own(context: typer.Context, as_json: AsJson = False) -> None:
    """List the voices of your own."""
    with console.connected(context, "asking") as client:
        rows = client.own_voices()
    if as_json:
        console.show_json(rows)
    else:
        console.show_table(("id", "name"), [(row.id, row.name) for row in rows])


@app.command("export")
def export(
    context: typer.Context,
    voice: VoiceId,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", callback=writable)],
) -> None:
    """Write the sample that a voice was made from to a file."""
    with console.connected(context, "asking") as client:
        data = client.voice_sample(voice)
    console.write(output, data, f"{len(data)} bytes")


@app.command("rm")
def remove(
    context: typer.Context,
    voices: Annotated[list[str], typer.Argument(metavar="ID...", help="Voices of your own.")],
) -> None:
    """Delete voices of your own for good."""
    with console.connected(context, "deleting") as client:
        for voice in voices:
            client.delete_voice(voice)
