"""Keep glossaries: their terms in a file of their own, beside what lists show."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from deployments.library.shelf import Record, Shelf
from models.text.glossary import Entry, Glossary

KIND, PREFIX = "glossaries", "gloss"
TERMS = "terms.json"
MOST_OPENED = 32  # glossaries that stay in memory


def add(shelf: Shelf, name: str, entries: Sequence[Entry]) -> Record:
    """Keep a glossary. Raises StorageFull: its owner has no room for it."""
    languages = dict.fromkeys(language for entry in entries for language in entry.words)
    says = {"name": name, "terms": len(entries), "languages": [*languages]}
    return shelf.add(PREFIX, says, {TERMS: [json.dumps([*map(asdict, entries)]).encode()]})


def entries_of(shelf: Shelf, id: str) -> tuple[Entry, ...]:
    """Return the terms of a glossary. Raises NotFound: there is none."""
    kept: list[dict[str, Any]] = json.loads(b"".join(shelf.read(id, TERMS)))
    return tuple(map(_entry, kept))


def _entry(kept: dict[str, Any]) -> Entry:
    pairs = {name: tuple(map(tuple, kept[name])) for name in ("translations", "sounds")}
    return Entry(**{**kept, **pairs})


class Opened:
    """Keeps glossaries that were asked for, so that each is read once. Any thread may ask."""

    def __init__(self) -> None:
        self._glossaries: OrderedDict[str, Glossary] = OrderedDict()

    def open(self, shelf: Shelf, id: str) -> Glossary:
        """Return a glossary of an owner. Raises NotFound: there is none, or it is gone."""
        shelf.get(id)
        glossary = self._glossaries.pop(id, None) or Glossary(entries_of(shelf, id))
        self._glossaries[id] = glossary
        while len(self._glossaries) > MOST_OPENED:
            self._glossaries.popitem(last=False)
        return glossary
