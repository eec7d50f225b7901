"""NLLB-200's languages and scripts on a small model of random values, and its other tokenizer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.devices.device import DeviceRequest
from models.nmt.ctranslate2.engine import CTranslate2Translator, Options
from models.runtime import RuntimeSettings
from models.types import NmtItem
from tests.support.m2m100 import translations
from tests.support.published.ctranslate2 import FLORES, build
from tests.support.published.m2m100 import SENTENCES


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRAGOMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def settings(folder: Path) -> RuntimeSettings:
    return RuntimeSettings("translator", f"path:{folder}", DeviceRequest("cpu", threads=1))


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return build(tmp_path_factory.mktemp("nllb"), "nllb")


def tokens_of(folder: Path, item: NmtItem, **options: Any) -> tuple[list[str], list[str]]:
    engine = CTranslate2Translator(settings(folder), Options(**options))
    engine.load()
    assert engine._family is not None
    tokens = engine._family.tokens(item)
    return tokens.source, tokens.prefix


@pytest.mark.parametrize("language", FLORES)
def test_the_languages_of_nllb_have_flores_codes(nllb: tuple[Path, Path], language: str) -> None:
    other = "en" if language != "en" else "pt"
    source, prefix = tokens_of(nllb[1], NmtItem("42", language, other))
    assert (source[0], prefix) == (FLORES[language], [FLORES[other]])


def test_a_text_tells_its_script(nllb: tuple[Path, Path]) -> None:
    texts = {"kas_Arab": "یہ چھُ", "kas_Deva": "यि छु"}
    found = [tokens_of(nllb[1], NmtItem(text, "ks", "en"))[0][0] for text in texts.values()]
    assert found == [*texts]


def test_the_configuration_chooses_a_script(nllb: tuple[Path, Path]) -> None:
    item = NmtItem("Hello.", "en", "zh")
    usual, chosen = (
        tokens_of(nllb[1], item, **options)[1] for options in ({}, {"codes": {"zh": "zho_Hant"}})
    )
    assert (usual, chosen) == (["zho_Hans"], ["zho_Hant"])


def test_a_folder_with_the_other_form_of_the_tokenizer(
    nllb: tuple[Path, Path], tmp_path: Path
) -> None:
    """Some conversions copied ``tokenizer.json`` alone."""
    published, folder = nllb
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "sentencepiece.bpe.model").unlink()
    shutil.copy(published / "tokenizer.json", copy)
    items = [NmtItem(text, "en", "pt", max_tokens=9) for text in SENTENCES.values()]
    ours, theirs = (
        CTranslate2Translator(settings(each), Options(compute_type="float32"))
        for each in (copy, folder)
    )
    for engine in (ours, theirs):
        engine.load()
    assert translations(ours.run(items)) == translations(theirs.run(items))
