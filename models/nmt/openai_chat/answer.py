"""Takes the translation out of a service's answer, refuses what is none, and tells doubts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from models.errors import Unavailable, Unprocessable
from models.nmt.openai_chat.options import LANGUAGES, Options
from models.nmt.openai_chat.prompt import ANSWER_FIELD
from models.text import doubts, items, numbers
from models.text.detection import LanguageDetector, letters_of
from models.text.term_places import TermPlaces
from models.types import AnswerWarning, NmtItem, Translation

EXTRA_CHARS = 200  # of a translation, beside those by the length of its source
KEPT_KINDS = frozenset({"code", "domain", "email", "fence", "id", "placeholder", "url"})
# A language is told by so many letters, and believed from there on.
TOLD_LETTERS, TOLD_PROBABILITY, MAYBE_PROBABILITY = 25, 0.8, 0.1
_THOUGHTS = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_MARKED = re.compile(r"\s*<(text\d*)>\n?(.*?)\n?</\1>\s*", re.DOTALL)
_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n\s*```\s*", re.DOTALL)
_REFUSAL = re.compile(
    r"(?:I['’]m|I am) (?:really |very )?sorry,? but|(?:I['’]m|I am) (?:unable|not able) to"
    r"|I (?:can['’]t|cannot|can not|won['’]t) (?:assist|help|comply|translate|provide|fulfil)"
    r"|As an AI\b",
    re.IGNORECASE,
)
MALFORMED = "the translation service's answer is not of the expected form"
REFUSED = "the translation service refuses to translate this text"
NO_TRANSLATION = "the translation service's answer is too long for a translation of this text"


def text_in(body: bytes, item: NmtItem, options: Options) -> str:
    """Return the translation in the body of an answer.

    Raises:
        Unavailable: the answer is malformed or empty.
        Unprocessable: the service refused the text, or its answer is too long.
    """
    choice = _choice(body)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Unavailable(MALFORMED)
    reason = choice.get("finish_reason")
    if message.get("refusal") or reason == "content_filter":
        raise Unprocessable(REFUSED, param="text")
    if reason == "length" and item.max_tokens is None:
        raise Unprocessable(NO_TRANSLATION, param="text")
    content = message.get("content")
    if not isinstance(content, str):
        raise Unavailable(MALFORMED)
    text = _unwrapped(content, item, options).strip()
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise Unavailable(MALFORMED)
    if not text:
        raise Unavailable("the translation service's answer is empty")
    if len(text) > EXTRA_CHARS + options.max_length_factor * len(item.text):
        raise Unprocessable(NO_TRANSLATION, param="text")
    return text


def translation_of(item: NmtItem, text: str, detector: LanguageDetector) -> Translation:
    """Return a translation with what is doubtful about it."""
    warnings = tuple(_doubts(item, text, detector))
    return Translation(text, item.source_language, item.target_language, warnings)


def _choice(body: bytes) -> dict[str, Any]:
    found = _parsed(body)
    choices = found.get("choices") if isinstance(found, dict) else None
    if not (isinstance(choices, list) and choices and isinstance(choices[0], dict)):
        raise Unavailable(MALFORMED)
    return choices[0]


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Unavailable(MALFORMED) from None


def _unwrapped(content: str, item: NmtItem, options: Options) -> str:
    """Take off what models put around a translation, unless the text has the same."""
    if "<think>" not in item.text:
        content = _THOUGHTS.sub("", content, count=1) if _THOUGHTS.match(content) else content
    if options.json_answer:
        fenced = _FENCED.fullmatch(content)
        found = _parsed(fenced[1] if fenced else content)
        text = found.get(ANSWER_FIELD) if isinstance(found, dict) else None
        if not isinstance(text, str):
            raise Unavailable(MALFORMED)
        return text
    marked = _MARKED.fullmatch(content)
    return marked[2] if marked and f"<{marked[1]}>" not in item.text else content


def _doubts(item: NmtItem, text: str, detector: LanguageDetector) -> Iterator[AnswerWarning]:
    pair = item.source_language, item.target_language
    if lost := numbers.missing(item.text, pair[0], text, pair[1]):
        yield doubts.number_changed(item.text[each.start : each.stop] for each in lost)
    kept = [item.text[s.start : s.stop] for s in items.find(item.text) if s.kind in KEPT_KINDS]
    if gone := [each for each in dict.fromkeys(kept) if each not in text]:
        yield doubts.item_lost(gone)
    if terms := _lost_terms(item, text):
        yield doubts.term_lost(terms)
    if doubts.loses_negation(item.text, pair[0], text, pair[1]):
        yield doubts.NEGATION_LOST
    if doubts.is_copy(item.text, text):
        yield doubts.UNTRANSLATED
    elif other := _other_language(text, item.target_language, detector):
        yield doubts.wrong_language(other)
    if _REFUSAL.match(text) and not _REFUSAL.match(item.text):
        yield doubts.MAYBE_REFUSED


def _lost_terms(item: NmtItem, text: str) -> list[str]:
    """Return the translations of terms that the answer has less often than the text its terms."""
    if not item.terms:
        return []
    words = [(term.text, term.case_sensitive) for term in item.terms]
    wanted = Counter(
        item.terms[place.number].translation
        for place in TermPlaces(words, item.source_language).find(item.text)
    )
    names = list(wanted)
    places = TermPlaces(((name, False) for name in names), item.target_language).find(text)
    found = Counter(names[place.number] for place in places)
    return [name for name in names if found[name] < wanted[name]]


def _other_language(text: str, target: str, detector: LanguageDetector) -> str | None:
    """Return the language that an answer is surely in instead; None: none, or nobody can tell.

    The detector knows all languages of ``LANGUAGES``, and leaves out improbable ones.
    """
    if target not in LANGUAGES or len(letters_of(text).replace(" ", "")) < TOLD_LETTERS:
        return None
    found = detector.languages(text)
    is_maybe = any(each.code == target and each.probability > MAYBE_PROBABILITY for each in found)
    if not found or is_maybe or found[0].probability < TOLD_PROBABILITY:
        return None
    return found[0].code
