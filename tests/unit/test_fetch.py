"""Weights are fetched ahead: what is printed, downloaded, refused, and what is resumed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.testing
import yaml

from deployments.fetch import app
from dragoman_client import cli
from models.engines import ENGINES
from tests.unit.hub import COMMIT, Hub, serve

ROOT = Path(__file__).parents[2]
REPOSITORY = "someone/whisper"
HUB_FILES = {
    "config.json": b"{}",
    "flax_model.msgpack": b"not for this engine",
    "model.bin": bytes(range(256)) * 40,
    "tokenizer.json": b"[]",
    "vocabulary.txt": b"a",
}
NEEDED = sorted(HUB_FILES.keys() - {"flax_model.msgpack"})
FAKE = {"engine": "fake-vad"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of an engine of which no file is known."""
    made = tmp_path / "weights"
    made.mkdir()
    (made / "model.onnx").write_bytes(b"weights")
    return made


def serve_file(folder: Path, **models: dict[str, Any]) -> Path:
    application = {"import_path": "deployments.app:build", "args": {"models": models}}
    path = folder / "serve.yaml"
    path.write_text(yaml.safe_dump({"applications": [application]}))
    return path


def run(*args: str | Path) -> typer.testing.Result:
    runner = typer.testing.CliRunner()
    return runner.invoke(app, [str(arg) for arg in args], catch_exceptions=False)


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
    assert (result.exit_code, "holds no file" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        pytest.param(["--model", "absent"], "there is no model 'absent'", id="unknown model"),
        pytest.param(["--json", "--pins"], "--pins", id="json and pins"),
    ],
)
def test_a_wrong_command_line(tmp_path: Path, args: list[str], said: str) -> None:
    result = run(serve_file(tmp_path, fake=FAKE), *args)
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_a_bad_configuration_names_its_field(tmp_path: Path) -> None:
    result = run(serve_file(tmp_path, vad={"engine": "silero", "wieghts": "none"}))
    assert (result.exit_code, "models.vad.wieghts" in result.stderr) == (1, True)


@pytest.mark.parametrize("engine", [name for name, engine in ENGINES.items() if engine.files])
def test_an_engine_asks_for_the_files_that_are_fetched(engine: str) -> None:
    """One that asked for all would not start without network after a fetch of some."""
    spec = importlib.util.find_spec(ENGINES[engine].module)
    assert spec is not None
    assert "settings.files" in Path(spec.origin or "").read_text()


class TestHub:
    """In a process of its own each: the hub's client reads its environment when imported."""

    @pytest.fixture
    def hub(self) -> Iterator[Hub]:
        with serve(Hub({REPOSITORY: HUB_FILES})) as running:
            yield running

    @pytest.fixture
    def config(self, tmp_path: Path) -> Path:
        asr = {"engine": "whisper", "weights": f"hf:{REPOSITORY}@{COMMIT}"}
        return serve_file(tmp_path, asr=asr)

    def test_only_what_the_engine_reads_is_downloaded(self, hub: Hub, config: Path) -> None:
        assert fetch_in_process(hub, config).returncode == 0
        assert hub.downloads() == [f"{REPOSITORY}/{name}" for name in NEEDED]

    def test_what_was_fetched_is_there_offline(self, hub: Hub, config: Path) -> None:
        fetch_in_process(hub, config)
        hub.requests.clear()
        assert fetch_in_process(hub, config, HF_HUB_OFFLINE="1").returncode == 0
        assert hub.requests == []

    def test_a_wrong_pin_is_refused(self, hub: Hub, tmp_path: Path) -> None:
        pins = {"model.bin": digest(b"other")}
        asr = {"engine": "whisper", "weights": f"hf:{REPOSITORY}@v1", "sha256": pins}
        result = fetch_in_process(hub, serve_file(tmp_path, asr=asr))
        assert (result.returncode, "model.bin has SHA-256" in result.stderr) == (1, True)

    def test_a_killed_fetch_goes_on_with_the_files_that_are_not_whole(
        self, hub: Hub, config: Path
    ) -> None:
        hub.stalls.add("model.bin")
        with start(hub, config) as first:
            assert hub.stalled.wait(60)
            first.kill()
        whole = {path.name for path in config.with_name("hub").rglob("snapshots/*/*")}
        hub.stalls.clear()
        hub.requests.clear()
        result = fetch_in_process(hub, config, "--json")
        files = {file["name"]: file["sha256"] for file in json.loads(result.stdout)[0]["files"]}
        assert files == {name: digest(HUB_FILES[name]) for name in NEEDED}
        fetched = {path.rpartition("/")[2] for path in hub.downloads()}
        assert "model.bin" in fetched
        assert not fetched & whole


def start(hub: Hub, config: Path, *args: str, **environment: str) -> subprocess.Popen[str]:
    """``dragoman fetch`` against the stand-in, in another process."""
    return subprocess.Popen(
        [sys.executable, "-m", "deployments.fetch", str(config), *args],
        cwd=ROOT,
        env={
            **os.environ,
            "HF_ENDPOINT": hub.endpoint,
            "HF_HOME": str(config.with_name("hub")),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def fetch_in_process(
    hub: Hub, config: Path, *args: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same, to its end."""
    with start(hub, config, *args, **environment) as process:
        output, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


# ---- as a command of the client's ------------------------------------------------------


def test_the_clients_command_has_it(tmp_path: Path, folder: Path) -> None:
    vad = {"engine": "silero", "weights": f"path:{folder}"}
    config = serve_file(tmp_path, vad=vad)
    result = typer.testing.CliRunner().invoke(cli.app, ["fetch", str(config), "--pins"])
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
