"""Commands as a test runs them: on a terminal of one width, whoever starts the tests, and where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import typer
import typer.main
import typer.testing

# Wider than any message with a path in it; no variable of the caller's adds options or colours.
TERMINAL: Mapping[str, str | None] = {
    "COLUMNS": "4000",
    "DRAGOMAN_KEY": None,
    "DRAGOMAN_URL": None,
    "FORCE_COLOR": None,
    "TERM": "xterm",
}


def run(
    app: typer.Typer,
    *args: str | Path,
    obj: Any = None,
    env: Mapping[str, str | None] | None = None,
    stdin: str | bytes | None = None,
) -> typer.testing.Result:
    """Run ``app`` with these arguments, in an environment with ``env``."""
    runner = typer.testing.CliRunner(env={**TERMINAL, **(env or {})})
    with patch.object(typer.testing, "_get_command", _command_of):
        return runner.invoke(
            app, [str(arg) for arg in args], input=stdin, obj=obj, catch_exceptions=False
        )


def _command_of(app: typer.Typer) -> Any:
    """Build what Typer makes of an application, once: it reads every signature for it."""
    return _built(app, *app.registered_groups, *app.registered_commands)


@cache
def _built(app: typer.Typer, *_registered: object) -> Any:
    return typer.main.get_command(app)


def said(result: typer.testing.Result) -> str:
    """What went to stderr, in one line, without the frame and the colours of an error."""
    without_colours = re.sub(r"\x1b\[[0-9;]*m", "", result.stderr)
    return " ".join(without_colours.replace("│", " ").split())
