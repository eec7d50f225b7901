"""``dragoman serve`` and ``check`` refuse what cannot work, with its field, before a start."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.cli.app import app
from deployments.config.files import load
from deployments.serve.launch import Server
from deployments.serve.ports import free_port
from deployments.telemetry.log import logger
from tests.support import commands, nvidia_driver
from tests.support.fakes import SLEEP
from tests.support.nvidia_driver import gpu


def serve(path: Path) -> int:
    """Return the exit code of a start that is refused."""
    return commands.run(app, "serve", "--config", path).exit_code


def config(tmp_path: Path, **model: Any) -> Path:
    path = tmp_path / "serve.yaml"
    models = {"speaker": {"engine": SLEEP, **model}}
    args = {"models": models, "ingress": {"port": free_port()}}
    application = {"import_path": "deployments.app:build", "args": args}
    content = {"proxy_location": "Disabled", "applications": [application]}
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    caplog.set_level(logging.INFO)


def test_cuda_by_name_without_a_gpu_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nvidia_driver.remove(monkeypatch, tmp_path)
    assert serve(config(tmp_path, device="cuda", gpu_fraction=0.5)) == 2
    assert "models.speaker.device: cuda was asked for, but there is no GPU here" in caplog.text


@pytest.mark.parametrize("command", ["serve", "check", "deploy"])
def test_a_licence_that_forbids_commerce_must_be_accepted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, command: str
) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    weights = f"path:{tmp_path}"
    refused = commands.run(app, command, "--config", config(tmp_path, weights=weights))
    assert refused.exit_code == 2
    assert "write `accept_license: true` under models.speaker" in caplog.text + refused.stderr


def test_an_accepted_licence_is_valid(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    model = {"weights": f"path:{tmp_path}", "accept_license": True}
    assert commands.run(app, "check", "--config", config(tmp_path, **model)).exit_code == 0


def test_shares_that_do_not_fit_the_gpus_do_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nvidia_driver.install(monkeypatch, gpus=[gpu(0)])
    assert serve(config(tmp_path, gpu_fraction=0.6, replicas=2)) == 2
    assert "models.speaker.gpu_fraction: 0.6 of a GPU is not left" in caplog.text


def test_weights_that_are_absent_do_not_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = config(tmp_path, engine="ge2e", weights="path:/nowhere/at/all")
    assert [serve(path), commands.run(app, "check", "--config", path).exit_code] == [2, 2]
    assert "models.speaker.weights: path:/nowhere/at/all: there is no such folder" in caplog.text


def test_a_ray_without_a_token_does_not_start_beyond_loopback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = config(tmp_path)
    content = json.loads(path.read_text())
    content["applications"][0]["args"] |= {
        "ingress": {"host": "0.0.0.0"},
        "security": {"open": True},
    }
    path.write_text(json.dumps(content))
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert serve(path) == 2
    assert "RAY_AUTH_MODE: with 'disabled' whoever reaches a port of Ray" in caplog.text


def test_a_real_cluster_is_not_kept_to_loopback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = config(tmp_path)
    server = Server(path, load(path))
    assert server.environment()["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in server.environment()


def test_a_valid_configuration_is_checked_without_a_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = config(tmp_path)
    assert commands.run(app, "check", "--config", path).exit_code == 0
    assert f"{path} is valid" in caplog.text


@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_python_that_ray_cannot_start_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    command: str,
) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my tools/python3")
    monkeypatch.setattr(sys, "prefix", "/opt/elsewhere")
    assert commands.run(app, command, "--config", config(tmp_path)).exit_code == 2
    assert "Ray cannot start '/opt/my tools/python3'" in caplog.text
