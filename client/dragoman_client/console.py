"""What the commands share: the way to the server, waiting, tables, files and errors.

Results go to stdout, notices and the spinner to stderr. Where stdout is not a terminal, tables
are tab-separated lines, so that ``cut`` and ``awk`` read them.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeAlias

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .client import Client
from .errors import ConnectionFailed, DragomanError

STDOUT = Path("-")  # as an output file

Cell: TypeAlias = str | int | float | None


class MakeClient(Protocol):
    """How the commands get their client; a test hands in its own as the context's object."""

    def __call__(self, base_url: str, *, timeout: float, headers: Mapping[str, str]) -> Client: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Connection:
    """What the options before the command say."""

    url: str
    timeout_s: float
    headers: Mapping[str, str] = dataclasses.field(repr=False)  # a key may be among them
    make_client: MakeClient


def client(context: typer.Context) -> Client:
    """A client for one command, to be closed after it."""
    connection: Connection = context.obj
    return connection.make_client(
        connection.url, timeout=connection.timeout_s, headers=connection.headers
    )


@contextmanager
def connected(context: typer.Context, doing: str) -> Iterator[Client]:
    """A client for one command. What it raises ends the command with one line on stderr."""
    try:
        with client(context) as connection, waiting(doing):
            yield connection
    except ConnectionFailed as error:
        fail(
            f"{error.message}; start a server with `make run`, "
            "or name another with --url or DRAGOMAN_URL"
        )
    except DragomanError as error:
        fail(str(error))
    except OSError as error:  # the file to be sent
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """A spinner, if somebody is there to see it."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(Text(f"{doing} …")):
        yield


def fail(message: str) -> NoReturn:
    """Ends the command: one line on stderr, exit code 1."""
    notice(f"dragoman: {' '.join(message.split())}")
    raise typer.Exit(1)


def notice(message: str) -> None:
    typer.echo(message, err=True)


def write(path: Path, content: bytes | str, what: str) -> None:
    """Writes a result to a file, and says so."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        path.write_bytes(data)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    notice(f"wrote {path} ({what})")


def write_stdout(pieces: Iterable[bytes]) -> None:
    """Writes each piece as soon as it is there."""
    stdout = typer.get_binary_stream("stdout")
    for piece in pieces:
        stdout.write(piece)
        stdout.flush()


def show_document(text: str, output: Path | None, what: str) -> None:
    """Writes a text to the file, or else to stdout with a line end of its own."""
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write(output, text, what)


def show_json(value: Any) -> None:
    """Writes a result as JSON, dataclasses with the names of their fields."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=dataclasses.asdict))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            typer.echo("\t".join(_cell(value) for value in row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], (int, float)) for row in rows)
        table.add_column(column, justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    Console().print(table)


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return "" if value is None else " ".join(str(value).split())
