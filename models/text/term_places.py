"""Finds terms in a text: whole words, the longest first, and regular plurals of them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from models.text.plurals import plural

# Scripts that set no spaces between words: there a word may begin and end anywhere.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_PLAIN = str.maketrans(
    {**dict.fromkeys("’‘ʼ", "'"), **dict.fromkeys("‐‑‒–", "-"), "\u00a0": " ", "\u202f": " "}
)
_KEY_CHARS = 2  # by which terms are looked up


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a word: its number in the list, and whether it is in the plural."""

    start: int
    stop: int
    number: int
    is_plural: bool


@dataclass(frozen=True, slots=True)
class _Form:
    number: int
    is_plural: bool
    exact: str | None  # as it must be written; None: in any case


class TermPlaces:
    """Finds the words of a list in texts of one language.

    Args:
        words: each with whether its capitals matter.
        language: of the words, by which their plurals are made.
        plurals: whether these are found, too.
    """

    def __init__(
        self, words: Iterable[tuple[str, bool]], language: str, *, plurals: bool = True
    ) -> None:
        self._forms: defaultdict[str, list[_Form]] = defaultdict(list)
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for number, (word, case_sensitive) in enumerate(words):
            forms = [(word, False)]
            if plurals and (more := plural(word, language)) is not None:
                forms.append((more, True))
            for form, is_plural in forms:
                exact, folded = form.translate(_PLAIN) if case_sensitive else None, _folded(form)
                self._forms[folded].append(_Form(number, is_plural, exact))
                lengths[folded[:_KEY_CHARS]].add(len(folded))
        for known in self._forms.values():  # of two that are alike, the one that says more
            known.sort(key=lambda form: form.exact is None)
        self._lengths = {
            start: tuple(sorted(known, reverse=True)) for start, known in lengths.items()
        }

    def __bool__(self) -> bool:
        return bool(self._forms)

    def find(self, text: str) -> list[Place]:
        """Return where the words stand, in order and without overlaps."""
        folded, plain = _folded(text), text.translate(_PLAIN)
        found: list[Place] = []
        end = 0
        for start, sign in enumerate(folded):
            if start < end:
                continue
            lengths = self._lengths.get(folded[start : start + _KEY_CHARS], ())
            lengths = (*lengths, *self._lengths.get(sign, ()))
            if not lengths or (start and _runs_on(text[start - 1], text[start])):
                continue
            for stop in (start + length for length in lengths):
                form = self._form(folded, plain, start, stop) if stop <= len(text) else None
                if form is None or (stop < len(text) and _runs_on(text[stop - 1], text[stop])):
                    continue
                end = stop
                found.append(Place(start, stop, form.number, form.is_plural))
                break
        return found

    def _form(self, folded: str, plain: str, start: int, stop: int) -> _Form | None:
        """Return the word that is written at a place; None: there is none."""
        for form in self._forms.get(folded[start:stop], ()):
            if form.exact is None or form.exact == plain[start:stop]:
                return form
        return None


def _folded(text: str) -> str:
    """Return a text of the same length without case, in plain signs."""
    text = text.translate(_PLAIN)
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _runs_on(left: str, right: str) -> bool:
    """Tell whether two characters, one beside the other, are of one word."""
    if unicodedata.category(right)[0] == "M":
        return True
    is_word = _is_of_word(left) and _is_of_word(right)
    return is_word and not (_UNSPACED.match(left) or _UNSPACED.match(right))


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
