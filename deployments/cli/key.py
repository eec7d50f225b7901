"""Makes a key: ``dragoman key new --name ann``, or ``python -m deployments.cli.key new``.

The key is printed once and kept nowhere; its lines for the configuration hold a hash of it.
"""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="key", help="Keys of a server.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys of a server."""


@app.command()
def new(
    name: Annotated[str, typer.Option(metavar="NAME", help="Stands in logs and metrics.")],
    scopes: Annotated[
        str, typer.Option(metavar="SCOPE[,SCOPE...]", help="Of infer, admin, metrics.")
    ] = "infer",
) -> None:
    """Make a key: print it, and its lines for the configuration, once."""
    # Imported late: every run of `dragoman` imports this module.
    import yaml
    from pydantic import ValidationError

    from deployments.config.schema import messages
    from deployments.config.security import Key
    from deployments.security.keys import new_key

    key, digest = new_key()
    row = {"name": name, "hash": digest, "scopes": [scope.strip() for scope in scopes.split(",")]}
    try:
        Key.model_validate(row)
    except ValidationError as error:
        raise typer.BadParameter(messages(error)[0]) from None
    lines = yaml.safe_dump([row], sort_keys=False, default_flow_style=None, width=1000)
    typer.echo("# for its owner, who sends it as Authorization: Bearer KEY; it is kept nowhere:")
    typer.echo(key)
    typer.echo("# for the configuration, under args: security: keys:")
    typer.echo(lines, nl=False)


if __name__ == "__main__":
    app()
