"""Define the commands ``glossary add|list|show|rm``, and the option ``--glossary`` of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from . import console
from .glossary_files import ENDINGS, read_glossary
from .glossary_types import Glossary
from .options import AsJson

app = typer.Typer(help="Terms that must come out right.", no_args_is_help=True)
Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="As `glossary list` shows it.")]
GlossaryOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--glossary",
        metavar="ID|FILE",
        help=f"Terms that must come out right: of the server, or a file ({', '.join(ENDINGS)}).",
    ),
]


def glossary_of(named: str | None) -> Glossary | None:
    """Return what ``--glossary`` names: the glossary of a file, or an id."""
    if named is None or not named.lower().endswith(ENDINGS):
        return named
    return _read(Path(named), "--glossary")


def _read(path: Path, hint: str) -> dict[str, Any]:
    try:
        return read_glossary(path)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error), param_hint=hint) from None


@app.command()
def add(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The first row names languages, such as en,pt; or JSON as in the API.",
        ),
    ],
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Default: the file's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep a glossary at the server, and print its id."""
    found = _read(file, "FILE")
    with console.connected(context, "keeping") as client:
        kept = client.add_glossary(name or found["name"], found["terms"])
    if as_json:
        console.show_json(kept)
    else:
        typer.echo(kept.id)
        console.notice(f"{kept.term_count} terms in {', '.join(kept.languages)}")


@app.command("list")
def list_all(context: typer.Context, as_json: AsJson = False) -> None:
    """List your glossaries."""
    with console.connected(context, "asking") as client:
        rows = client.glossaries()
    if as_json:
        console.show_json(rows)
        return
    console.show_table(
        ("id", "name", "languages", "terms"),
        [(row.id, row.name, " ".join(row.languages), row.term_count) for row in rows],
    )


@app.command()
def show(context: typer.Context, glossary_id: Id, as_json: AsJson = False) -> None:
    """Show the terms of a glossary."""
    with console.connected(context, "asking") as client:
        kept = client.glossary(glossary_id)
    if as_json:
        console.show_json(kept)
        return
    languages = [*kept.languages]
    words = [{**term.translations, term.language: term.term} for term in kept.terms]
    console.show_table(
        languages, [[of.get(language, "") for language in languages] for of in words]
    )


@app.command()
def rm(context: typer.Context, glossary_id: Id) -> None:
    """Delete a glossary for good."""
    with console.connected(context, "deleting") as client:
        client.delete_glossary(glossary_id)
