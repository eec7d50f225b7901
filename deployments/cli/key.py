"""Offer ``dragoman key new``, which makes a key for a server.

The key is printed once and stored nowhere. The lines for the configuration hold its hash.
"""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.cli.options import exit_codes

CODES = exit_codes({0: "printed", 2: "the command line is wrong"})

app = typer.Typer(name="key", help="Make the keys of a server.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Make the keys of a server."""


@app.command(epilog=CODES)
def new(
    name: Annotated[str, typer.Option(metavar="NAME", help="For logs and metrics.")],
    scopes: Annotated[
        str, typer.Option(metavar="SCOPE[,SCOPE...]", help="Of infer, admin, metrics.")
    ] = "infer",
) -> None:
    """Print a new key, and its lines for the configuration; the key is stored nowhere."""
    # Imported late: every run of `dragoman` imports this module.
    import yaml
    from pydantic import ValidationError

    from deployments.config.files import messages
    from deployments.config.security import Key
    from deployments.security.keys import new_key

    key, digest = new_key()
    row = {"name": name, "hash": digest, "scopes": [scope.strip() for scope in scopes.split(",")]}
    try:
        Key.model_validate(row)
    except ValidationError as error:
        raise typer.BadParameter(messages(error)[0]) from None
    lines = yaml.safe_dump([row], sort_keys=False, default_flow_style=None, width=1000)
    typer.echo("# for its owner, who sends it as Authorization: Bearer KEY; it is stored nowhere:")
    typer.echo(key)
    typer.echo("# for the configuration, under args: security: keys:")
    typer.echo(lines, nl=False)
