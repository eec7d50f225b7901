"""What translations keep of what is no prose: with real students, and on M2M100's own way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.kept import SETTINGS, TEXTS, translate
from bench.kept_judge import judge, read_cases
from models.devices.device import DeviceRequest
from models.nmt.bergamot.engine import BergamotNmt, Options
from models.registry import ENGINES
from models.runtime import RuntimeSettings
from models.types import NmtItem, Translation
from tests.support.published.m2m100 import SENTENCES, TINY, write_model, write_tokenizer
from tests.support.speech import chrf
from tests.support.translations import SPOKEN, references

PAIRS = ["en-pt", "pt-en"]
# Of a kind and a direction, and of all of a direction; other sums of 8 bits may lose another text.
MIN_OF_A_KIND, MIN_OF_ALL = 0.75, 0.94


@pytest.fixture(scope="module")
def bare() -> Iterator[BergamotNmt]:
    engine = BergamotNmt(SETTINGS, Options())
    engine.load()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def keeping() -> Iterator[Any]:
    engine = ENGINES["bergamot"].create(SETTINGS)
    engine.load()
    yield engine
    engine.close()


@pytest.mark.parametrize("pair", PAIRS)
def test_texts_of_all_kinds_are_kept(bare: BergamotNmt, keeping: Any, pair: str) -> None:
    cases = read_cases(TEXTS / f"{pair}.txt", pair)
    expected = translate(bare, [case.plain for case in cases], pair)
    answers = translate(keeping, [case.source for case in cases], pair)
    kept: dict[str, list[bool]] = {}
    for case, answer, reference in zip(cases, answers, expected, strict=True):
        kept.setdefault(case.kind, []).append(not judge(case, answer, reference))
    shares = {kind: sum(those) / len(those) for kind, those in kept.items()}
    assert {kind: share for kind, share in shares.items() if share < MIN_OF_A_KIND} == {}
    assert sum(shares.values()) / len(shares) > MIN_OF_ALL


@pytest.mark.parametrize("pair", PAIRS)
def test_a_copy_is_not_kept(pair: str) -> None:
    """The judge of the other tests is not to be pleased by texts that come through as they are."""
    cases = [
        case
        for case in read_cases(TEXTS / f"{pair}.txt", pair)
        if case.kind not in ("negation", "words")
    ]
    kept = [case for case in cases if not judge(case, case.source, case.plain)]
    assert kept == []


@pytest.mark.parametrize("pair", PAIRS)
def test_plain_prose_is_what_the_engine_alone_makes_of_it(
    bare: BergamotNmt, keeping: Any, pair: str
) -> None:
    sources = [
        source
        for source, _ in references(pair)
        if not any(map(str.isdigit, source)) and len(source.split()) > 2
    ]
    assert translate(keeping, sources, pair) == translate(bare, sources, pair)


def test_spoken_prose_is_as_near_to_people_as_before(bare: BergamotNmt, keeping: Any) -> None:
    sources, expected = zip(*SPOKEN, strict=True)
    scores = [
        chrf(list(expected), translate(engine, list(sources), "en-pt"))
        for engine in (keeping, bare)
    ]
    assert scores[0] >= scores[1]


def test_a_batch_equals_single_items(keeping: Any) -> None:
    texts = ["Pay £35 now.", "Where is it?", "STOP", "The word 日本 is here.", "https://x.org"]
    batch = [NmtItem(text, "en", "pt") for text in texts]
    assert keeping.run(batch) == [keeping.run([item])[0] for item in batch]


# ---- M2M100, with random values: only what becomes of items can be judged ----------------------

ITEMS = ["£35", "{name}", "https://x.org/a#b", "日本", "`a b`", "−12 °C"]
SENTENCE = "Please give it to {} before noon."


@pytest.fixture(scope="module")
def m2m100(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("kept")
    texts = [SENTENCE, "X1 X2 X3 X4 X5 X6 X7 X8 X9", "(1) (2) (3)", SENTENCES["en"]]
    write_model(folder, write_tokenizer(folder, texts), **TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRAGOMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        settings = RuntimeSettings("nmt", f"path:{folder}", DeviceRequest("cpu", threads=1))
        engine = ENGINES["m2m100"].create(settings)
        engine.load()
        yield engine
        engine.close()


@pytest.mark.parametrize("item", ITEMS, ids=ascii)
def test_m2m100_loses_no_item(m2m100: Any, item: str) -> None:
    (result,) = m2m100.run([NmtItem(SENTENCE.replace("{}", item), "en", "pt")])
    assert isinstance(result, Translation)
    assert result.text.count(item) == 1


def test_m2m100_says_which_letters_it_cannot_read(m2m100: Any) -> None:
    (result,) = m2m100.run([NmtItem(SENTENCE.replace("{}", "日本"), "en", "pt")])
    assert "passed_through" in [warning.code for warning in result.warnings]
