"""Hear a window once more with the terms of a glossary that it may hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from models.text.glossary import Glossary
from models.text.sounding import Sounding
from models.text.term_places import TermPlaces
from models.types import Segment, Transcript, Word

Again = Callable[[Sequence[str]], Awaitable[Transcript]]
LEAST_LENGTH, MOST_LENGTH = 0.6, 1.6  # of the second text, in letters of the first
MORE_TIMES = 2  # that the likeliest term is named where naming it once does not help


async def with_terms(heard: Transcript, glossary: Glossary, again: Again) -> Transcript:
    """Return what was heard, or what ``again`` hears with some terms as keywords.

    Only terms that sound like a passage of the text are tried, and only where one of them is not
    there as it is written. So most speech is heard once, and nothing puts a term in it. They are
    named once, and then the likeliest more often. A text counts where it holds more terms and is
    about as long.
    """
    language = heard.language
    likely = glossary.sounding_like(heard.text, language)
    places = TermPlaces(((term, False) for term in likely), language)
    before = [place.number for place in places.find(heard.text)]
    if len(set(before)) == len(likely):
        return heard
    spelling, keywords = glossary.spelling(language, likely), likely[::-1]
    for tried in (keywords, (*keywords, *keywords[-1:] * MORE_TIMES)):
        other = _respelt(await again(tried), spelling, places)
        ratio = _letters(other.text) / max(1, _letters(heard.text))
        is_as_long = LEAST_LENGTH <= ratio <= MOST_LENGTH
        if is_as_long and len(places.find(other.text)) > len(before):
            return other
    return heard


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))


def _respelt(heard: Transcript, spelling: Sounding, places: TermPlaces) -> Transcript:
    """Write the terms as they are written, where a recogniser that knew them wrote nearly so."""

    def changes(text: str) -> list[tuple[int, int, str]]:
        right = places.find(text)
        return [
            (start, stop, term)
            for start, stop, term in spelling.misspelt(text)
            if all(stop <= place.start or place.stop <= start for place in right)
        ]

    def segment(one: Segment) -> Segment:
        words = one.words
        if words is not None:
            words = _words(words, changes("".join(word.text for word in words)))
        return replace(one, text=_changed(one.text, changes(one.text)), words=words)

    if not changes(heard.text):
        return heard
    text = _changed(heard.text, changes(heard.text))
    return replace(heard, text=text, segments=tuple(map(segment, heard.segments)))


def _changed(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    for start, stop, term in reversed(changes):
        text = text[:start] + term + text[stop:]
    return text


def _words(words: Sequence[Word], changes: Sequence[tuple[int, int, str]]) -> tuple[Word, ...]:
    """Change words; those of one passage become one."""
    found, at = list[Word](), 0
    left = list(changes)
    for word in words:
        start, at = at, at + len(word.text)
        while left and left[0][1] <= start:
            left.pop(0)
        if found and left and left[0][0] < start < left[0][1]:
            last = found.pop()
            word = Word(
                last.start_s,
                word.end_s,
                last.text + word.text,
                min(last.probability, word.probability),
            )
        found.append(word)
    at, written = 0, list[Word]()
    for word in found:
        own = [
            (start - at, stop - at, term)
            for start, stop, term in changes
            if at <= start < at + len(word.text)
        ]
        at += len(word.text)
        written.append(replace(word, text=_changed(word.text, own)))
    return tuple(written)
