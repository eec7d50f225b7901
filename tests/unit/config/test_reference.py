"""The reference and the JSON schema: up to date, and of one mind with the server's own check."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deployments.config import reference
from deployments.config.json_schema import field_docs, serve_file_schema
from models.registry import ENGINES

ROOT = Path(__file__).parents[3]
SHIPPED = ["serve_config.yaml", "deploy/serve_config.gpu.yaml", "bench/overhead.yaml"]
SCHEMA = serve_file_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MADE = reference.files()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_made_file_is_up_to_date(path: Path) -> None:
    assert path.read_text() == MADE[path], "run python -m deployments.config.reference"


def test_a_stale_file_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "PAGE", tmp_path / "page.md")
    assert reference.main(["--check"]) == 1
    assert not (tmp_path / "page.md").exists()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_fits(name: str) -> None:
    VALIDATOR.validate(yaml.safe_load((ROOT / name).read_text()))


def with_model(**model: Any) -> dict[str, Any]:
    """The shipped file with another model of recognition."""
    content: dict[str, Any] = copy.deepcopy(yaml.safe_load((ROOT / SHIPPED[0]).read_text()))
    content["applications"][0]["args"]["models"]["asr"] = model
    return content


TENSOR = {"name": "x", "data_type": "TYPE_FP32", "dims": [-1]}
GOOD = {
    "options of an engine": {"engine": "whisper", "options": {"beam_size": 3}},
    "tensors of a network": {"engine": "onnx", "options": {"inputs": [TENSOR]}},
    "a class with any options": {"engine": "my.module:Mine", "options": {"size": 3}},
}
BAD = {
    "an unknown key": {"engine": "whisper", "replica": 2},
    "an unknown engine": {"engine": "whimper"},
    "an unknown option": {"engine": "whisper", "options": {"beam": 3}},
    "an option of another type": {"engine": "whisper", "options": {"beam_size": "many"}},
    "an option of another engine": {"engine": "whisper", "options": {"voices": []}},
    "a tensor of another type": {
        "engine": "onnx",
        "options": {"inputs": [TENSOR | {"data_type": "FP32"}]},
    },
    "an unknown key of a tensor": {"engine": "onnx", "options": {"inputs": [TENSOR | {"a": 1}]}},
    "a bound": {"engine": "whisper", "replicas": 0},
}


@pytest.mark.parametrize("model", GOOD.values(), ids=GOOD)
def test_an_editor_takes(model: dict[str, Any]) -> None:
    VALIDATOR.validate(with_model(**model))


@pytest.mark.parametrize("model", BAD.values(), ids=BAD)
def test_an_editor_marks(model: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(with_model(**model))


@pytest.mark.parametrize("name", ENGINES)
def test_each_option_of_an_engine_has_a_meaning(name: str) -> None:
    cls = ENGINES[name].engine.options
    assert set(cls.__dataclass_fields__) <= set(field_docs(cls))
