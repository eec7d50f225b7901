"""Weights that are not where the configuration says are named before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.config.schema import ModelConfig
from deployments.doctor.weights_checks import check_weights, weights_findings
from models.errors import ConfigError
from tests.support.fakes import SLEEP
from tests.support.hub import digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "weights"
    made.mkdir()
    (made / "model.onnx").write_bytes(b"weights")
    return made


def found(**model: object) -> list[tuple[str, str, str]]:
    models = {"a": ModelConfig.model_validate(model)}
    return [(each.check, each.status, each.found) for each in weights_findings(models)]


ABSENT = {
    "no folder": ("path:/nowhere/at/all", "path:/nowhere/at/all: there is no such folder"),
    "an empty folder": ("path:{empty}", "path:{empty}: holds no file"),
    "no package": ("package:not_there", "the package 'not_there' is not installed"),
    "a package without weights": ("package:json", "no file of it has a SHA-256 pin"),
    "no reference": ("none", "expected package:NAME, path:FOLDER or hf:REPO@REVISION"),
    "no scheme": ("/models", "expected package:NAME, path:FOLDER or hf:REPO@REVISION"),
    "no revision": ("hf:someone/model", "hf:someone/model: name a revision"),
    "no name of a repository": ("hf:a/b/c@main", "hf:a/b/c@main: "),
}


@pytest.mark.parametrize(("weights", "says"), ABSENT.values(), ids=ABSENT)
def test_what_is_absent_is_an_error(tmp_path: Path, weights: str, says: str) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    ((check, status, said),) = found(engine="silero", weights=weights.format(empty=empty))
    assert (check, status, says.format(empty=empty) in said) == ("models.a.weights", "failed", True)


def test_a_folder_without_what_the_engine_reads_is_an_error(folder: Path) -> None:
    ((_, status, said),) = found(engine="ecapa", weights=f"path:{folder}")
    assert (status, "holds no file that fits hyperparams.yaml" in said) == ("failed", True)


def test_a_pinned_file_that_is_not_there_is_an_error(folder: Path) -> None:
    pins = {"other.onnx": digest(b"other")}
    ((_, status, said),) = found(engine="silero", weights=f"path:{folder}", sha256=pins)
    assert (status, "other.onnx is pinned, but is not there" in said) == ("failed", True)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param({"engine": "silero", "weights": "path:{folder}"}, id="a folder"),
        pytest.param({"engine": "silero", "weights": "package:silero_vad"}, id="a package"),
        pytest.param({"engine": SLEEP}, id="a fake needs none"),
    ],
)
def test_what_is_there_is_found(folder: Path, model: dict[str, str]) -> None:
    assert found(**{key: value.format(folder=folder) for key, value in model.items()}) == []


def test_offline_what_the_cache_lacks_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    ((_, status, said),) = found(engine="whisper", weights="hf:someone/else@v1")
    assert (status, "HF_HUB_OFFLINE forbids to ask the hub" in said) == ("failed", True)


class TestStart:
    MODELS = {  # noqa: RUF012
        "a": ModelConfig(engine="silero", weights="path:/nowhere/a"),
        "b": ModelConfig(engine="silero", weights="path:/nowhere/b"),
    }

    def test_all_that_are_absent_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        with pytest.raises(ConfigError) as caught:
            check_weights(self.MODELS)
        assert str(caught.value).splitlines() == [
            f"models.{name}.weights: path:/nowhere/{name}: there is no such folder" for name in "ab"
        ]

    def test_a_cluster_s_nodes_may_have_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
        check_weights(self.MODELS)
