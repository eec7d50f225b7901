"""Run the command ``dragoman`` against a fake server, within the process."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TypeAlias

import typer.testing

from dragoman_client import Client, Retry
from dragoman_client.cli import app
from tests.support import commands
from tests.support.fake_api import FakeServer

Result: TypeAlias = typer.testing.Result


def run(
    server: FakeServer,
    *args: str | Path,
    env: dict[str, str] | None = None,
    stdin: str | bytes | None = None,
) -> Result:
    """Run ``dragoman ARGS``; the commands get their client from the context's object."""
    make_client = partial(Client, transport=server.transport, retry=Retry(attempts=1))
    return commands.run(app, *args, obj=make_client, env=env, stdin=stdin)
