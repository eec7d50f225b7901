"""Glossaries that are kept: whole, apart by owner, and gone once they are deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.library import glossaries
from deployments.library.sealing import Sealing
from deployments.library.shelf import Shelf
from deployments.library.store import Store
from models.errors import NotFound
from models.text.glossary import Entry, Glossary

ENTRIES = (
    Entry("deed", "en", (("pt", "escritura"),), (("pt", "/iʃkɾiˈtuɾɐ/"),), case_sensitive=True),
    Entry("Łódź", "pl"),
)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Store(tmp_path, Sealing("k" * 32), 1 << 30).shelf("ann", glossaries.KIND)


def test_a_glossary_comes_back_as_it_was_kept(shelf: Shelf) -> None:
    record = glossaries.add(shelf, "legal", ENTRIES)
    assert glossaries.entries_of(shelf, record.id) == ENTRIES
    assert record.says == {"name": "legal", "terms": 2, "languages": ["pt", "en", "pl"]}


def test_an_opened_glossary_is_read_once(shelf: Shelf) -> None:
    opened, record = glossaries.Opened(), glossaries.add(shelf, "legal", ENTRIES)
    first = opened.open(shelf, record.id)
    assert first == Glossary(ENTRIES)
    assert opened.open(shelf, record.id) is first


def test_a_deleted_glossary_is_no_longer_opened(shelf: Shelf) -> None:
    opened, record = glossaries.Opened(), glossaries.add(shelf, "legal", ENTRIES)
    opened.open(shelf, record.id)
    shelf.delete(record.id)
    with pytest.raises(NotFound):
        opened.open(shelf, record.id)


def test_few_glossaries_stay_in_memory(shelf: Shelf) -> None:
    opened = glossaries.Opened()
    records = [glossaries.add(shelf, "one", ENTRIES[:1]) for _ in range(glossaries.MOST_OPENED + 1)]
    found = [opened.open(shelf, record.id) for record in records]
    assert opened.open(shelf, records[-1].id) is found[-1]
    assert opened.open(shelf, records[0].id) is not found[0]
