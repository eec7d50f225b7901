"""Finds terms that sound like passages of a text: what a recogniser may have written instead.

Nothing here knows a language. A text is written in two ways in which two spellings of one sound are
much alike: by its letters, and by its consonants in classes with one sign for any vowels.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist

MOST_CANDIDATES = 3
LEAST_SIGNS = 4  # of a sound: shorter terms sound like many words
MISSPELT = 0.12  # the share of a passage that is a term in another spelling
LIKE = 0.38  # the share of its signs in which a passage may differ from a term
CLASSES_WEIGHT = 0.5  # of the signs in classes, beside the letters
MORE_WORDS = 3  # that a term may be heard as, more than it has
MOST_WORDS = 8  # of a passage
_WORD = re.compile(r"[^\W_]+")

_Rules: TypeAlias = Sequence[tuple[re.Pattern[str], str]]


def _rules(*pairs: tuple[str, str]) -> _Rules:
    return [(re.compile(pattern), sign) for pattern, sign in pairs]


_LETTERS = _rules(
    ("ph", "f"),
    ("lh", "l"),
    ("nh", "n"),
    ("th", "t"),
    ("c(?=[eiy])", "s"),
    ("qu|ck|[cq]", "k"),
    ("x", "ks"),
    ("z", "s"),
    ("y", "i"),
    ("w", "u"),
    ("h", ""),
    ("ee", "i"),
    ("oo|ou", "u"),
    (r"(.)\1+", r"\1"),
)
_CLASSES = _rules(
    ("ph", "f"),
    ("[sct]?ch|sh", "s"),
    ("th", "t"),
    ("lh|lj", "l"),
    ("nh|gn", "n"),
    ("(?<=[aeiouy])gh", ""),
    ("c(?=[eiy])|[zj]|g(?=[ei])", "s"),
    ("qu|ck|[cqg]", "k"),
    ("x", "ks"),
    ("b", "p"),
    ("d", "t"),
    ("v", "f"),
    ("m", "n"),
    ("h", ""),
    ("[aeiouyw]+", "a"),
    (r"(.)\1+", r"\1"),
)


class Sounding:
    """Terms, and how they sound.

    Args:
        terms: pairs of a term and a spelling of how it sounds.
    """

    def __init__(self, terms: Iterable[tuple[str, str]]) -> None:
        known = [each for each in terms if len(_written(each[1], _CLASSES)) >= LEAST_SIGNS]
        self._terms = [term for term, _ in known]
        self._letters = [_written(spelt, _LETTERS) for _, spelt in known]
        self._classes = [_written(spelt, _CLASSES) for _, spelt in known]
        words = max((len(_WORD.findall(spelt)) for _, spelt in known), default=0)
        self._most_words = min(words + MORE_WORDS, MOST_WORDS)

    def like(self, text: str) -> tuple[str, ...]:
        """Return the terms that sound like a passage of a text, the most alike first."""
        passages = list(dict.fromkeys(passage for _, _, passage in self._passages(text)))
        if not passages or not self._terms:
            return ()
        nearest = self._distances(passages).min(axis=1)
        order = [int(row) for row in np.argsort(nearest, kind="stable") if nearest[row] <= LIKE]
        return tuple(dict.fromkeys(self._terms[row] for row in order))[:MOST_CANDIDATES]

    def misspelt(self, text: str) -> list[tuple[int, int, str]]:
        """Return where something is nearly a term, and the term; the nearest of what overlaps."""
        passages = self._passages(text)
        if not passages or not self._terms:
            return []
        distances = self._distances([passage for _, _, passage in passages])
        rows, columns = np.nonzero(distances <= MISSPELT)
        nearest = sorted(
            (float(distances[row, column]), *passages[column][:2], self._terms[row])
            for row, column in zip(rows, columns, strict=True)
        )
        found: list[tuple[int, int, str]] = []
        for _, start, stop, term in nearest:
            if all(stop <= other[0] or other[1] <= start for other in found):
                found.append((start, stop, term))
        return sorted(found)

    def _passages(self, text: str) -> list[tuple[int, int, str]]:
        """Return all runs of some words of a text: where they are, and their letters alone."""
        words = list(_WORD.finditer(text))
        return [
            (words[start].start(), words[stop - 1].end(), "".join(w[0] for w in words[start:stop]))
            for start in range(len(words))
            for stop in range(start + 1, min(len(words), start + self._most_words) + 1)
        ]

    def _distances(self, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return float32 [terms, passages]: the share of the signs in which each two differ."""
        classes = _distances(self._classes, passages, _CLASSES)
        letters = _distances(self._letters, passages, _LETTERS)
        return CLASSES_WEIGHT * classes + (1 - CLASSES_WEIGHT) * letters


def _written(text: str, rules: _Rules) -> str:
    plain = unicodedata.normalize("NFKD", text.lower())
    found = "".join(filter(str.isalnum, plain))
    for pattern, sign in rules:
        found = pattern.sub(sign, found)
    return found


def _distances(terms: Sequence[str], passages: Sequence[str], rules: _Rules) -> NDArray[np.float32]:
    heard = [_written(passage, rules) for passage in passages]
    found: NDArray[np.float32] = cdist(
        terms, heard, scorer=Levenshtein.normalized_distance, dtype=np.float32
    )
    return found
