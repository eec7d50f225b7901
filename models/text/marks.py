"""Puts marks in place of items while a model translates the text around them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from models.text.items import Item, Part

# Styles of marks, each with a number. The models keep nearly all marks, and lose different ones in
# each style, so a second style is worth a try.
STYLES = ("X{}", "({})")


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark and its item. ``glued_left``: a word ends right before it, as before a closing tag."""

    name: str
    item: Item
    glued_left: bool
    glued_right: bool


@dataclass(frozen=True, slots=True)
class Marked:
    """A text with marks in place of its items."""

    text: str
    style: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class PutBack:
    """An answer with its items, its ``prose`` without them, and whether all is in order."""

    text: str
    prose: str
    whole: bool


def mark(parts: Sequence[Part], style: str) -> Marked:
    """Replace each item by a mark of its own that the prose does not hold already."""
    prose = "".join(part for part in parts if isinstance(part, str))
    text, marks, number = "", list[Mark](), 0
    for place, part in enumerate(parts):
        if isinstance(part, str):
            if marks and marks[-1].glued_right:
                text += " "
            text += part
            continue
        number += 1
        while style.format(number) in prose:
            number += 1
        after = parts[place + 1] if place + 1 < len(parts) else ""
        assert isinstance(after, str), "prose follows every item"
        glued_left, glued_right = text[-1:].isalnum(), after[:1].isalnum()
        if part.kind == "tag" and text and not text[-1].isspace():
            glued_left = True  # as behind "Note:" in bold
        marks.append(Mark(style.format(number), part, glued_left, glued_right))
        text += f"{' ' * glued_left}{marks[-1].name}"
    return Marked(text, style, tuple(marks))


def put_back(answer: str, marked: Marked) -> PutBack:
    """Put the items in place of their marks, and remove marks that stand for none.

    It is not ``whole`` if a mark is missing, doubled or made up, or if tags, which come in pairs,
    stand in another order.
    """
    marks = {mark.name: mark for mark in marked.marks}
    pattern = _pattern(marked.style)
    known = {match[0] for match in pattern.finditer(marked.text)} - set(marks)  # of the source
    found: list[str] = []
    text, prose, end, whole, glue = "", "", 0, True, False
    for match in pattern.finditer(answer):
        name, between = match[0], answer[end : match.start()]
        if name in known:
            continue
        text += between.lstrip() if glue else between
        prose += between + " "
        end, glue = match.end(), False
        mark = marks.get(name)
        if mark is None or name in found:
            whole = False
            continue
        found.append(name)
        text = (text.rstrip() if mark.glued_left else text) + mark.item.text
        glue = mark.glued_right
    rest = answer[end:]
    whole = whole and len(found) == len(marks) and _tags_hold(answer, marked)
    return PutBack(text + (rest.lstrip() if glue else rest), prose + rest, whole)


def _tags_hold(answer: str, marked: Marked) -> bool:
    """Tell whether tags are in order, and none is empty that held words."""
    tags = [mark.name for mark in marked.marks if mark.item.kind == "tag"]
    for left, right in pairwise(tags):
        words = _between(marked.text, left, right)
        translated = _between(answer, left, right)
        if translated is None or (_has_letters(words) and not _has_letters(translated)):
            return False
    return True


def _between(text: str, left: str, right: str) -> str | None:
    start, stop = text.find(left), text.find(right)
    return text[start + len(left) : stop] if start < stop else None


def _has_letters(text: str | None) -> bool:
    return any(map(str.isalpha, text or ""))


def _pattern(style: str) -> re.Pattern[str]:
    before, after = map(re.escape, style.split("{}"))
    number = rf"{before}\d+{after}"
    return re.compile(number if after else rf"(?<![^\W_]){number}(?![^\W_])")
