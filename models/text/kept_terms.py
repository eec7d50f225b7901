"""Translates one text so that the terms of a glossary are in it as the glossary has them.

Some ways are tried until all of them are there. The engine by itself may know them. It gets them
in the text, in the target language, and inflects what is around them; with capitals, as names have
them, it copies more of them. At last marks stand in their places. As in ``keep``, the model is not
called here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.text import capitals, doubts, items
from models.text.items import Item, Placed, Span
from models.text.keep import Kept, Setting, Steps, keep
from models.text.plurals import plural
from models.text.term_places import Place, TermPlaces
from models.types import Term

LONGEST_SMALL = 3  # letters of a word that names have in small letters


@dataclass(frozen=True, slots=True)
class _Found:
    """A term in the source, and what the translation is to have."""

    span: Span
    term: Term
    is_plural: bool
    wanted: str  # in the plural where the term is, and where that is regular
    has_plural: bool


def keep_terms(text: str, setting: Setting, terms: Sequence[Term], *, mends: bool) -> Steps:
    """Translate a text, see the module.

    Args:
        text: any.
        setting: of the text as it is.
        terms: those that it may hold.
        mends: of the text with its terms in other words.
    """
    found = _found(text, setting, terms)
    plain = yield from keep(text, setting)
    if not found:
        return plain
    wanted = _Wanted(text, found, setting)
    if wanted.is_in(plain.text):
        return wanted.dressed(plain)
    again = replace(setting, mends=mends)
    tried = (wanted.switched(), wanted.switched(as_names=True))
    for switched in dict.fromkeys(each for each in tried if each != text):
        answer = yield from keep(switched, again)
        if wanted.is_in(answer.text) and _doubts(answer) <= _doubts(plain):
            return wanted.dressed(answer)
    marked = yield from keep(text, again, wanted.placed())
    return wanted.dressed(marked, is_marked=True)


def _found(text: str, setting: Setting, terms: Sequence[Term]) -> list[_Found]:
    """Find the terms in a text; those inside of an address, of code and so on are left alone."""
    words = [(term.text, term.case_sensitive) for term in terms]
    kept = list(items.find(text))
    found = []
    for place in TermPlaces(words, setting.source).find(text):
        span = Span(place.start, place.stop, "term")
        beside = [other for other in kept if items.overlaps(span, other)]
        if all(span.start <= each.start and each.stop <= span.stop for each in beside):
            term = terms[place.number]
            more = plural(term.translation, setting.target) if place.is_plural else None
            wanted = term.translation if more is None else more
            found.append(_Found(span, term, place.is_plural, wanted, more is not None))
    return found


def _doubts(kept: Kept) -> set[str]:
    return {warning.code for warning in kept.warnings}


class _Wanted:
    """The terms that the translation of one text must have."""

    def __init__(self, text: str, found: Sequence[_Found], setting: Setting) -> None:
        self._text, self._found, self._target = text, found, setting.target
        self._terms = tuple(dict.fromkeys(each.term.translation for each in found))
        self._counts = Counter(each.term.translation for each in found)
        self._places = TermPlaces(((term, False) for term in self._terms), setting.target)
        self._exact = {each.term.translation for each in found if each.term.case_sensitive}
        self._is_shouted = capitals.is_shouted(text)
        inside = [each for each in found if not self._starts(text, each.span.start)]
        named = [e for e in inside if self._seen(e)[0].isupper() and not e.term.text[0].isupper()]
        self._capitals = {each.term.translation for each in named}

    def is_in(self, answer: str) -> bool:
        """Tell whether an answer has every term as often as the text."""
        return not self._missing(answer)

    def switched(self, *, as_names: bool = False) -> str:
        """Return the text with its terms in the target language, as they are or in capitals."""
        parts, end = list[str](), 0
        for each in self._found:
            written = self._written(each)
            is_name = as_names and not (each.term.case_sensitive or self._is_shouted)
            parts += [self._text[end : each.span.start], _titled(written) if is_name else written]
            end = each.span.stop
        return "".join([*parts, self._text[end:]])

    def placed(self) -> list[Placed]:
        """Return the terms as items in the text."""
        return [(each.span, Item(self._written(each), "term")) for each in self._found]

    def dressed(self, kept: Kept, *, is_marked: bool = False) -> Kept:
        """Write the terms of an answer in their capitals; warn of what they lack."""
        text, parts, end = kept.text, list[str](), 0
        for place in self._places.find(text):
            parts += [text[end : place.start], self._cased(text, place)]
            end = place.stop
        warnings = [*kept.warnings]
        if missing := self._missing(text):
            warnings.append(doubts.term_lost(missing))
        singular = [each for each in self._found if each.is_plural and not each.has_plural]
        if is_marked and singular:
            warnings.append(doubts.term_singular({e.term.translation: None for e in singular}))
        return Kept("".join([*parts, text[end:]]), tuple(warnings))

    def _missing(self, answer: str) -> list[str]:
        counts = Counter(self._terms[place.number] for place in self._places.find(answer))
        return [term for term in self._terms if counts[term] < self._counts[term]]

    def _written(self, each: _Found) -> str:
        """Return what stands for a term in the text, in the capitals that the text has there."""
        word, seen = each.wanted, self._seen(each)
        if each.term.case_sensitive:
            return word
        if seen.isupper() and (self._is_shouted or not each.term.text.isupper()):
            return word.upper()
        is_capital = seen[0].isupper() and not each.term.text[0].isupper()
        return _with_capital(word) if is_capital else word

    def _cased(self, answer: str, place: Place) -> str:
        """Return a term of an answer in the capitals that it is to have."""
        seen, term = answer[place.start : place.stop], self._terms[place.number]
        if not term.islower() or term in self._exact:
            written = (place.is_plural and plural(term, self._target)) or term
            is_shouted = self._is_shouted and term not in self._exact
            return written.upper() if is_shouted else written
        if seen.isupper() or term in self._capitals:
            return seen
        starts = self._starts(answer, place.start) and self._begins_with_a_capital
        return _with_capital(seen.lower()) if starts else seen.lower()

    @property
    def _begins_with_a_capital(self) -> bool:
        return next((c.isupper() for c in self._text if c.isalpha()), False)

    def _seen(self, each: _Found) -> str:
        return self._text[each.span.start : each.span.stop]

    @staticmethod
    def _starts(text: str, place: int) -> bool:
        return not any(map(str.isalnum, text[:place]))


def _titled(words: str) -> str:
    """Write words with capitals, but for short ones such as "de"."""
    return " ".join(
        _with_capital(word) if len(word) > LONGEST_SMALL else word for word in words.split(" ")
    )


def _with_capital(word: str) -> str:
    return word[:1].upper() + word[1:]
