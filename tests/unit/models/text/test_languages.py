"""Languages as people and clients write them."""

from __future__ import annotations

import pytest

from models.nmt.m2m100.tokenizer import LANGUAGES
from models.text.languages import language_code

NAMED = {
    "a code": ("pt", "pt"),
    "capitals": ("PT", "pt"),
    "a region": ("en-US", "en"),
    "a region behind an underscore": ("pt_BR", "pt"),
    "a script": ("zh-Hant-TW", "zh"),
    "a locale of POSIX": ("pt_BR.UTF-8", "pt"),
    "a name": ("english", "en"),
    "a name in capitals": ("Portuguese", "pt"),
    "spaces around": ("  German ", "de"),
    "a name of two words": ("haitian creole", "ht"),
    "another name": ("Castilian", "es"),
    "its own name": ("português", "pt"),
    "its own name without accents": ("Francais", "fr"),
    "its own script": ("Русский", "ru"),
    "vowel signs": ("हिन्दी", "hi"),
    "three letters": ("eng", "en"),
    "three letters of libraries": ("ger", "de"),
    "three letters and a region": ("por-BR", "pt"),
    "a code that was withdrawn": ("iw", "he"),
    "a part of a language": ("nb-NO", "no"),
    "Whisper's own code": ("jw", "jw"),
    "of no table": ("tlh", "tlh"),
    "of no language": ("klingon", "klingon"),
    "a half of a tag": ("en-", "en-"),
}


@pytest.mark.parametrize(("text", "code"), NAMED.values(), ids=NAMED)
def test_a_language_has_one_code(text: str, code: str) -> None:
    assert language_code(text) == code


@pytest.mark.parametrize("text", ["", "  ", "auto", "AUTO", "detect", "und"])
def test_what_names_none_is_to_be_detected(text: str) -> None:
    assert language_code(text) is None


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_model_s_code_stays_as_it_is(code: str) -> None:
    assert language_code(code) == code


def test_a_long_text_is_not_searched() -> None:
    assert language_code("english " * 10_000) == ("english " * 10_000).strip()
