"""The tuner's command line: what is wrong is named before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.testing

from dragoman_client import cli
from tests.support import commands
from tests.support.commands import said
from tests.support.fakes import SLEEP
from tests.support.hub import serve_file
from tuning.command import app

SLO = ("--slo-p99-ms", "100")
SLEEPER = {"engine": SLEEP}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def run(config: Path, *args: str | Path) -> typer.testing.Result:
    return commands.run(app, "--config", config, *args)


MODEL = ("--model", "speaker")
WRONG = {
    "no objective": (MODEL, "--slo-p99-ms"),
    "nothing to tune": (SLO, "either --model or --graph"),
    "two to tune": ((*SLO, *MODEL, "--graph"), "either --model or --graph"),
    "unknown model": (
        (*SLO, "--model", "nobody"),
        "--model: there is no model 'nobody'; there are speaker",
    ),
    "no graph": ((*SLO, "--graph"), "--graph: the configuration has no model of the kind asr"),
    "two loops": (
        (*SLO, *MODEL, "--callers", "2", "--rate", "3"),
        "either --callers or --rate",
    ),
    "batch size": (
        (*SLO, *MODEL, "--batch-sizes", "1,2000"),
        "--batch-sizes: needs numbers like 1,2,4; 1,2000: Input should be less than or equal to",
    ),
    "half a row": (
        (*SLO, *MODEL, "--batch-sizes", "1.5"),
        "--batch-sizes: needs numbers like 1,2,4; 1.5",
    ),
    "delay": ((*SLO, *MODEL, "--delays-ms", "-1"), "--delays-ms: needs numbers"),
    "a hole": ((*SLO, *MODEL, "--replicas", "1,,2"), "--replicas: needs numbers"),
    "no threads": ((*SLO, *MODEL, "--threads", "0"), "--threads: needs numbers"),
    "budget": (
        (*SLO, *MODEL, "--budget-s", "20"),
        "--budget-s: 20 s are too few: two settings in 3 turns take at least 88 s",
    ),
    "folder": ((*SLO, *MODEL, "--output", "no/a.yaml"), "there is no folder no"),
    "no such audio": ((*SLO, *MODEL, "--audio", "/nowhere.wav"), "--audio"),
}


@pytest.mark.parametrize(("args", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_command_line_is_named(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    result = run(serve_file(tmp_path, speaker=SLEEPER), *args)
    assert (result.exit_code, says in said(result)) == (2, True), said(result)


def test_a_file_that_is_no_audio_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.wav").write_text("notes")
    config = serve_file(tmp_path, speaker=SLEEPER)
    result = run(config, *SLO, *MODEL, "--audio", tmp_path / "notes.wav")
    assert (result.exit_code, "--audio: The file is no audio" in said(result)) == (2, True)


def test_a_cluster_of_somebodys_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    result = run(serve_file(tmp_path, speaker=SLEEPER), *SLO, *MODEL)
    assert (result.exit_code, "RAY_ADDRESS is set: unset it" in said(result)) == (2, True)


def test_a_bad_configuration_names_its_field(tmp_path: Path) -> None:
    result = run(serve_file(tmp_path, speaker={**SLEEPER, "replica": 2}), *SLO, *MODEL)
    assert (result.exit_code, "models.speaker.replica" in result.stderr) == (1, True)


def test_the_clients_command_has_it(tmp_path: Path) -> None:
    config = serve_file(tmp_path, speaker=SLEEPER)
    result = commands.run(cli.app, "tune", "--config", config, *SLO)
    assert (result.exit_code, "either --model or --graph" in said(result)) == (2, True)
