"""Weights are fetched ahead: what is printed, downloaded, refused, and what is resumed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import typer.testing
import yaml

from deployments.cli.app import app
from dragoman_client import cli
from models.registry import ENGINES
from tests.support import commands
from tests.support.fakes import FAKE_VAD
from tests.support.hub import digest, serve_file

FAKE = {"engine": FAKE_VAD}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of an engine of which no file is known."""
    made = tmp_path / "weights"
    made.mkdir()
    (made / "model.onnx").write_bytes(b"weights")
    return made


def run(config: Path, *args: str | Path) -> typer.testing.Result:
    return commands.run(app, "fetch", "--config", config, *args)


def test_each_model_is_one_line(tmp_path: Path, folder: Path) -> None:
    vad = {"engine": "silero", "weights": f"path:{folder}"}
    result = run(serve_file(tmp_path, vad=vad, fake=FAKE))
    assert result.stdout == f"vad: path:{folder}: 1 file, 0.0 MB, none pinned\n"
    assert result.exit_code == 0


def test_files_without_a_pin_are_printed_as_yaml(tmp_path: Path, folder: Path) -> None:
    (folder / "pinned").write_bytes(b"pinned")
    pins = {"pinned": digest(b"pinned")}
    vad = {"engine": "silero", "weights": f"path:{folder}", "sha256": pins}
    result = run(serve_file(tmp_path, vad=vad), "--pins")
    assert yaml.safe_load(result.stdout) == {"vad": {"sha256": {"model.onnx": digest(b"weights")}}}


def test_printed_pins_fit(tmp_path: Path, folder: Path) -> None:
    vad = {"engine": "silero", "weights": f"path:{folder}"}
    pins = yaml.safe_load(run(serve_file(tmp_path, vad=vad), "--pins").stdout)
    result = run(serve_file(tmp_path, vad={**vad, **pins["vad"]}))
    assert result.stdout.endswith("all pinned\n")


def test_json_has_every_digest(tmp_path: Path, folder: Path) -> None:
    vad = {"engine": "silero", "weights": f"path:{folder}"}
    result = run(serve_file(tmp_path, vad=vad), "--json")
    file = {
        "name": "model.onnx",
        "size_bytes": 7,
        "sha256": digest(b"weights"),
        "pinned": False,
    }
    expected = {"model": "vad", "weights": f"path:{folder}", "files": [file], "error": None}
    assert json.loads(result.stdout) == [expected]


def test_one_failure_does_not_hide_the_others(tmp_path: Path, folder: Path) -> None:
    bad = {"engine": "silero", "weights": "path:/nowhere/at/all"}
    good = {"engine": "silero", "weights": f"path:{folder}"}
    result = run(serve_file(tmp_path, bad=bad, good=good))
    assert result.exit_code == 1
    assert result.stderr == "dragoman: bad: path:/nowhere/at/all: there is no such folder\n"
    assert result.stdout.startswith("good: ")


def test_only_the_named_model_is_fetched(tmp_path: Path, folder: Path) -> None:
    bad = {"engine": "silero", "weights": "path:/nowhere/at/all"}
    good = {"engine": "silero", "weights": f"path:{folder}"}
    assert run(serve_file(tmp_path, bad=bad, good=good), "--model", "good").exit_code == 0


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    vad = {"engine": "silero", "weights": f"path:{tmp_path / 'empty'}"}
    result = run(serve_file(tmp_path, vad=vad))
    assert (result.exit_code, "holds no file" in commands.said(result)) == (1, True)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["--model", "absent"], "there is no model 'absent'", id="unknown model"),
        pytest.param(["--json", "--pins"], "--pins", id="json and pins"),
    ],
)
def test_a_wrong_command_line(tmp_path: Path, args: list[str], said: str) -> None:
    result = run(serve_file(tmp_path, fake=FAKE), *args)
    assert (result.exit_code, said in commands.said(result)) == (2, True)


def test_a_bad_configuration_names_its_field(tmp_path: Path) -> None:
    result = run(serve_file(tmp_path, vad={"engine": "silero", "wieghts": "none"}))
    assert (result.exit_code, "models.vad.wieghts" in commands.said(result)) == (2, True)


@pytest.mark.parametrize("engine", [name for name, found in ENGINES.items() if found.engine.files])
def test_an_engine_asks_for_the_files_that_are_fetched(engine: str) -> None:
    """One that asked for all would not start without network after a fetch of some."""
    spec = importlib.util.find_spec(ENGINES[engine].reference.partition(":")[0])
    assert spec is not None
    assert "settings.files" in Path(spec.origin or "").read_text()


def test_the_clients_command_has_it(tmp_path: Path, folder: Path) -> None:
    vad = {"engine": "silero", "weights": f"path:{folder}"}
    config = serve_file(tmp_path, vad=vad)
    result = commands.run(cli.app, "fetch", "--config", config, "--pins")
    assert (result.exit_code, result.stdout) == (0, run(config, "--pins").stdout)


def test_a_command_that_cannot_be_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "half_installed-1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: half-installed\nVersion: 1.0\n")
    (made / "entry_points.txt").write_text(f"[{cli.COMMANDS}]\nbroken = not_there_at_all:app\n")
    monkeypatch.syspath_prepend(tmp_path)
    cli.add_installed_commands(typer.Typer())
    assert "the command broken cannot be loaded" in capsys.readouterr().err
