"""The launcher, before it starts anything: what cannot work is refused with its field."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from deployments import launch
from deployments.config import load
from deployments.log import logger
from deployments.ports import free_port
from tests.unit import nvidia_smi
from tests.unit.nvidia_smi import gpu_row


def config(tmp_path: Path, **model: Any) -> str:
    path = tmp_path / "serve.yaml"
    models = {"speaker": {"engine": "sleep", **model}}
    application = {"import_path": "deployments.app:build", "args": {"models": models}}
    content = {"proxy_location": "Disabled", "applications": [application]}
    path.write_text(json.dumps(content))  # JSON is YAML
    return str(path)


@pytest.fixture(autouse=True)
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(logger, "handlers", [caplog.handler])
    caplog.set_level(logging.INFO)


def test_cuda_by_name_without_a_gpu_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nvidia_smi.remove(monkeypatch, tmp_path)
    assert launch.main([config(tmp_path, device="cuda", gpu_fraction=0.5)]) == 2
    assert "models.speaker.device: cuda was asked for, but there is no GPU here" in caplog.text


def test_shares_that_do_not_fit_the_gpus_do_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nvidia_smi.install(monkeypatch, tmp_path, gpus=[gpu_row(0)])
    assert launch.main([config(tmp_path, gpu_fraction=0.6, replicas=2)]) == 2
    assert "models.speaker.gpu_fraction: 0.6 of a GPU is not left" in caplog.text


def test_an_address_of_ipv6_can_be_listened_on(tmp_path: Path) -> None:
    path = Path(config(tmp_path))
    content = json.loads(path.read_text())
    content["applications"][0]["args"]["ingress"] = {"host": "::1", "port": free_port()}
    path.write_text(json.dumps(content))

    launch.Server(path, load(path)).check_port()
