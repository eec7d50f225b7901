"""Offer ``dragoman serve`` and ``dragoman check``, which run a server or check its files."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.cli.options import DEFAULT_CONFIG, Config, exit_codes

# Those of ``serve.launch.Exit``.
SERVE_CODES = exit_codes(
    {
        0: "stopped by a signal",
        1: "the server ended by itself",
        2: "the command line or the configuration is wrong, or the port is taken",
        3: "a model could not be loaded",
        4: "a process of Ray died",
    }
)
CHECK_CODES = exit_codes({0: "valid", 2: "the command line or the configuration is wrong"})


def serve(
    config: Config = DEFAULT_CONFIG,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave Ray's temporary files, its logs among them.")
    ] = False,
) -> None:
    """Run a server until SIGINT or SIGTERM, which let running requests end first."""
    from deployments.serve import start
    from deployments.telemetry.log import logger, set_up
    from models.errors import ConfigError

    set_up()
    try:
        code = start.run(config, start.check(config), keeps_folder=keep)
    except ConfigError as error:
        logger.error("the configuration is wrong\n%s", error)
        raise typer.Exit(2) from None
    raise typer.Exit(code)


def check(config: Config = DEFAULT_CONFIG) -> None:
    """Check a configuration, its weights and its certificate, without starting anything."""
    from deployments.serve import start
    from deployments.telemetry.log import logger, set_up
    from models.errors import ConfigError

    set_up()
    try:
        start.check(config)
    except ConfigError as error:
        logger.error("the configuration is wrong\n%s", error)
        raise typer.Exit(2) from None
    logger.info("%s is valid", config)
