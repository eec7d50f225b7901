"""Finds what is not prose in a text, and must come through a translation unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from models.text.patterns import KINDS

_KINDS = tuple((kind, re.compile(pattern), re.compile(needs)) for kind, pattern, needs in KINDS)
# A text that holds none of these holds no items; most prose is such.
_HINT = re.compile(
    r"[\d@#$%{}\[\]\\/`<>*_~&^=+|]|[:.]\w|\w\(\)|[a-z][A-Z]|[¹²³¼-¾⁰-₎⅐-↉]|[^\x00-\x7f](?<!\w)"
    r"|ISBN|DOI|IBAN"
)
# Kinds that are no part of their sentence when they stand at an end of it.
LOOSE_KINDS = frozenset({"fence", "tag", "emoji", "symbol"})


@dataclass(frozen=True, slots=True)
class Item:
    """A part to keep. ``kind`` is one of ``patterns.KINDS``, or tells what was found later."""

    text: str
    kind: str

    @property
    def loose(self) -> bool:
        return self.kind in LOOSE_KINDS


@dataclass(frozen=True, slots=True)
class Span:
    """The place of an item."""

    start: int
    stop: int
    kind: str


def find(text: str) -> Iterator[Span]:
    """Yield the items of a text, in order, without overlaps."""
    if not _HINT.search(text):
        return
    patterns = [(kind, pattern) for kind, pattern, needs in _KINDS if needs.search(text)]
    ahead = [pattern.search(text) for _, pattern in patterns]  # the next one of each kind
    while found := [(match.start(), place) for place, match in enumerate(ahead) if match]:
        place = min(found)[1]
        match = ahead[place]
        assert match is not None
        kept = match[0].strip()
        if kept:
            start = text.index(kept, match.start())
            yield Span(start, start + len(kept), patterns[place][0])
        end = max(match.end(), match.start() + 1)
        ahead = [
            pattern.search(text, end) if later and later.start() < end else later
            for (_, pattern), later in zip(patterns, ahead, strict=True)
        ]


Part: TypeAlias = str | Item  # prose, or an item in it
Placed: TypeAlias = tuple[Span, Item]  # an item in the place of a passage


def parts(text: str, placed: Sequence[Placed] = ()) -> list[Part]:
    """Cut a text into prose and items in turn: prose at both ends and between any two items.

    Items with nothing but space between them are one.

    Args:
        text: any.
        placed: items that stand for passages of it, in order.
    """
    own = ((span, Item(text[span.start : span.stop], span.kind)) for span in find(text))
    spans: list[Placed] = [*own]
    if placed:
        spans = [each for each in spans if not any(overlaps(each[0], at) for at, _ in placed)]
        spans = sorted([*spans, *placed], key=lambda each: each[0].start)
    found: list[Part] = [""]
    end = 0
    for span, item in spans:
        join(found, text[end : span.start], item)
        end = span.stop
    found[-1] = text[end:]
    return found


def overlaps(one: Span, other: Span) -> bool:
    """Tell whether two passages of a text share a character."""
    return one.start < other.stop and other.start < one.stop


def join(found: list[Part], prose: str, item: Item) -> None:
    """Append prose and an item to parts in place of the last one; some prose follows the item."""
    before = found[-2] if len(found) > 1 else None
    if isinstance(before, Item) and not prose.strip():
        kind = before.kind if before.kind == item.kind else "several"
        if kind == "several" and before.loose and item.loose:
            kind = "symbol"
        found[-2:] = [Item(f"{before.text}{prose}{item.text}", kind), ""]
    else:
        found[-1:] = [prose, item, ""]
