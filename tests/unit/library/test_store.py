"""The store: owners apart, records with an end, a bound of bytes, and nothing half written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.library.sealing import Sealing
from deployments.library.shelf import UNFINISHED_S, Shelf
from deployments.library.store import Store
from models.errors import ConfigError, NotFound, StorageFull
from tests.support.clock import UnixClock

MAX_BYTES = 10_000


@pytest.fixture
def clock() -> UnixClock:
    return UnixClock()


@pytest.fixture
def store(tmp_path: Path, clock: UnixClock) -> Store:
    return Store(tmp_path / "library", Sealing(None), MAX_BYTES, clock)


@pytest.fixture
def shelf(store: Store) -> Shelf:
    return store.shelf("anna", "voices")


def test_what_is_kept_is_found_again(shelf: Shelf, store: Store) -> None:
    record = shelf.add("voice", {"name": "Anna"}, {"sample": [b"ab", b"c"]})
    again = store.shelf("anna", "voices")
    assert again.get(record.id) == record
    assert b"".join(again.read(record.id, "sample")) == b"abc"
    assert [each.id for each in again.all()] == [record.id]


@pytest.mark.parametrize(
    ("owner", "kind"), [("bert", "voices"), ("", "voices"), ("anna", "jobs")], ids=str
)
def test_nobody_else_sees_it(shelf: Shelf, store: Store, owner: str, kind: str) -> None:
    record = shelf.add("voice", {})
    other = store.shelf(owner, kind)
    assert other.all() == []
    with pytest.raises(NotFound):
        other.get(record.id)


@pytest.mark.parametrize("id", ["", "..", "voice_1", "../../key-bert/voices/voice_" + "0" * 24])
def test_an_id_is_no_path(shelf: Shelf, id: str) -> None:
    with pytest.raises(NotFound):
        shelf.get(id)


def test_what_is_over_is_gone(shelf: Shelf, store: Store, clock: UnixClock, tmp_path: Path) -> None:
    record = shelf.add("voice", {}, {"sample": [b"secret sample"]}, lasts_s=10.0)
    clock.now += 10.0
    with pytest.raises(NotFound):
        shelf.get(record.id)
    assert store.sweep() == 1
    assert not [each for each in tmp_path.rglob("*") if each.name == "sample"]


def test_a_new_end_keeps_it_longer(shelf: Shelf, clock: UnixClock) -> None:
    record = shelf.add("voice", {}, lasts_s=10.0)
    shelf.update(record.id, {"name": "new"}, lasts_s=20.0)
    clock.now += 15.0
    assert shelf.get(record.id).says == {"name": "new"}


def test_deleted_is_deleted(shelf: Shelf, tmp_path: Path) -> None:
    record = shelf.add("voice", {}, {"sample": [b"secret sample"]})
    shelf.delete(record.id)
    with pytest.raises(NotFound):
        shelf.delete(record.id)
    files = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert not [each for each in files if b"secret" in each.read_bytes()]


def test_one_owner_s_bytes_are_bounded(shelf: Shelf, store: Store) -> None:
    shelf.add("voice", {}, {"sample": [bytes(MAX_BYTES // 2)]})
    with pytest.raises(StorageFull):
        store.shelf("anna", "jobs").add("job", {}, {"source": [bytes(MAX_BYTES // 2)]})
    store.shelf("bert", "jobs").add("job", {}, {"source": [bytes(MAX_BYTES // 2)]})
    assert store.shelf("anna", "jobs").all() == []


def test_what_does_not_end_is_stopped_at_the_bound(shelf: Shelf, tmp_path: Path) -> None:
    written = []

    def endless() -> Iterator[bytes]:
        while True:
            written.append(1)
            yield bytes(1000)

    with pytest.raises(StorageFull):
        shelf.add("voice", {}, {"sample": endless()})
    assert len(written) <= MAX_BYTES // 1000 + 1
    assert not [each for each in tmp_path.rglob("*") if each.name == "sample"]


def test_what_others_write_meanwhile_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = bytes(100_000)
    monkeypatch.setattr("deployments.library.shelf.RECOUNT_BYTES", len(piece))
    store = Store(tmp_path, Sealing(None), 10 * len(piece))
    written = []

    def beside_another() -> Iterator[bytes]:
        for number in range(10):
            if number == 1:
                store.shelf("anna", "jobs").add("job", {}, {"source": [piece] * 6})
            written.append(number)
            yield piece

    with pytest.raises(StorageFull):
        store.shelf("anna", "voices").add("voice", {}, {"sample": beside_another()})
    assert len(written) <= 5


def test_what_is_deleted_while_it_is_counted_counts_no_more(
    shelf: Shelf, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, scandir = shelf.add("voice", {}).id, os.scandir

    def late(path: Any) -> Any:
        """Another caller deletes it after it was listed and before it is looked into."""
        if str(path).endswith(going):
            shelf.delete(going)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", late)
    store.shelf("anna", "jobs").add("job", {}, {"source": [b"sound"]})
    assert shelf.all() == []


def test_one_owner_s_things_are_counted(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.library.shelf.MOST", 2)
    shelf.add("voice", {})
    shelf.add("voice", {})
    with pytest.raises(StorageFull, match="at most 2"):
        shelf.add("voice", {})
    assert len(shelf.all()) == 2


def test_a_file_takes_the_place_of_one_of_its_name(shelf: Shelf) -> None:
    record = shelf.add("job", {}, {"state": [b"1"]})
    shelf.write(record.id, "state", [b"2"])
    assert b"".join(shelf.read(record.id, "state")) == b"2"
    with pytest.raises(NotFound):
        b"".join(shelf.read(record.id, "another"))


def test_what_was_never_finished_is_swept_away(
    shelf: Shelf, store: Store, clock: UnixClock, tmp_path: Path
) -> None:
    shelf.add("voice", {})
    left = tmp_path / "library" / "key-anna" / "voices" / ".new-voice_1"
    left.mkdir()
    clock.now = left.stat().st_mtime + UNFINISHED_S / 2
    store.sweep()
    assert left.exists()
    clock.now += UNFINISHED_S
    store.sweep()
    assert not left.exists()


def test_owners_are_listed(store: Store) -> None:
    store.shelf("", "voices").add("voice", {})
    store.shelf("anna", "voices").add("voice", {})
    assert sorted(store.owners()) == ["", "anna"]


def test_a_folder_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("999\n")
    with pytest.raises(ConfigError, match="newer"):
        Store(tmp_path, Sealing(None), MAX_BYTES)
