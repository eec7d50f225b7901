"""NLLB-200, Opus-MT and MADLAD-400 on CTranslate2: as the libraries say, in any batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from models.contract.checks import check_engine
from models.devices.device import DeviceRequest
from models.nmt.ctranslate2.engine import CTranslate2Translator, Options
from models.nmt.ctranslate2.family import Family
from models.nmt.ctranslate2.rows import Row
from models.nmt.search import Search
from models.registry import ENGINES
from models.runtime import ItemError, RuntimeSettings, RuntimeSpec
from models.types import NmtItem, Term, Translation
from tests.support.m2m100 import translations
from tests.support.published.ctranslate2 import build
from tests.support.published.m2m100 import SENTENCES

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
FAMILIES = ("nllb", "opus-mt", "madlad")
MAX_TOKENS = 30  # a random model seldom ends by itself
TARGETS = {"nllb": "pt", "opus-mt": "de", "madlad": "pt"}


def settings(folder: Path) -> RuntimeSettings:
    return RuntimeSettings("translator", f"path:{folder}", DeviceRequest("cpu", threads=1))


@dataclass(frozen=True)
class Loaded:
    """A model in both forms, and the engine that has it in float32, as int8 rounds too much."""

    name: str
    published: Path
    folder: Path
    engine: CTranslate2Translator
    spec: RuntimeSpec

    @property
    def family(self) -> Family:
        assert self.engine._family is not None
        return self.engine._family

    def items(self, **fields: Any) -> list[NmtItem]:
        """Sentences of several lengths and scripts, all from English, as Opus-MT has one pair."""
        asked = {"max_tokens": MAX_TOKENS} | fields
        return [NmtItem(text, "en", TARGETS[self.name], **asked) for text in SENTENCES.values()]

    def rows(self, beam_size: int = 1) -> list[Row]:
        found = []
        for index, item in enumerate(self.items(beam_size=beam_size)):
            tokens = self.family.tokens(item)
            found.append(Row(index, item, tokens.source, tokens.prefix, MAX_TOKENS))
        return found

    def generated(self, beam_size: int) -> list[list[str]]:
        return self.engine._generate(self.rows(beam_size), Search(beam_size, 1.0, MAX_TOKENS))

    def asked(self, text: str) -> str:
        """Write a text as the published use does."""
        return f"<2pt> {text}" if self.name == "madlad" else text

    @cached_property
    def tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.published)

    @cached_property
    def network(self) -> Any:
        from transformers import AutoModelForSeq2SeqLM

        return AutoModelForSeq2SeqLM.from_pretrained(self.published).eval()


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRAGOMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", params=FAMILIES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    published, folder = build(tmp_path_factory.mktemp("models"), request.param)
    engine = CTranslate2Translator(settings(folder), Options(compute_type="float32"))
    spec, _ = engine.load()
    return Loaded(request.param, published, folder, engine, spec)


def run(engine: Any, items: list[NmtItem]) -> list[Translation]:
    return translations(engine.run(items))


def test_tokens_of_a_text_are_those_of_transformers(loaded: Loaded) -> None:
    for row in loaded.rows():
        theirs = loaded.tokenizer.convert_ids_to_tokens(
            loaded.tokenizer(loaded.asked(row.item.text)).input_ids
        )
        known = loaded.family._known | loaded.family._marks
        assert [token if token in known else "<unk>" for token in row.source] == theirs


def test_tokens_are_those_of_transformers(loaded: Loaded) -> None:
    """Both compute in float32; what they round differently is far below the margins here."""
    import torch

    ours, theirs = loaded.generated(1), []
    start = 2 if loaded.name == "nllb" else 1  # behind the start, and NLLB's language
    forced = {}
    if loaded.name == "nllb":
        forced["forced_bos_token_id"] = loaded.tokenizer.convert_tokens_to_ids("por_Latn")
    for item in loaded.items():
        ids = torch.tensor([loaded.tokenizer(loaded.asked(item.text)).input_ids])
        found = loaded.network.generate(
            ids,
            min_new_tokens=1,  # as CTranslate2 has it
            max_new_tokens=MAX_TOKENS + start - 1,
            num_beams=1,
            do_sample=False,
            **forced,
        )
        tokens = loaded.tokenizer.convert_ids_to_tokens(found[0].tolist())[start:]
        theirs.append(tokens[: tokens.index("</s>")] if "</s>" in tokens else tokens)
    assert ours == theirs


@pytest.mark.parametrize("beam_size", [1, 4], ids=["greedy", "beam-4"])
def test_tokens_are_those_of_ctranslate2_one_by_one(loaded: Loaded, beam_size: int) -> None:
    """Called as its documentation says, with the tokens of transformers' tokenizer."""
    from ctranslate2 import Translator

    model = Translator(str(loaded.folder), compute_type="float32")
    prefix = [["por_Latn"]] if loaded.name == "nllb" else None
    skipped = len(prefix or [])
    theirs = []
    for item in loaded.items():
        ids = loaded.tokenizer.encode(loaded.asked(item.text))
        source = loaded.tokenizer.convert_ids_to_tokens(ids)
        (result,) = model.translate_batch(
            [source],
            target_prefix=prefix,
            beam_size=beam_size,
            max_decoding_length=MAX_TOKENS + skipped,
        )
        theirs.append(result.hypotheses[0][skipped:])
    assert loaded.generated(beam_size) == theirs


def test_the_oracle_tells_rows_apart(loaded: Loaded) -> None:
    found = loaded.generated(1)
    assert len({tuple(tokens) for tokens in found}) >= len(found) - 2
    assert min(map(len, found)) < MAX_TOKENS == max(map(len, found))


@pytest.mark.parametrize("beam_size", [1, 3], ids=["greedy", "beam-3"])
def test_tokens_of_a_batch_are_those_of_single_items(loaded: Loaded, beam_size: int) -> None:
    search = Search(beam_size, 1.0, MAX_TOKENS)
    alone = [loaded.engine._generate([row], search)[0] for row in loaded.rows(beam_size)]
    assert loaded.generated(beam_size) == alone


def test_int8_says_the_same_alone_and_in_a_batch(loaded: Loaded) -> None:
    engine = ENGINES["ctranslate2-translator"].create(settings(loaded.folder))
    _, report = engine.load()
    items = loaded.items()
    assert report.precision.startswith("int8")  # "int8_float32" in full
    assert run(engine, items) == [run(engine, [item])[0] for item in items]
    engine.close()


def test_beams_and_bounds_of_several_kinds_share_a_batch(loaded: Loaded) -> None:
    items = loaded.items()
    items[1::3] = [replace(item, beam_size=3) for item in items[1::3]]
    items[2::3] = [replace(item, beam_size=3, length_penalty=0.2) for item in items[2::3]]
    items[::4] = [replace(item, max_tokens=5) for item in items[::4]]
    alone = [run(loaded.engine, [item])[0] for item in items]
    assert run(loaded.engine, items) == alone


def test_guards_against_repetition_are_the_same_alone_and_in_a_batch(loaded: Loaded) -> None:
    options = Options(compute_type="float32", repetition_penalty=1.3, no_repeat_ngram_size=2)
    engine = CTranslate2Translator(settings(loaded.folder), options)
    engine.load()
    items = loaded.items()
    together = run(engine, items)
    assert together == [run(engine, [item])[0] for item in items]
    assert together != run(loaded.engine, items)


def test_it_keeps_the_contract(loaded: Loaded) -> None:
    engine = ENGINES["ctranslate2-translator"]
    checks = check_engine(engine, settings(loaded.folder))
    assert [check for check in checks if check.status == "failed"] == []


def test_spec(loaded: Loaded) -> None:
    licences = {"nllb": "CC-BY-NC-4.0", "opus-mt": "CC-BY-4.0", "madlad": "Apache-2.0"}
    spec = loaded.spec
    assert (spec.engine, spec.licence) == ("ctranslate2-translator", licences[loaded.name])
    assert spec.translates("en", TARGETS[loaded.name])
    assert spec.translates("he", "fa") == (loaded.name == "nllb")


def test_links_and_terms_stay(loaded: Loaded) -> None:
    engine = ENGINES["ctranslate2-translator"].create(settings(loaded.folder))
    spec, _ = engine.load()
    link, target = "https://example.org/a?b=1", TARGETS[loaded.name]
    items = [
        NmtItem(f"Where is {link} the nearest station?", "en", target),
        NmtItem("Where is the station?", "en", target, terms=(Term("station", "Bahnhof"),)),
    ]
    kept, with_term = run(engine, items)
    assert (link in kept.text, "Bahnhof" in with_term.text, spec.takes_terms) == (True,) * 3


def test_a_special_token_in_a_text_is_text(loaded: Loaded) -> None:
    text = "Where </s> is <2de> >>fra<< deu_Latn the station?"
    tokens = loaded.family.tokens(NmtItem(text, "en", TARGETS[loaded.name]))
    own = [token for token in tokens.source if token in loaded.family._marks]
    assert (
        own
        == {
            "nllb": ["eng_Latn", "</s>"],
            "opus-mt": ["</s>"],
            "madlad": ["<2pt>", "</s>"],
        }[loaded.name]
    )


def test_what_it_refuses_harms_no_neighbour(loaded: Loaded) -> None:
    good = loaded.items()[0]
    bad = {
        "UnsupportedPair": replace(good, target_language="xx"),
        "TooLarge": replace(good, text="Where is the station? " * 400),
        "InvalidRequest": replace(good, text="half \ud800"),
    }
    before, *refused, after = loaded.engine.run([good, *bad.values(), good])
    kinds = [type(each.error).__name__ for each in refused if isinstance(each, ItemError)]
    assert (kinds, before, after) == ([*bad], *run(loaded.engine, [good, good]))


def test_a_text_without_words_is_an_empty_text(loaded: Loaded) -> None:
    item = loaded.items()[0]
    found = run(loaded.engine, [replace(item, text=text) for text in ("", "  \n")])
    assert [each.text for each in found] == ["", ""]


def test_warm_up(loaded: Loaded) -> None:
    loaded.engine.warm_up()
