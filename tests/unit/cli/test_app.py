"""Every command of the server takes its options in one style, and tells its exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from deployments.cli import running
from deployments.cli.app import app
from deployments.config.files import load
from dragoman_client import cli
from tests.support import commands
from tests.unit.cli.test_serve import config

GROUP = typer.main.get_group(app)
COMMANDS = {
    "serve": GROUP.commands["serve"],
    "check": GROUP.commands["check"],
    "fetch": GROUP.commands["fetch"],
    "doctor": GROUP.commands["doctor"],
    "deploy": GROUP.commands["deploy"],
    "drain": GROUP.commands["drain"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_it_has_a_configuration_and_long_options_alone(name: str) -> None:
    parameters = COMMANDS[name].params
    assert "--config" in {option for each in parameters for option in each.opts}
    assert not [each.name for each in parameters if each.param_type_name == "argument"]
    assert not [o for each in parameters for o in each.opts if not o.startswith("--")]


@pytest.mark.parametrize("name", [*COMMANDS, "key"])
def test_the_command_of_the_client_has_it(name: str) -> None:
    group = typer.main.get_group(cli.app)
    assert group.commands[name].help == GROUP.commands[name].help


@pytest.mark.parametrize("name", COMMANDS)
def test_its_help_tells_the_exit_codes(name: str) -> None:
    assert "Exit codes: 0 " in commands.run(app, name, "--help").stdout


@pytest.mark.parametrize("name", ["deploy", "drain"])
def test_where_no_server_runs_it_says_so(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    path = config(tmp_path)
    result = commands.run(app, name, "--config", path)
    port = load(path).applications[0].args.ingress.port
    assert f"no server of this user's listens on port {port}" in result.stderr
    assert result.exit_code == 1


@pytest.mark.parametrize("name", ["deploy", "drain"])
def test_the_cluster_of_ray_address_is_meant(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, ...]] = []

    def driver(*arguments: str) -> int:
        ran.append(arguments)
        return 0

    monkeypatch.setattr(running, "_as_driver", driver)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    result = commands.run(app, name, "--config", config(tmp_path))
    assert result.exit_code == 0, result.stderr
    assert ran[0][ran[0].index("--address") + 1] == "10.0.0.1:6379"
