"""Collect the server's commands: ``dragoman`` has them wherever the server is installed.

Every run of ``dragoman`` imports this module and the commands', so they import the rest late.
"""

from __future__ import annotations

import typer

from deployments.cli import doctor, fetch, key, running, serve

PANEL = "The server on this machine"

app = typer.Typer(
    name=None, no_args_is_help=True, pretty_exceptions_show_locals=False, add_completion=False
)
app.command(epilog=serve.SERVE_CODES, rich_help_panel=PANEL)(serve.serve)
app.command(epilog=serve.CHECK_CODES, rich_help_panel=PANEL)(serve.check)
app.command(epilog=fetch.CODES, rich_help_panel=PANEL)(fetch.fetch)
app.command(epilog=doctor.CODES, rich_help_panel=PANEL)(doctor.doctor)
app.command(epilog=running.DEPLOY_CODES, rich_help_panel=PANEL)(running.deploy)
app.command(epilog=running.DRAIN_CODES, rich_help_panel=PANEL)(running.drain)
app.add_typer(key.app, rich_help_panel=PANEL)
