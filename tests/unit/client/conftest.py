"""Fixtures that the tests of the client share."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.models import TyperInfo

from dragoman_client.cli import app
from tests.support import fake_api
from tests.support.fake_api import COLOURS, Ask


@pytest.fixture(params=COLOURS)
def ask(request: pytest.FixtureRequest) -> Ask:
    """Return what asks a fake server by a method's name: of the one client, then of the other."""
    colour: Ask = request.param
    return colour


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "hello.wav"
    path.write_bytes(fake_api.WAV)
    return path


@pytest.fixture(autouse=True)
def client_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the commands of an installed server, which may replace the client's."""
    own = [group for group in app.registered_groups if _is_the_client_s(group)]
    monkeypatch.setattr(app, "registered_groups", own)


def _is_the_client_s(group: TyperInfo) -> bool:
    commands = group.typer_instance.registered_commands if group.typer_instance else []
    modules = [command.callback.__module__ for command in commands if command.callback]
    return all(module.startswith("dragoman_client.") for module in modules)
