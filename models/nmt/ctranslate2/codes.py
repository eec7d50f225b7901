"""Codes that models name languages by: FLORES-200's, ISO 639-3's and MADLAD-400's, and ours."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from models.text.languages import language_code

# Single languages that models name where people name the one that they belong to.
_PARTS = MappingProxyType(
    {
        **{"als": "sq", "arb": "ar", "ayr": "ay", "azj": "az", "ekk": "et", "fuv": "ff"},
        **{"gaz": "om", "khk": "mn", "kmr": "ku", "knc": "kr", "lvs": "lv", "npi": "ne"},
        **{"ory": "or", "pbt": "ps", "pes": "fa", "plt": "mg", "pob": "pt", "quy": "qu"},
        **{"swh": "sw", "uzn": "uz", "ydd": "yi", "zsm": "ms"},
    }
)
# The script of a language that models write in two, where it is not the Latin one.
_FIRST_SCRIPTS = MappingProxyType({"ar": "Arab", "ks": "Arab", "sr": "Cyrl", "zh": "Hans"})
# Scripts of languages that have two, by the word that the names of their letters begin with.
_LETTERS = MappingProxyType(
    {
        **{"ARABIC": "Arab", "CYRILLIC": "Cyrl", "DEVANAGARI": "Deva", "LATIN": "Latn"},
        **{"TIFINAGH": "Tfng"},
    }
)


def language_of(code: str) -> str:
    """Return our code of a language for a model's.

    >>> [language_of(code) for code in ("eng_Latn", "pes_Arab", "zho_Hant", "pt_BR", "iw", "acm")]
    ['en', 'fa', 'zh', 'pt', 'he', 'acm']
    """
    base = code.partition("_")[0].partition("-")[0]
    return _PARTS.get(base) or language_code(base) or base


def by_language(
    codes: Iterable[str], chosen: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return a model's codes of each language, the one to translate into first.

    Args:
        codes: all that the model has.
        chosen: those that the configuration wants first, by language.
    """
    found: dict[str, list[str]] = {}
    for code in codes:
        found.setdefault(language_of(code), []).append(code)
    first = chosen or {}
    return {
        language: tuple(sorted(own, key=lambda code: (code != first.get(language), _rank(code))))
        for language, own in found.items()
    }


def _rank(code: str) -> tuple[bool, int, str]:
    """Order codes of one language: the whole before its parts, its first script before others."""
    base, _, script = code.partition("_")
    usual = _FIRST_SCRIPTS.get(language_of(code), "Latn")
    return base in _PARTS, 0 if not script else 1 if script == usual else 2, code


def code_of_text(codes: tuple[str, ...], text: str) -> str:
    """Return the code, of those of one language, whose script a text is in; else the first."""
    if len(codes) == 1:
        return codes[0]
    names = (unicodedata.name(character, "") for character in text if character.isalpha())
    scripts = Counter(_LETTERS.get(name.partition(" ")[0]) for name in names)
    most = max(codes, key=lambda code: scripts[code.partition("_")[2]])
    return most if scripts[most.partition("_")[2]] else codes[0]
