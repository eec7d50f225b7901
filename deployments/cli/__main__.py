"""Run the server's commands without the client: ``python -m deployments.cli serve``."""

from deployments.cli.app import app

app(prog_name="dragoman")
