"""``dragoman doctor`` looks at this machine, or asks a server about its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deployments.cli.app import app
from deployments.cli.doctor import of_this_machine
from deployments.config.files import load
from deployments.doctor import probe
from deployments.doctor.diagnosis import Diagnosis
from deployments.doctor.machine_checks import Finding
from deployments.doctor.probe import Machine, gather
from deployments.serve.ports import free_port
from dragoman_client import cli
from tests.support import commands, nvidia_driver
from tests.support.fakes import SLEEP
from tests.unit.doctor.test_running_server import serving

DIAGNOSIS = Diagnosis("there", "failed", "1 failed", (Finding("driver", "failed", "none", "fix"),))


def config(tmp_path: Path, **model: Any) -> Path:
    path = tmp_path / "serve.yaml"
    models = {"speaker": {"engine": SLEEP, **model}}
    args = {"models": models, "ingress": {"port": free_port()}}
    application = {"import_path": "deployments.app:build", "args": args}
    content = {"proxy_location": "Disabled", "applications": [application]}
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a GPU, looked at in this process."""
    nvidia_driver.remove(monkeypatch, tmp_path)
    monkeypatch.setattr(probe, "look", gather)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


COMMANDS: dict[str, tuple[dict[str, Any], int]] = {
    "auto": ({"device": "auto", "gpu_fraction": 0.5}, 0),
    "cuda": ({"device": "cuda", "gpu_fraction": 0.5}, 1),
}


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("model", "exit_code"), COMMANDS.values(), ids=COMMANDS)
def test_it_works_without_a_server(tmp_path: Path, model: dict[str, Any], exit_code: int) -> None:
    path = config(tmp_path, **model)
    result = commands.run(app, "doctor", "--config", path, "--json")
    found = {row["check"]: row["found"] for row in json.loads(result.stdout)["findings"]}
    assert f"none answers at {load(path).url}" in found["server"]
    assert result.exit_code == exit_code


def test_a_machine_that_cannot_be_looked_at_is_a_finding(tmp_path: Path) -> None:
    def fail(environment: Mapping[str, str]) -> Machine:
        raise OSError("its process ended with 1")

    diagnosis = of_this_machine(config(tmp_path), None, fail)
    assert diagnosis.status == "failed"
    assert "it could not be looked at: its process ended with 1" in diagnosis.verdict


def test_a_wrong_configuration_is_named(tmp_path: Path) -> None:
    result = commands.run(app, "doctor", "--config", config(tmp_path, devise="cpu"))
    assert (result.exit_code, "devise" in result.stderr) == (2, True)


NAMED = {
    "behind the command": ("doctor", "--url", "{url}"),
    "before the command": ("--url", "{url}", "doctor"),
}


@pytest.mark.parametrize("arguments", NAMED.values(), ids=NAMED)
def test_a_named_server_is_asked_about_its_own_machine(arguments: tuple[str, ...]) -> None:
    with serving({"/v1/doctor": (200, DIAGNOSIS.to_dict())}) as url:
        result = commands.run(cli.app, *(each.format(url=url) for each in arguments))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "there: 1 failed")


@pytest.mark.usefixtures("machine")
def test_a_named_configuration_wins_over_a_server_in_the_environment(tmp_path: Path) -> None:
    environment = {"DRAGOMAN_URL": "http://127.0.0.1:9"}  # nothing listens there
    path = config(tmp_path)
    result = commands.run(cli.app, "doctor", "--config", path, env=environment)
    assert (result.exit_code, f"none answers at {load(path).url}" in result.stdout) == (0, True)


def test_a_server_that_does_not_answer_is_named() -> None:
    result = commands.run(app, "doctor", "--url", "http://127.0.0.1:9")
    assert (result.exit_code, "http://127.0.0.1:9/v1/doctor" in result.stderr) == (1, True)
