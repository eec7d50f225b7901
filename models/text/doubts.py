"""Warnings about translations, and the checks of their text that raise some of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from models.types import AnswerWarning

_NEGATIONS = {
    "en": r"\b(?:not|no|never|none|nobody|nothing|nowhere|neither|nor|cannot|without|unable|fails?"
    r"|failed|hardly|unless|lacks?|refuse[sd]?|stop(?:s|ped)?|avoid)\b|n['’]t\b"
    r"|\b(?:un|in|im|dis|non)\w{4,}|\w{3}less\b",
    "pt": r"\b(?:não|nao|nunca|jamais|nem|ninguém|nada|nenhum(?:a|as|uns)?|nenhuns|sem|tampouco"
    r"|impossível|deixe de|evite|falta|pare)\b|\b(?:in|im|des|ir)\w{4,}",
}
# Words that surely negate; the wider patterns above also match words that only may.
_SURE = {
    "en": r"\b(?:not|never|nobody|nothing|cannot)\b|n['’]t\b",
    "pt": r"\b(?:não|nunca|ninguém|jamais)\b",
}
_NEGATION_PATTERNS = {language: re.compile(p, re.IGNORECASE) for language, p in _NEGATIONS.items()}
_SURE_PATTERNS = {language: re.compile(p, re.IGNORECASE) for language, p in _SURE.items()}
_TAG_QUESTION = re.compile(
    r"\bnão (?:é|foi|está|era|acha)\s*\?|n['’]t (?:it|he|she|they|you)\s*\?", re.IGNORECASE
)
_MIN_COPIED_WORDS = 3


def joined(warnings: Iterable[Iterable[AnswerWarning]]) -> tuple[AnswerWarning, ...]:
    """Join the warnings of several translations, each once."""
    return tuple(dict.fromkeys(warning for each in warnings for warning in each))


def passed_through(passages: Iterable[str]) -> AnswerWarning:
    named = ", ".join(passages)
    return AnswerWarning("passed_through", f"not translated, as the model cannot read it: {named}")


def number_changed(numbers: Iterable[str]) -> AnswerWarning:
    named = ", ".join(numbers)
    return AnswerWarning("number_changed", f"not found in the translation: {named}")


def item_lost(items: Iterable[str]) -> AnswerWarning:
    named = ", ".join(items)
    return AnswerWarning("item_lost", f"not found in the translation: {named}")


def term_lost(terms: Iterable[str]) -> AnswerWarning:
    named = ", ".join(terms)
    return AnswerWarning("term_lost", f"of the glossary, and not in the translation: {named}")


def term_singular(terms: Iterable[str]) -> AnswerWarning:
    named = ", ".join(terms)
    message = f"of the glossary, and in the plural in the text: {named}"
    return AnswerWarning("term_singular", message)


def terms_unused(model: str) -> AnswerWarning:
    message = f"of the glossary, and not used: model {model!r} takes no terms"
    return AnswerWarning("term_lost", message)


def sounds_unused(terms: Iterable[str]) -> AnswerWarning:
    named = ", ".join(terms)
    message = f"spoken as they are written, as the voice takes no phonemes: {named}"
    return AnswerWarning("sound_unused", message)


def wrong_language(language: str) -> AnswerWarning:
    return AnswerWarning("wrong_language", f"the translation seems to be in {language!r}")


UNTRANSLATED = AnswerWarning("untranslated", "the text came through as it was")
IN_PARTS = AnswerWarning(
    "translated_in_parts", "what is around a passage to keep was translated piece by piece"
)
NEGATION_LOST = AnswerWarning("negation_lost", "the text says no, its translation does not")
MAYBE_REFUSED = AnswerWarning(
    "maybe_refused", "the translation reads as if the model refused to translate"
)


def loses_negation(source: str, source_language: str, answer: str, target_language: str) -> bool:
    """Tell whether a text says no and its translation does not; False for unknown languages."""
    says, denies = _SURE_PATTERNS.get(source_language), _NEGATION_PATTERNS.get(target_language)
    if says is None or denies is None:
        return False
    return bool(says.search(_TAG_QUESTION.sub("", source))) and not denies.search(answer)


def is_copy(source: str, answer: str) -> bool:
    words = re.findall(r"[^\W\d_]{2,}", source)
    return len(words) >= _MIN_COPIED_WORDS and source.casefold() == answer.casefold()
