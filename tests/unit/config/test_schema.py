"""The configuration: what ships is valid, and what is wrong is named."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from deployments.config.files import load, messages
from deployments.config.schema import AppConfig, ModelConfig, check_fractions
from models.errors import ConfigError
from models.runtime import Engine
from tests.support.fakes import SLEEP, FakeVad

ROOT = Path(__file__).parents[3]
CONTENT = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
SHIPPED = [
    ROOT / "serve_config.yaml",
    ROOT / "deploy" / "serve_config.gpu.yaml",
    ROOT / "bench" / "overhead.yaml",
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_file_is_valid(path: Path) -> None:
    assert load(path).applications[0].args.models


MODELS = ("applications", 0, "args", "models")
VAD = {"engine": "silero", "weights": "package:silero_vad"}
WRONG: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "unknown top key": (("aplications",), 1, "aplications"),
    "unknown model key": (("applications", 0, "args", "models", "asr", "replica"), 2, "replica"),
    "unknown engine": (
        ("applications", 0, "args", "models", "asr", "engine"),
        "x",
        r"models\.asr\.engine: unknown engine 'x'; there are silero, .*any package\.module:Class",
    ),
    "a class that is not there": (
        (*MODELS, "asr", "engine"),
        "nowhere:Mine",
        r"models\.asr\.engine: nowhere:Mine: importing nowhere failed: ModuleNotFoundError",
    ),
    "a class that is no engine": (
        (*MODELS, "asr", "engine"),
        "pathlib:Path",
        r"models\.asr\.engine: pathlib:Path is no engine: it lacks",
    ),
    "an unknown option of a class": (
        (*MODELS, "mine"),
        {"engine": SLEEP, "options": {"bass_ms": 1}},
        rf"models\.mine\.options\.bass_ms: unknown option; {SLEEP} has base_ms, item_ms",
    ),
    "a wrong option of a class": (
        (*MODELS, "mine"),
        {"engine": SLEEP, "options": {"base_ms": "long"}},
        r"models\.mine\.options\.base_ms: Input should be a valid number",
    ),
    "options that do not fit together": (
        (*MODELS, "asr", "options"),
        {"windows_s": [20, 10]},
        r"models\.asr\.options: windows_s",
    ),
    "a load of a class": (
        ("applications", 0, "args", "security"),
        {"load_allow": {"engines": [SLEEP]}},
        r"load_allow\.engines\.0: no engine .* named under models alone",
    ),
    "no replicas": (("applications", 0, "args", "models", "asr", "replicas"), 0, "asr.replicas"),
    "a range that is upside down": (
        (*MODELS, "asr", "replicas"),
        {"min": 3, "max": 2},
        "max must not be below min",
    ),
    "an unknown number of ingresses": (
        ("applications", 0, "args", "ingress"),
        {"replicas": "each_node"},
        "every_node",
    ),
    "a fraction above one": (
        ("applications", 0, "args", "models", "asr", "gpu_fraction"),
        1.5,
        "asr.gpu_fraction",
    ),
    "unknown device": (("applications", 0, "args", "models", "asr", "device"), "tpu", "asr.device"),
    "unknown option": (
        ("applications", 0, "args", "models", "asr", "options"),
        {"beam": 5},
        r"models\.asr\.options\.beam: unknown option; whisper has compute_type",
    ),
    "an option of the wrong type": (
        ("applications", 0, "args", "models", "asr", "options"),
        {"beam_size": "many"},
        "options.beam_size",
    ),
    "a batch of nothing": (
        ("applications", 0, "deployments", 0, "user_config", "batching", "asr", "max_batch_size"),
        0,
        "batching.asr.max_batch_size",
    ),
    "a misspelt policy": (
        ("applications", 0, "deployments", 0, "user_config", "batching", "asr", "max_batch_sise"),
        4,
        "max_batch_sise",
    ),
    "a policy of no model": (
        ("applications", 0, "deployments", 0, "user_config", "batching", "asrr"),
        {},
        "batching.asrr",
    ),
    "an alias of no model": (("applications", 0, "args", "aliases", "x"), "y", "aliases.x"),
    "an alias of all networks": (
        ("applications", 0, "args", "aliases", "x"),
        "tensors",
        "aliases.x: there is no model and no kind 'tensors'",
    ),
    "an alias that hides a model": (("applications", 0, "args", "aliases", "asr"), "vad", "asr"),
    "an alias with the graph's name": (
        ("applications", 0, "args", "aliases", "speech_translation"),
        "asr",
        r"aliases\.speech_translation: the server itself",
    ),
    "an alias with a path's name": (
        ("applications", 0, "args", "aliases", "stats"),
        "asr",
        r"aliases\.stats: the server itself",
    ),
    "an alias of a kind": (
        ("applications", 0, "args", "aliases", "tts"),
        "asr",
        r"aliases\.tts: the name is a model's or a kind's own",
    ),
    "an alias without a name": (
        ("applications", 0, "args", "aliases", ""),
        "asr",
        "aliases.'': an alias has 1 to 128",
    ),
    "an alias with a space": (
        ("applications", 0, "args", "aliases", "a/b c"),
        "asr",
        "aliases.a/b c: an alias has",
    ),
    "an alias that climbs": (
        ("applications", 0, "args", "aliases", "a/../b"),
        "asr",
        r"aliases\.a/\.\./b: an alias has",
    ),
    "an alias with a line's end": (
        ("applications", 0, "args", "aliases", "a\n"),
        "asr",
        "an alias has 1 to 128",
    ),
    "a long alias": (
        ("applications", 0, "args", "aliases", "x" * 129),
        "asr",
        "an alias has 1 to 128",
    ),
    "another application": (("applications", 0, "name"), "x", "name"),
    "a port out of range": (
        ("applications", 0, "args", "ingress", "port"),
        70_000,
        "args.ingress.port",
    ),
    "a model with the graph's name": ((*MODELS, "speech_translation"), VAD, "speech_translation: "),
    "a model with a path's name": ((*MODELS, "stats"), VAD, r"models\.stats: the server itself"),
    "a model with a deployment's name": ((*MODELS, "Ingress"), VAD, "Ingress: the server itself"),
    "a model without a name": ((*MODELS, ""), VAD, "models.'': a model's name has 1 to 64"),
    "a model with a path for a name": ((*MODELS, "a/b c"), VAD, r"models\.a/b c: a model's name"),
    "a model with dots for a name": ((*MODELS, ".."), VAD, r"begins with a letter or a digit"),
    "a model with a long name": ((*MODELS, "x" * 65), VAD, "1 to 64 letters"),
    "a model with a line's end": ((*MODELS, "asr2\n"), VAD, "1 to 64 letters"),
    "a model with another kind's name": (
        (*MODELS, "tts"),
        VAD,
        r"models\.tts: the name is that of a kind, and silero is vad",
    ),
    "a proxy beside the ingress": (("proxy_location",), "EveryNode", "proxy_location"),
    "a key that was renamed": (
        ("http_options",),
        {"port": 8000},
        r"http_options: .*; it is applications\.0\.args\.ingress \(host, port",
    ),
    "another import path": (("applications", 0, "import_path"), "a:b", "import_path"),
}


@pytest.mark.parametrize(("where", "value", "says"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named(
    tmp_path: Path, where: tuple[str | int, ...], value: Any, says: str
) -> None:
    content = copy.deepcopy(CONTENT)
    place = content
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    path = tmp_path / "serve.yaml"
    path.write_text(json.dumps(content))  # which is YAML, and sooner written
    with pytest.raises(ConfigError, match=says):
        load(path)


@pytest.mark.parametrize("name", ["a", "vad", "Whisper-large_v3.1", "9", "x" * 64])
def test_a_model_may_be_called(name: str) -> None:
    models = {name: {"engine": "silero"}}
    assert list(AppConfig.model_validate({"models": models}).models) == [name]


@pytest.mark.parametrize("alias", ["whisper-1", "Systran/faster-whisper-small", "qwen3:8b", "a@b"])
def test_an_alias_may_be_called(alias: str) -> None:
    content = {"models": {"vad": {"engine": "silero"}}, "aliases": {alias: "vad"}}
    assert AppConfig.model_validate(content).aliases == {alias: "vad"}


@dataclass(frozen=True)
class Needing:
    """Options of which one has no default, and another that cannot stand for all."""

    folder: str
    size: int = 1

    def __post_init__(self) -> None:
        if self.size == 0:
            raise RuntimeError("no size")


class NeedingVad(FakeVad):
    engine = Engine("vad", Needing)


OWN = {
    "an option that is missing": ({}, r"models\.vad\.options\.folder: Field required"),
    "a dataclass that fails": ({"folder": "x", "size": 0}, "Needing cannot be made: RuntimeError"),
}


@pytest.mark.parametrize(("options", "says"), OWN.values(), ids=OWN)
def test_options_of_an_engine_of_ones_own_are_checked(options: dict[str, Any], says: str) -> None:
    model = {"engine": f"{__name__}:NeedingVad", "options": options}
    with pytest.raises(ValidationError) as caught:
        AppConfig.model_validate({"models": {"vad": model}})
    assert re.search(says, "\n".join(messages(caught.value)))


def test_options_of_an_engine_of_ones_own_reach_it() -> None:
    model = ModelConfig(engine=f"{__name__}:NeedingVad", options={"folder": "x"})
    assert model.settings("vad").options == {"folder": "x"}


@pytest.mark.parametrize(
    "content",
    [b"", b"a: [", b"- 1", b"a: \xf8", b"a: 2000-99-99", b"[" * 1000],
    ids=["empty", "not YAML", "a list", "not UTF-8", "no such day", "deep"],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "serve.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"serve\.yaml"):
        load(path)


def test_cuda_without_a_share_of_a_gpu_is_refused(tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    content["applications"][0]["args"]["models"]["nmt"] |= {"device": "cuda", "gpu_fraction": 0}
    path = tmp_path / "serve.yaml"
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"models\.nmt: gpu_fraction: device: cuda needs a share"):
        load(path)


def test_cuda_by_name_on_a_host_without_gpus_is_refused() -> None:
    models = {"a": ModelConfig(engine=SLEEP, device="cuda", gpu_fraction=0.5)}
    with pytest.raises(ConfigError, match=r"models\.a\.device: cuda .* no GPU here"):
        check_fractions(models, gpus=0)


def test_fractions_that_do_not_fit_are_refused() -> None:
    models = {"a": ModelConfig(engine=SLEEP, gpu_fraction=0.6, replicas=3)}
    with pytest.raises(ConfigError, match=r"models\.a\.gpu_fraction.*ask for 1\.8 of 2 GPUs"):
        check_fractions(models, gpus=2)  # each would fit by the sum, the third fits on neither


def test_fractions_that_fit_are_taken() -> None:
    models = {
        "a": ModelConfig(engine=SLEEP, gpu_fraction=0.6, replicas=2),
        "b": ModelConfig(engine=SLEEP, gpu_fraction=0.4, replicas=2),
        "c": ModelConfig(engine=SLEEP),
    }
    check_fractions(models, gpus=2)


def test_a_host_without_gpus_takes_any_fractions() -> None:
    check_fractions({"a": ModelConfig(engine=SLEEP, gpu_fraction=0.6, replicas=2)}, gpus=0)
