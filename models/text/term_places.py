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
    """Where a word of a list stands: its number in the list, and whether it is in the plural."""

    start: int
    stop: int
    number: int
    is_plural: bool


@dataclass(frozen=True, slots=True)
class _Form:
    folded: str
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
        for number, (word, case_sensitive) in enumerate(words):
            forms = [(word, False)]
            if plurals and (more := plural(word, language)) is not None:
                forms.append((more, True))
            for form, is_plural in forms:
                exact, folded = form.translate(_PLAIN) if case_sensitive else None, _folded(form)
                self._forms[folded[:_KEY_CHARS]].append(_Form(folded, number, is_plural, exact))
        for known in self._forms.values():  # of two that are as long, the one that says more
            known.sort(key=lambda form: (-len(form.folded), form.exact is None))

    def __bool__(self) -> bool:
        return bool(self._forms)

    def find(self, text: str) -> list[Place]:
        """Return where the words stand, in order and without overlaps."""
        folded, plain = _folded(text), text.translate(_PLAIN)
        found: list[Place] = []
        end = 0
        for start in range(len(folded)):
            if start < end:
                continue
            forms = self._forms.get(folded[start : start + _KEY_CHARS], ())
            single = self._forms.get(folded[start], ())
            for form in (*forms, *single) if len(folded) - start > 1 else single:
                stop = start + len(form.folded)
                if not folded.startswith(form.folded, start) or not _is_whole(text, start, stop):
                    continue
                if form.exact is None or plain[start:stop] == form.exact:
                    found.append(Place(start, stop, form.number, form.is_plural))
                    end = stop
                    break
        return found


def _folded(text: str) -> str:
    """Return a text of the same length without case, in plain signs."""
    text = text.translate(_PLAIN)
    small = text.lower()
    if len(small) == len(text):
        return small
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _is_whole(text: str, start: int, stop: int) -> bool:
    """Tell whether a passage begins and ends where words do."""
    before, after = text[start - 1 : start] if start else "", text[stop : stop + 1]
    return not (_runs_on(before, text[start]) or _runs_on(text[stop - 1], after))


def _runs_on(left: str, right: str) -> bool:
    """Tell whether two characters, one beside the other, are of one word."""
    if not left or not right:
        return False
    if unicodedata.category(right)[0] == "M":
        return True
    is_word = _is_of_word(left) and _is_of_word(right)
    return is_word and not (_UNSPACED.match(left) or _UNSPACED.match(right))


def _is_of_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
