"""M2M100 on one small model of random values: token for token as transformers, in any batch."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from models.devices.device import DeviceReport, DeviceRequest
from models.errors import ConfigError, WeightsError
from models.nmt.m2m100.convert import find_model
from models.nmt.m2m100.engine import M2m100Nmt, Options
from models.nmt.m2m100.rows import Row, Search
from models.nmt.m2m100.tokenizer import LANGUAGES, M2m100Tokenizer
from models.registry import ENGINES
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.types import NmtItem, Translation
from models.weights.cached_files import cache_folder
from models.weights.source import resolve
from tests.support.m2m100_transformers import M2m100TransformersNmt
from tests.support.m2m100_transformers import Options as TransformersOptions
from tests.support.processes import spawn
from tests.support.published.m2m100 import SENTENCES, TINY, write_model, write_tokenizer

MAX_TOKENS = 30  # a random model seldom ends by itself
Engine: TypeAlias = M2m100Nmt | M2m100TransformersNmt


def mixed_items(**fields: Any) -> list[NmtItem]:
    """Ten sentences of several lengths and scripts, each of another pair."""
    languages = list(SENTENCES)
    targets = languages[3:] + languages[:3]
    return [
        NmtItem(SENTENCES[source], source, target, **{"max_tokens": MAX_TOKENS} | fields)
        for source, target in zip(languages, targets, strict=True)
    ]


@dataclass(frozen=True)
class Loaded:
    engine: M2m100Nmt
    spec: RuntimeSpec
    report: DeviceReport


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


def settings(folder: Path) -> RuntimeSettings:
    return RuntimeSettings("translator", f"path:{folder}", DeviceRequest("cpu", threads=1))


def load(engine: Engine) -> Engine:
    engine.load()
    return engine


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Iterator[Loaded]:
    """Load in float32, as int8 rounds too much to be compared by tokens."""
    engine = M2m100Nmt(settings(folder), Options(compute_type="float32"))
    yield Loaded(engine, *engine.load())
    engine.close()


@pytest.fixture(scope="module")
def reference(folder: Path) -> Iterator[M2m100TransformersNmt]:
    engine = M2m100TransformersNmt(settings(folder), TransformersOptions())
    engine.load()
    yield engine
    engine.close()


def translations(results: Sequence[Translation | ItemError]) -> list[Translation]:
    assert not [result for result in results if isinstance(result, ItemError)]
    return [result for result in results if isinstance(result, Translation)]


def run(engine: Engine, items: Sequence[NmtItem]) -> list[Translation]:
    return translations(engine.run(items))


def generated(engine: Engine, tokenizer: M2m100Tokenizer, search: Search) -> list[list[int]]:
    """The tokens that the engine finds for ``mixed_items``; spare ones have one number."""
    rows = [
        Row(
            index,
            item,
            [
                tokenizer.language(item.source_language, "source_language"),
                *tokenizer.encode(item.text),
                tokenizer.end,
            ],
            tokenizer.language(item.target_language, "target_language"),
            MAX_TOKENS,
        )
        for index, item in enumerate(mixed_items())
    ]
    (unknown,) = tokenizer.ids(["<unk>"])
    return [
        [i if i < tokenizer.size else unknown for i in ids]
        for ids in engine._generate(rows, search)
    ]


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> M2m100Tokenizer:
    return M2m100Tokenizer.load(resolve(f"path:{folder}"))


# ---- the reference ------------------------------------------------------------------------


@pytest.mark.parametrize("language", SENTENCES)
def test_ids_are_those_of_transformers(
    folder: Path, tokenizer: M2m100Tokenizer, language: str
) -> None:
    from transformers import M2M100Tokenizer

    theirs = M2M100Tokenizer.from_pretrained(folder, src_lang=language)
    text = f"  {SENTENCES[language]} \u2603 42\n"
    ids = [tokenizer.language(language, "source_language"), *tokenizer.encode(text), tokenizer.end]
    assert ids == theirs(text).input_ids


def test_language_ids_are_those_of_transformers(folder: Path, tokenizer: M2m100Tokenizer) -> None:
    from transformers import M2M100Tokenizer

    reference = M2M100Tokenizer.from_pretrained(folder)
    ours = {code: tokenizer.language(code, "source_language") for code in LANGUAGES}
    assert ours == reference.lang_code_to_id


@pytest.mark.parametrize("beam_size", [1, 4], ids=["greedy", "beam-4"])
def test_tokens_are_those_of_transformers(
    loaded: Loaded,
    reference: M2m100TransformersNmt,
    tokenizer: M2m100Tokenizer,
    beam_size: int,
) -> None:
    """Both compute in float32; what they round differently is far below the margins here."""
    search = Search(beam_size, 1.0, MAX_TOKENS)
    ours, theirs = (generated(each, tokenizer, search) for each in (loaded.engine, reference))
    assert ours == theirs


def test_the_oracle_tells_rows_apart(loaded: Loaded, tokenizer: M2m100Tokenizer) -> None:
    found = generated(loaded.engine, tokenizer, Search(1, 1.0, MAX_TOKENS))
    assert len({tuple(ids) for ids in found}) == len(found)


def test_the_oracle_sees_translations_that_end_and_that_do_not(
    loaded: Loaded, tokenizer: M2m100Tokenizer
) -> None:
    found = generated(loaded.engine, tokenizer, Search(1, 1.0, MAX_TOKENS))
    assert min(map(len, found)) < MAX_TOKENS == max(map(len, found))


def test_texts_are_those_of_transformers(loaded: Loaded, reference: M2m100TransformersNmt) -> None:
    assert run(loaded.engine, mixed_items()) == run(reference, mixed_items())


# ---- batches ------------------------------------------------------------------------------


@pytest.mark.parametrize("beam_size", [1, 3], ids=["greedy", "beam-3"])
def test_a_batch_equals_single_items(loaded: Loaded, beam_size: int) -> None:
    engine, items = loaded.engine, mixed_items(beam_size=beam_size)
    assert run(engine, items) == [run(engine, [item])[0] for item in items]


def test_beams_of_several_kinds_share_a_batch(loaded: Loaded) -> None:
    engine, items = loaded.engine, mixed_items()
    items[1::3] = [replace(item, beam_size=3) for item in items[1::3]]
    items[2::3] = [replace(item, beam_size=3, length_penalty=0.2) for item in items[2::3]]
    assert run(engine, items) == [run(engine, [item])[0] for item in items]


def test_a_beam_is_not_greedy(loaded: Loaded) -> None:
    engine = loaded.engine
    assert run(engine, mixed_items(beam_size=5)) != run(engine, mixed_items())


def test_a_bound_cuts_and_changes_nothing_else(loaded: Loaded, tokenizer: M2m100Tokenizer) -> None:
    engine = loaded.engine
    long, short = (
        generated(engine, tokenizer, Search(1, 1.0, tokens)) for tokens in (MAX_TOKENS, 7)
    )
    assert short == [ids[:7] for ids in long]


def test_a_small_token_budget_changes_nothing(folder: Path, loaded: Loaded) -> None:
    engine = load(M2m100Nmt(settings(folder), Options(compute_type="float32", max_batch_tokens=25)))
    assert run(engine, mixed_items()) == run(loaded.engine, mixed_items())


def test_a_text_as_long_as_the_model_allows(loaded: Loaded) -> None:
    item = NmtItem("\u2603 " * 511, "en", "pt", max_tokens=1022)  # 1022 tokens, 1024 positions
    assert len(run(loaded.engine, [item])) == 1


def test_an_empty_batch(loaded: Loaded) -> None:
    assert loaded.engine.run([]) == []


def test_warm_up(loaded: Loaded) -> None:
    loaded.engine.warm_up()


# ---- what is loaded -----------------------------------------------------------------------


def test_spec(loaded: Loaded) -> None:
    spec = loaded.spec
    assert (spec.kind, spec.engine, spec.languages) == ("nmt", "m2m100", LANGUAGES)
    assert spec.translates("sw", "is")
    assert not spec.translates("en", "en")


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


def test_the_tokenizers_optional_files_are_not_needed(copy: Path, loaded: Loaded) -> None:
    for name in ("special_tokens_map.json", "tokenizer_config.json", "generation_config.json"):
        (copy / name).unlink()
    engine = load(M2m100Nmt(settings(copy), Options(compute_type="float32")))
    assert run(engine, mixed_items()) == run(loaded.engine, mixed_items())


def test_safetensors_are_the_same_model(copy: Path, loaded: Loaded) -> None:
    import torch
    from safetensors.torch import save_file

    tensors = torch.load(copy / "pytorch_model.bin", weights_only=True)
    shared = {"model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"}
    kept = {name: tensors[name] for name in tensors.keys() - shared - {"lm_head.weight"}}
    save_file(kept, copy / "model.safetensors", metadata={"format": "pt"})
    (copy / "pytorch_model.bin").unlink()
    engine = load(M2m100Nmt(settings(copy), Options(compute_type="float32")))
    assert run(engine, mixed_items()) == run(loaded.engine, mixed_items())


@pytest.mark.parametrize("other", ["model.safetensors", "model.bin"])
def test_no_file_is_read_in_the_place_of_the_pinned_one(copy: Path, other: str) -> None:
    (copy / other).write_bytes(b"something else")
    pinned = hashlib.sha256((copy / "pytorch_model.bin").read_bytes()).hexdigest()
    pins = {"pytorch_model.bin": pinned}
    engine = ENGINES["m2m100"].create(replace(settings(copy), sha256=pins))
    engine.load()
    engine.close()


def test_a_folder_that_was_converted_is_loaded_as_it_is(
    folder: Path, tmp_path: Path, cache: Path, loaded: Loaded
) -> None:
    types = {_stored_type(path): path for path in (cache / "ctranslate2").glob("*/")}
    converted = types["float32"]
    ready = Path(shutil.copytree(converted, tmp_path / "ready"))
    for name in ("sentencepiece.bpe.model", "vocab.json"):
        shutil.copy(folder / name, ready)
    engine = load(M2m100Nmt(settings(ready), Options(compute_type="float32")))
    assert run(engine, mixed_items()) == run(loaded.engine, mixed_items())


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
