"""Give the commands what they share: a client, a spinner, tables, files and error messages.

Results go to stdout, notices and the spinner to stderr. Where stdout is not a terminal, tables
are tab-separated lines, so that ``cut`` and ``awk`` read them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeAlias

import msgspec
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from .client import Client
from .errors import ConnectionFailed, DragomanError

STDOUT = Path("-")  # as an output file

Cell: TypeAlias = str | int | float | None


class MakeClient(Protocol):
    """Makes the client of a command; a test sets its own as the context's object."""

    def __call__(self, base_url: str, *, timeout: float, headers: Mapping[str, str]) -> Client: ...


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The options that stand before the command."""

    url: str
    timeout_s: float
    headers: Mapping[str, str] = field(repr=False)  # a key may be among them
    make_client: MakeClient


def client(context: typer.Context) -> Client:
    """Make the client of one command, which closes it."""
    options: ServerOptions = context.obj
    return options.make_client(options.url, timeout=options.timeout_s, headers=options.headers)


@contextmanager
def connected(context: typer.Context, doing: str) -> Iterator[Client]:
    """Make the client of one command; its errors end the command with one line on stderr."""
    with reported(), client(context) as made, waiting(doing):
        yield made


@contextmanager
def reported() -> Iterator[None]:
    """End the command with one line on stderr where the block raises an error of the client."""
    try:
        yield
    except ConnectionFailed as error:
        fail(
            f"{error.message}; start a server with `make run`, "
            "or name another with --url or DRAGOMAN_URL"
        )
    except DragomanError as error:
        fail(str(error))
    except OSError as error:  # of the file to be sent
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))


@contextmanager
def waiting(doing: str) -> Iterator[None]:
    """Show a spinner if stderr is a terminal."""
    with telling(doing):
        yield


@contextmanager
def telling(doing: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner as ``waiting`` does, and yield what changes its words."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    with Console(stderr=True).status(Text(f"{doing} …")) as status:
        yield lambda text: status.update(Text(f"{text} …"))


@contextmanager
def advancing(total: int, done: int) -> Iterator[Callable[[str, int], None]]:
    """Show a bar over many files if stderr is a terminal; yield what tells how far they are."""
    if not sys.stderr.isatty():
        yield lambda text, done: None
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total, completed=done)
        yield lambda text, done: progress.update(task, description=text, completed=done)


def fail(message: str) -> NoReturn:
    """End the command with one line on stderr and exit code 1."""
    notice(f"dragoman: {' '.join(message.split())}")
    raise typer.Exit(1)


def notice(message: str) -> None:
    typer.echo(message, err=True)


def write(path: Path, content: bytes | str, what: str) -> None:
    """Write a result to a file, and say so on stderr."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        put(path, data)
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    notice(f"wrote {path} ({what})")


def put(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there, so that a file that is there is whole.

    Raise OSError.
    """
    if path.exists() and not path.is_file():  # such as /dev/null
        path.write_bytes(data)
        return
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def write_stdout(pieces: Iterable[bytes]) -> None:
    """Write each piece as soon as it comes."""
    stdout = typer.get_binary_stream("stdout")
    for piece in pieces:
        stdout.write(piece)
        stdout.flush()


def show_document(text: str, output: Path | None, what: str) -> None:
    """Write a text to the file, or else to stdout, where it ends with one line end."""
    if output is None:
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write(output, text, what)


def show_json(value: Any) -> None:
    """Print a result as JSON, with the names that its fields have in Python."""
    typer.echo(to_json(value, indent=2))


def to_json(value: Any, *, indent: int | None = None) -> str:
    default = msgspec.structs.asdict
    return json.dumps(value, ensure_ascii=False, indent=indent, default=default)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table on a terminal, and tab-separated lines elsewhere."""
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
