"""Define the command ``text``."""

from __future__ import annotations

from typing import Annotated

import typer

from . import console, files
from .glossary_commands import GlossaryOption, glossary_of
from .options import AsJson, To
from .types import TextTranslation


def text(
    context: typer.Context,
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="Texts; - reads the lines of stdin.")
    ],
    to: To,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="LANGUAGE",
            help="Their language, such as en. Default: as each of them is.",
        ),
    ] = None,
    beam: Annotated[
        int | None, typer.Option("--beam", min=1, max=10, help="The beam of M2M100.")
    ] = None,
    glossary: GlossaryOption = None,
    as_json: AsJson = False,
) -> None:
    """Translate texts, and print a line each, with warnings on stderr."""
    rows: list[TextTranslation] = []
    terms = glossary_of(glossary)
    with console.connected(context, "translating") as client:
        for portion in files.portions(files.texts_of(texts)):
            translated = client.translate_text(portion, source, to, beam_size=beam, glossary=terms)
            if as_json:
                rows += translated
                continue
            for row in translated:
                typer.echo(row.text)
                for warning in row.warnings:
                    console.notice(f"warning: {warning.message}")
    if as_json:
        console.show_json(rows)
