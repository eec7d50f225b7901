"""Keeps apart what a vocabulary lacks: words of other scripts, letters and signs."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import TypeAlias

from models.text.items import Item, Part, join

Lacks: TypeAlias = Callable[[str], bool]  # whether the vocabulary lacks a character of a text
_INSIDE = "'’-\u200c\u200d"  # of words; at their ends they are punctuation


def kept_apart(prose: str, lacks: Lacks) -> list[Part]:
    """Return prose with all that the vocabulary lacks as items, in the form of ``items.parts``.

    A word of which only the capitals are lacking is written in small letters.
    """
    found: list[Part] = [""]
    if not lacks(prose):
        return [prose]
    text = ""
    for run, kind in _runs(prose):
        if kind == "space" or not lacks(run):
            text += run
        elif kind == "foreign" and not lacks(run.lower()):
            text += run.lower()
        else:
            join(found, text, Item(run, kind))
            text = ""
    found[-1] = text
    return found


def _runs(prose: str) -> Iterator[tuple[str, str]]:
    """Yield words, single signs and spaces, each with the kind of item that it would be."""
    for kind, characters in groupby(prose, _kind):
        run = "".join(characters)
        if kind == "symbol":
            yield from ((sign, kind) for sign in run)
        elif kind == "foreign":
            word = run.strip(_INSIDE)
            before, _, after = run.partition(word) if word else (run, "", "")
            if word.endswith(("'s", "’s")):
                word, after = word[:-2], word[-2:] + after
            yield from ((sign, "symbol") for sign in before)
            if word:
                yield word, kind
            if after:
                yield after, "space"
        else:
            yield run, kind


def _kind(character: str) -> str:
    if character.isspace():
        return "space"
    category = unicodedata.category(character)[0]
    return "foreign" if category in "LMN" or character in _INSIDE else "symbol"
