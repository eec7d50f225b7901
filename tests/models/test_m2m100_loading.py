"""M2M100's files: found, checked, converted once, and loaded."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ConfigError, WeightsError
from models.nmt.m2m100.convert import find_model
from models.nmt.m2m100.engine import M2m100Nmt, Options
from models.nmt.m2m100.tokenizer import M2m100Tokenizer
from models.registry import ENGINES
from models.types import Translation
from models.weights.cached_files import cache_folder
from models.weights.source import resolve
from tests.support.m2m100 import load, mixed_items, run, settings
from tests.support.processes import spawn
from tests.support.published.m2m100 import SENTENCES, TINY, write_model, write_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in the published layout, with its tensors in ``pytorch_model.bin``."""
    folder = tmp_path_factory.mktemp("m2m100")
    write_model(folder, write_tokenizer(folder), **TINY)
    return folder


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRAGOMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield cache_folder()


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> M2m100Tokenizer:
    return M2m100Tokenizer.load(resolve(f"path:{folder}"))


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[Translation]:
    return run(load(M2m100Nmt(settings(folder), Options(compute_type="float32"))), mixed_items())


def test_the_table_of_engines_knows_it(folder: Path) -> None:
    spec, report = ENGINES["m2m100"].create(settings(folder)).load()
    assert (spec.engine, report.actual) == ("m2m100", "cpu")


def test_int8_is_the_default_on_a_cpu(folder: Path) -> None:
    engine = M2m100Nmt(settings(folder), Options())
    _, report = engine.load()
    assert report.precision.startswith("int8")  # "int8_float32" in full
    assert len(run(engine, mixed_items())) == len(SENTENCES)


def test_float16_on_a_cpu_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="compute_type"):
        M2m100Nmt(settings(folder), Options(compute_type="float16")).load()


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def conversions(caplog: pytest.LogCaptureFixture) -> int:
    return sum("converting" in record.message for record in caplog.records)


def test_a_model_is_converted_once(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))
    caplog.set_level(logging.INFO, "dragoman")
    first, second = (load(M2m100Nmt(settings(copy), Options())) for _ in range(2))
    assert conversions(caplog) == 1
    assert run(first, mixed_items()) == run(second, mixed_items())


def test_each_compute_type_is_another_conversion(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))
    caplog.set_level(logging.INFO, "dragoman")
    load(M2m100Nmt(settings(copy), Options()))
    load(M2m100Nmt(settings(copy), Options(compute_type="float32")))
    assert conversions(caplog) == 2


def test_a_changed_model_is_converted_again(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))
    caplog.set_level(logging.INFO, "dragoman")
    load(M2m100Nmt(settings(copy), Options()))
    write_model(copy, write_tokenizer(copy), **TINY, seed=1)
    load(M2m100Nmt(settings(copy), Options()))
    assert conversions(caplog) == 2


def test_processes_that_start_together_convert_once(folder: Path, tmp_path: Path) -> None:
    code = (
        "import logging; logging.basicConfig(level=logging.INFO)\n"
        "from models.devices.device import DeviceRequest; from models.registry import ENGINES\n"
        "from models.runtime import RuntimeSettings\n"
        f"settings = RuntimeSettings('n', 'path:{folder}', DeviceRequest('cpu'))\n"
        "ENGINES['m2m100'].create(settings).load()"
    )
    started = [spawn("-c", code, DRAGOMAN_CACHE=str(tmp_path)) for _ in range(2)]
    logs = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], logs
    assert "".join(logs).count("converting") == 1


def test_a_conversion_that_failed_leaves_nothing(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))
    tensors = torch.load(copy / "pytorch_model.bin", weights_only=True)
    del tensors["model.decoder.layers.1.fc2.bias"]
    torch.save(tensors, copy / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"model\.decoder\.layers\.1\.fc2\.bias"):
        M2m100Nmt(settings(copy), Options()).load()
    assert not list((tmp_path / "cache" / "ctranslate2").glob("*/"))


def test_a_tensor_of_another_shape_is_named(copy: Path) -> None:
    import torch

    tensors = torch.load(copy / "pytorch_model.bin", weights_only=True)
    tensors["model.encoder.layers.0.fc1.bias"] = torch.zeros(3)
    torch.save(tensors, copy / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"layers\.0\.fc1\.bias has the shape \[3\], not \[64\]"):
        M2m100Nmt(settings(copy), Options()).load()


def test_the_tokenizers_optional_files_are_not_needed(
    copy: Path, expected: list[Translation]
) -> None:
    for name in ("special_tokens_map.json", "tokenizer_config.json", "generation_config.json"):
        (copy / name).unlink()
    engine = load(M2m100Nmt(settings(copy), Options(compute_type="float32")))
    assert run(engine, mixed_items()) == expected


def test_safetensors_are_the_same_model(copy: Path, expected: list[Translation]) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = torch.load(copy / "pytorch_model.bin", weights_only=True)
    shared = {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"}
    kept = {name: tensors[name] for name in tensors.keys() - shared - {"lm_head.weight"}}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    (copy / "pytorch_model.bin").unlink()
    engine = load(M2m100Nmt(settings(copy), Options(compute_type="float32")))
    assert run(engine, mixed_items()) == expected


@pytest.mark.parametrize("other", ["model.safetensors", "model.bin"])
def test_no_file_is_read_in_the_place_of_the_pinned_one(copy: Path, other: str) -> None:
    (copy / other).write_bytes(b"something else")
    pinned = hashlib.sha256((copy / "pytorch_model.bin").read_bytes()).hexdigest()
    pins = {"pytorch_model.bin": pinned}
    engine = ENGINES["m2m100"].create(replace(settings(copy), sha256=pins))
    engine.load()
    engine.close()


def test_a_folder_that_was_converted_is_loaded_as_it_is(
    folder: Path, tmp_path: Path, cache: Path, expected: list[Translation]
) -> None:
    types = {_stored_type(path): path for path in (cache / "ctranslate2").glob("*/")}
    converted = types["float32"]
    ready = Path(shutil.copytree(converted, tmp_path / "ready"))
    for name in ("sentencepiece.bpe.model", "vocab.json"):
        shutil.copy(folder / name, ready)
    engine = load(M2m100Nmt(settings(ready), Options(compute_type="float32")))
    assert run(engine, mixed_items()) == expected


def _stored_type(converted: Path) -> str:
    from ctranslate2 import Translator

    kind: str = Translator(str(converted), compute_type="default").compute_type
    return kind


@pytest.mark.parametrize("compute_type", ["float16", "int8_float16"])
def test_a_conversion_for_cuda_is_whole(
    folder: Path, tokenizer: M2m100Tokenizer, compute_type: str
) -> None:
    """It runs on CUDA alone, but can be opened here, where CTranslate2 computes as it can."""
    from ctranslate2 import Translator

    converted = find_model(resolve(f"path:{folder}"), tokenizer).folder(compute_type)
    model = Translator(str(converted), compute_type="auto")
    (result,) = model.translate_batch([["__en__", "</s>"]], [["__pt__"]], max_decoding_length=3)
    assert result.hypotheses[0][0] == "__pt__"


@pytest.mark.parametrize(
    "name", ["config.json", "vocab.json", "sentencepiece.bpe.model", "pytorch_model.bin"]
)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(WeightsError, match=name):
        ENGINES["m2m100"].create(settings(copy)).load()


def test_a_model_with_too_few_rows_is_refused(copy: Path) -> None:
    vocabulary = json.loads((copy / "vocab.json").read_text())
    more = {f"more{i}": len(vocabulary) + i for i in range(9)}  # there are 8 spare rows
    (copy / "vocab.json").write_text(json.dumps(vocabulary | more))
    with pytest.raises(WeightsError, match="its vocabulary and languages"):
        ENGINES["m2m100"].create(settings(copy)).load()
