"""M2M100 on one small model of random values: token for token as transformers, in any batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from models.devices.device import DeviceReport
from models.nmt.m2m100.engine import M2m100Nmt, Options
from models.nmt.m2m100.rows import Row
from models.nmt.m2m100.tokenizer import LANGUAGES, M2m100Tokenizer
from models.nmt.search import Search
from models.runtime import RuntimeSpec
from models.types import NmtItem
from models.weights.cached_files import cache_folder
from models.weights.source import resolve
from tests.support.m2m100 import MAX_TOKENS, Engine, load, mixed_items, run, settings
from tests.support.m2m100_transformers import M2m100TransformersNmt
from tests.support.m2m100_transformers import Options as TransformersOptions
from tests.support.published.m2m100 import SENTENCES, TINY, write_model, write_tokenizer


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


def test_spec(loaded: Loaded) -> None:
    spec = loaded.spec
    assert (spec.kind, spec.engine, spec.languages) == ("nmt", "m2m100", LANGUAGES)
    assert spec.translates("sw", "is")
    assert not spec.translates("en", "en")
