"""Offer ``dragoman doctor``, which tells whether the GPU is used, and if not, why."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.options import DEFAULT_CONFIG, AsJson, exit_codes, fail, loaded

if TYPE_CHECKING:
    from deployments.doctor.diagnosis import Diagnosis
    from deployments.doctor.probe import Machine

CODES = exit_codes(
    {
        0: "nothing failed",
        1: "something failed, or the server does not answer",
        2: "the command line or the configuration is wrong",
    }
)


def doctor(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help=f"The configuration of a server on this machine; {DEFAULT_CONFIG} if left out.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--url", metavar="URL", help="Ask this server about its own machine instead."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="KEY", envvar="DRAGOMAN_KEY", help="Of a server with keys."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether the GPU is used, and if not, why, with the fix of each problem.

    Without --url this machine, its configuration and its server are looked at, if one runs.
    """
    from deployments.doctor.diagnosis import as_text

    asked = _group_option(context, "url", also_from_environment=config is None)
    key = key or _group_option(context, "key", also_from_environment=True)
    if (server := url or asked) is not None:
        diagnosis = of_server(server.rstrip("/"), key)
    else:
        diagnosis = of_this_machine(config or DEFAULT_CONFIG, key)
    document = json.dumps(diagnosis.to_dict(), indent=2)
    typer.echo(document if as_json else as_text(diagnosis))
    if diagnosis.status == "failed":
        raise typer.Exit(1)


def _group_option(context: typer.Context, name: str, *, also_from_environment: bool) -> str | None:
    """Return an option that the user gave before the command, as to the client's commands."""
    group = context.parent
    source = None if group is None else group.get_parameter_source(name)
    given = {"COMMANDLINE", "ENVIRONMENT"} if also_from_environment else {"COMMANDLINE"}
    if group is None or source is None or source.name not in given:
        return None
    value: str | None = group.params.get(name)
    return value


def of_server(url: str, key: str | None) -> Diagnosis:
    """Ask a server for its diagnosis, or end the command."""
    from pydantic import TypeAdapter

    from deployments.doctor.diagnosis import Diagnosis
    from deployments.doctor.running_server import get_json

    try:
        return TypeAdapter(Diagnosis).validate_python(get_json(f"{url}/v1/doctor", key=key))
    except (OSError, ValueError) as error:
        fail(f"{url}/v1/doctor: {error}")


def of_this_machine(
    path: Path,
    key: str | None,
    look_at: Callable[[Mapping[str, str]], Machine] | None = None,
) -> Diagnosis:
    """Diagnose this machine for a configuration, and its server if one runs.

    Args:
        path: the configuration's file.
        key: to ask the server with.
        look_at: finds out about the machine; a process of its own by default.
    """
    from deployments.doctor.diagnosis import diagnose, without_machine
    from deployments.doctor.probe import look
    from deployments.doctor.running_server import ask_server
    from deployments.security import tls

    file = loaded(path)
    args = file.applications[0].args
    reports, server = ask_server(file.url, key, tls.own(args.ingress.tls))
    try:
        machine = (look_at or look)(os.environ)
    except (OSError, ValueError) as error:
        return without_machine(str(error), "python -m deployments.doctor.probe")
    return diagnose(machine, args.models, reports, [server])
