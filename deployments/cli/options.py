"""Define the options that the server's commands share, their exit codes, and how they fail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:  # imported late: every run of `dragoman` imports this module
    from deployments.config.files import ServeFile

DEFAULT_CONFIG = Path("serve_config.yaml")
WRONG = 2  # exit code: the command line or the configuration is wrong

Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="The configuration of the server.")
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="The server's Ray cluster; found by the port of --config if left out.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def exit_codes(meanings: Mapping[int, str]) -> str:
    """Write the last line of a command's help."""
    return "Exit codes: " + "; ".join(f"{code} {text}" for code, text in meanings.items()) + "."


def loaded(path: Path) -> ServeFile:
    """Read a configuration, or end the command."""
    from deployments.config.files import load
    from models.errors import ConfigError

    try:
        return load(path)
    except ConfigError as error:
        fail(f"the configuration is wrong\n{error}", WRONG)


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command with a message on stderr and an exit code."""
    typer.echo(f"dragoman: {message}", err=True)
    raise typer.Exit(code)
