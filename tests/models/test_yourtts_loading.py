"""YourTTS loads a published folder as it is, and says what is wrong with one that it cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.devices.device import DeviceRequest
from models.errors import WeightsError
from models.runtime import RuntimeSettings, RuntimeSpec
from models.tts.yourtts import checkpoint as yourtts_checkpoint
from models.tts.yourtts import engine as yourtts
from models.tts.yourtts.engine import YourTts
from models.tts.yourtts.options import Options
from models.types import Samples, Speech, TtsItem
from models.weights.source import resolve
from tests.support.published import yourtts as published

ITEM = TtsItem("Good morning.", "female-en-5/en")
SPEAKERS = ("female-en-5", "female-en-5-2", "female-pt-4", "male-en-2", "male-en-2-2", "male-pt-3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("your_tts")
    published.build(path)
    return path


def open_runtime(folder: Path, **options: Any) -> tuple[YourTts, RuntimeSpec]:
    device = DeviceRequest("cpu", threads=1)
    runtime = YourTts(RuntimeSettings("tts", f"path:{folder}", device), Options(**options))
    spec, _ = runtime.load()
    return runtime, spec


def spoken(runtime: YourTts) -> Samples:
    result = runtime.run([ITEM])[0]
    assert isinstance(result, Speech)
    return result.audio.samples


def torch_load(path: Path) -> Any:
    import torch

    return torch.load(path, weights_only=True)


def torch_save(value: Any, path: Path) -> None:
    import torch

    torch.save(value, path)


def test_each_speaker_has_a_voice_in_each_language(folder: Path) -> None:
    _, spec = open_runtime(folder)

    voices = {(voice.id, voice.language) for voice in spec.voices}

    assert voices == {(f"{s}/{c}", c) for s in SPEAKERS for c in ("en", "fr", "pt")}


def test_it_clones_in_each_language(folder: Path) -> None:
    _, spec = open_runtime(folder)

    assert spec.cloning_languages == ("en", "fr", "pt")


def test_the_licence_is_that_of_the_published_weights(folder: Path) -> None:
    _, spec = open_runtime(folder)

    assert spec.licence == yourtts.PUBLISHED_LICENCE


def copy_of(folder: Path, target: Path, without: str | None = None) -> Path:
    target.mkdir()
    for file in folder.iterdir():
        if file.name != without:
            (target / file.name).symlink_to(file)
    return target


def test_the_published_folder_is_not_changed(folder: Path) -> None:
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}

    open_runtime(folder)[0].warm_up()

    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_loading_and_speaking_print_nothing(
    folder: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    open_runtime(folder)[0].run([TtsItem("Hello ~ there", "male-en-2/en")])

    assert (*capfd.readouterr(), caplog.text) == ("", "", "")


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "config_se.json",
        "speakers.json",
        "language_ids.json",
        "model_file.pth",
        "model_se.pth",
    ],
)
def test_a_missing_file_is_named(folder: Path, tmp_path: Path, name: str) -> None:
    incomplete = copy_of(folder, tmp_path / "copy", without=name)

    with pytest.raises(WeightsError, match=name):
        open_runtime(incomplete)


def test_safetensors_are_read(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    copy = copy_of(folder, tmp_path / "copy", without="model_file.pth")
    save_file(torch_load(folder / "model_file.pth")["model"], copy / "model.safetensors")

    ours, same = (spoken(open_runtime(path)[0]) for path in (copy, folder))

    assert np.array_equal(ours, same)


class Unwelcome:
    """What weights_only refuses: a class of one's own."""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({"model": {}, "config": Unwelcome()}, "Python objects", id="objects"),
        pytest.param({"state": {}}, "no 'model'", id="no-model"),
        pytest.param({"model": {}}, "does not fit", id="no-tensors"),
    ],
)
def test_a_bad_checkpoint_says_what_is_wrong(
    folder: Path, tmp_path: Path, content: Any, message: str
) -> None:
    copy = copy_of(folder, tmp_path / "copy", without="model_file.pth")
    torch_save(content, copy / "model_file.pth")

    with pytest.raises(WeightsError, match=message):
        open_runtime(copy)


def test_a_damaged_checkpoint_says_so(folder: Path, tmp_path: Path) -> None:
    copy = copy_of(folder, tmp_path / "copy", without="model_se.pth")
    (copy / "model_se.pth").write_bytes((folder / "model_se.pth").read_bytes()[:10_000])

    with pytest.raises(WeightsError, match=r"model_se\.pth: not a checkpoint"):
        open_runtime(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"use_d_vector_file": False}, "d-vectors", id="speaker-ids"),
        pytest.param({"use_language_embedding": False}, "language", id="one-language"),
        pytest.param({"d_vector_dim": 64}, "of one size", id="d-vector-size"),
        pytest.param({"encoder_sample_rate": 8000}, "resampling", id="resampling"),
        pytest.param({"hidden_channels": "wide"}, "model_args", id="no-number"),
    ],
)
def test_a_model_of_another_kind_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    copy = copy_of(folder, tmp_path / "copy", without="config.json")
    (copy / "config.json").write_text(json.dumps(published.config(**change)))

    with pytest.raises(WeightsError, match=message):
        yourtts_checkpoint.read(resolve(f"path:{copy}"))


def test_the_tiny_checkpoint_is_small(folder: Path) -> None:
    assert sum(file.stat().st_size for file in folder.iterdir()) < 30_000_000


def test_warm_up_leaves_no_memory(folder: Path) -> None:
    runtime, _ = open_runtime(folder)

    runtime.warm_up()

    assert runtime._references is not None
    assert not runtime._references._memo
