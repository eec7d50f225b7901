"""Find the places in a text where a clause may end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from deployments.live.joints import BEGINNINGS, LEADS
from models.text.items import find
from models.text.sentences import split

MARK = re.compile(r"[,;:)\]–—،؛]+[\"'”»’]?$|[、，；：]$")
UNSPACED_MARK = re.compile("[、，；：](?=.)")
OPEN_END = re.compile(r"(?:\d[.,:]|\.\.|…)$")  # a number's digits, or the sentence, may go on
WORD = re.compile(r"\S+")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
PROBE = " X"  # follows a sentence's end, and no abbreviation's
SIGNS_A_WORD = 3  # of scripts that write no spaces
EARLIEST = 0.4  # share of the longest clause, of the first good place


def words(text: str) -> int:
    """Count words; those of scripts without spaces are some signs each."""
    signs = len(UNSPACED.findall(text))
    return len(text.split()) + signs // SIGNS_A_WORD


def sentence_end(text: str, language: str) -> int | None:
    """Return where the first sentence of a text surely ends; None: it may go on."""
    pieces = split(text + PROBE, language, whole=find(text))
    end = len(pieces.gaps[0]) + len(pieces.sentences[0])
    if end > len(text):
        return None
    is_last = not text[end:].strip()
    return None if is_last and OPEN_END.search(text.rstrip()) else end


def places(text: str) -> list[int]:
    """Return where a text may be cut: behind words, in no number, name, address or the like."""
    kept = [(span.start, span.stop) for span in find(text)]
    found = [place.end() for place in UNSPACED_MARK.finditer(text)]
    for before, after in pairwise(WORD.finditer(text)):
        if not _belong(before[0], after[0]):
            found.append(before.end())
    end = len(text.rstrip())
    if is_mark(text, end):  # a mark may still come behind a bare word
        found.append(end)
    inside = [place for place in found if any(start < place < stop for start, stop in kept)]
    return sorted(set(found) - set(inside))


def is_mark(text: str, place: int) -> bool:
    """Tell whether a clause mark stands before a place."""
    before = text[:place]
    return bool(MARK.search(before)) and not OPEN_END.search(before)


def best_place(text: str, at: Sequence[int], language: str, max_words: int) -> int | None:
    """Return the best of some places for a text that is too long; None: there is none.

    It is the last one behind a clause mark, else before a word that begins a clause, else not
    behind a word that leads to the next: of what may be said at once, and not near its start if it
    can be.
    """
    fitting = [place for place in at if words(text[:place]) <= max_words] or list(at[:1])
    if not fitting:
        return None
    usable = [place for place in fitting if place >= fitting[-1] * EARLIEST]
    begin, lead = BEGINNINGS.get(language, frozenset()), LEADS.get(language, frozenset())

    def begins(place: int) -> bool:
        return _bare(text[place:].split(maxsplit=1)[:1]) in begin

    def leads(place: int) -> bool:
        return _bare(text[:place].split()[-1:]) in lead

    for group in (
        [place for place in usable if is_mark(text, place)],
        [place for place in usable if begins(place) and not leads(place)],
        [place for place in usable if not leads(place)],
    ):
        if group:
            return group[-1]
    return fitting[-1]


def _bare(word: Sequence[str]) -> str:
    """Return a word without marks and capitals; "" where there is none."""
    return "".join(word).strip("\"'“”«»(),;:").lower()


def _belong(before: str, after: str) -> bool:
    """Tell whether two words are parts of one: a number's groups, a name, an abbreviation."""
    if before[-1].isdigit() and after[0].isdigit():
        return True
    is_name = before[:1].isupper() and after[:1].isupper() and before[-1].isalnum()
    return is_name or before.endswith(".")
