"""Turns text into the words that people say for its written signs.

``spoken`` does not change its own output. So the graph can use it on a whole text before that is
cut into sentences (a mark may span several, and the point of "Av." ends none), and an engine on any
text that it gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from models.text.sentences import split
from models.tts.normalisation import english, portuguese, romance
from models.tts.normalisation.addresses import with_addresses_said
from models.tts.normalisation.markup import tidy, without_marks, without_markup
from models.tts.normalisation.vocabulary import Rule, Vocabulary, applied

MAX_PASSES = 4  # a sign may hide another; prose takes one pass, and one more to confirm


@dataclass(frozen=True, slots=True)
class _Language:
    vocabulary: Vocabulary
    rules: tuple[Rule, ...]


@cache
def _languages() -> Mapping[str, _Language]:
    return {
        "en": _Language(english.VOCABULARY, english.rules()),
        "pt": _Language(portuguese.VOCABULARY, portuguese.rules()),
        **{
            code: _Language(vocabulary, romance.rules(code))
            for code, vocabulary in romance.VOCABULARIES.items()
        },
    }


def spoken(text: str, language: str) -> str:
    """Return the text without markup, and with its signs in words.

    English and Portuguese have the most rules, Spanish, French and Italian those of quantities and
    dates, and other languages none.

    Args:
        text: any text; an empty result means that there is nothing to say.
        language: ISO 639-1, with or without a region.
    """
    rules = _languages().get(language.split("-")[0].lower())
    for _ in range(MAX_PASSES):
        before, text = text, _once(text, rules)
        if text == before:
            break
    return text


def _once(text: str, rules: _Language | None) -> str:
    text = without_markup(text)
    text = with_addresses_said(text, rules.vocabulary if rules else None)
    text = without_marks(text)
    return tidy(applied(rules.rules, text)) if rules else text


def sentences(text: str, language: str) -> tuple[str, ...]:
    """Cut a text into sentences to speak."""
    return split(spoken(text, language), language).sentences
