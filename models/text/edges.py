"""Takes tags, emoji and bullets off the ends of a sentence, which they are no part of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.text.items import Item, Part

_BULLET = re.compile(r"\s*(?:[-*•–—>+]|\d{1,3}[.)]|[a-zA-Z]\))\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Edges:
    before: str = ""
    behind: str = ""

    def around(self, text: str) -> str:
        return f"{self.before}{text}{self.behind}"


def trimmed(parts: Sequence[Part]) -> tuple[Edges, list[Part]]:
    """Take loose items, bullets and spaces off both ends of a text."""
    left, before = list(parts), ""
    while len(left) > 1 and _is_loose(left[1]) and not _has_words(left[0]):
        before += f"{left[0]}{_text(left[1])}"
        left[:2] = []
    right, behind = left, ""
    while len(right) > 1 and _is_loose(right[-2]) and not _has_words(right[-1]):
        behind = f"{_text(right[-2])}{right[-1]}{behind}"
        right[-2:] = []
    first = str(right[0])
    bullet = _BULLET.match(first)
    start = bullet.end() if bullet else len(first) - len(first.lstrip())
    before, right[0] = before + first[:start], first[start:]
    last = str(right[-1])
    stop = len(last.rstrip())
    right[-1], behind = last[:stop], last[stop:] + behind
    return Edges(before.lstrip(), behind.rstrip()), right


def _is_loose(part: Part) -> bool:
    return isinstance(part, Item) and part.loose


def _has_words(part: Part) -> bool:
    return any(map(str.isalnum, _text(part)))


def _text(part: Part) -> str:
    return part.text if isinstance(part, Item) else part
