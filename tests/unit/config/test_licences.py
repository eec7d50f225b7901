"""Licences of configured weights: known before they are loaded, and refused unless accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from deployments.config.files import load
from deployments.config.licences import check_licences, licence_of
from deployments.config.schema import ModelConfig
from models.errors import ConfigError
from models.tts.yourtts.engine import PUBLISHED_LICENCE
from models.weights.source import UNKNOWN_LICENCE

ROOT = Path(__file__).parents[3]


def folder(place: Path, licence: str) -> str:
    place.mkdir()
    (place / "README.md").write_text(f"---\nlicense: {licence}\n---\n")
    return f"path:{place}"


def test_weights_that_tell_none_have_the_engine_s_published_licence() -> None:
    assert licence_of(ModelConfig(engine="yourtts", weights="path:/srv/x")) == PUBLISHED_LICENCE


def test_what_the_weights_tell_comes_first(tmp_path: Path) -> None:
    weights = folder(tmp_path / "own", "mit")
    assert licence_of(ModelConfig(engine="yourtts", weights=weights)) == "MIT"


def test_of_an_engine_for_many_weights_nothing_is_known() -> None:
    assert licence_of(ModelConfig(engine="whisper", weights="path:/srv/x")) == UNKNOWN_LICENCE


def test_each_model_that_must_be_accepted_has_a_line(tmp_path: Path) -> None:
    weights = folder(tmp_path / "nc", "cc-by-nc-4.0")
    models = {
        "asr": ModelConfig(engine="whisper", weights=weights),
        "vad": ModelConfig(engine="silero", weights="package:silero_vad"),
        "tts": ModelConfig(engine="yourtts", weights="path:/srv/x"),
    }
    with pytest.raises(ConfigError) as caught:
        check_licences(models)
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "models.asr.accept_license",
        "models.tts.accept_license",
    ]


def test_what_is_accepted_is_not_refused() -> None:
    model = ModelConfig(engine="yourtts", weights="path:/srv/x", accept_license=True)
    check_licences({"tts": model})


def test_the_shipped_configuration_has_nothing_to_accept() -> None:
    check_licences(load(ROOT / "serve_config.yaml").applications[0].args.models)


def test_the_profile_for_a_gpu_accepts_nothing_for_its_owner() -> None:
    models = yaml.safe_load((ROOT / "deploy" / "serve_config.gpu.yaml").read_text())
    args = models["applications"][0]["args"]["models"]
    with pytest.raises(ConfigError, match=r"models\.tts\.accept_license: .* CC-BY-NC-ND-4\.0"):
        check_licences({name: ModelConfig.model_validate(row) for name, row in args.items()})
