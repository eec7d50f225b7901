"""Keep the things of one kind that one owner has, each a record with its files.

A record is written beside its place and then moved there, so that nobody sees half of one. All
methods block: run them in a thread.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deployments.library.sealing import Sealing
from deployments.telemetry.log import logger
from models.errors import InternalError, NotFound, StorageFull

RECORD = "record.json"
ID = re.compile(r"[a-z]+_[0-9a-f]{24}")
SHOWN_CHARS = 80  # of an id that is not known
MOST = 1000  # things of one kind that one owner has
RECOUNT_BYTES = 64 << 20  # of a file that is written, until it is looked again what is kept
UNFINISHED = ".new-"
UNFINISHED_S = 3600.0  # after which what was never finished is swept away


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that is kept.

    Attributes:
        id: its name at the server, such as voice_0123456789abcdef01234567.
        created_at: seconds since the epoch.
        expires_at: after which it is gone; None: it stays.
        says: what its kind knows of it, as JSON has it.
    """

    id: str
    created_at: float
    expires_at: float | None = None
    says: Mapping[str, Any] = field(default_factory=dict)


class Shelf:
    """The things of one kind that one owner has."""

    def __init__(
        self, place: Path, sealing: Sealing, max_bytes: int, unix_clock: Callable[[], float]
    ) -> None:
        self._place, self._sealing = place, sealing
        self._max_bytes, self._unix_clock = max_bytes, unix_clock

    def add(
        self,
        prefix: str,
        says: Mapping[str, Any],
        files: Mapping[str, Iterable[bytes]] | None = None,
        lasts_s: float | None = None,
    ) -> Record:
        """Keep something under a new id, which begins with ``prefix``.

        ``says`` is read once the files are written, so that they may add to it.

        Raises:
            StorageFull: the owner has no room for it.
        """
        id = f"{prefix}_{secrets.token_hex(12)}"
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._place / f"{UNFINISHED}{id}"
        new.mkdir(mode=0o700)
        try:
            for name, pieces in (files or {}).items():
                self._sealing.write(new / name, self._within_room(pieces))
            now = self._unix_clock()
            record = Record(id, now, None if lasts_s is None else now + lasts_s, dict(says))
            self._sealing.write(new / RECORD, [_written(record)])
            with self._locked():
                self._room()
                if len(self.ids()) >= MOST:
                    raise StorageFull(f"at most {MOST} are kept for one caller; delete some")
                new.rename(self._place / record.id)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        return record

    def get(self, id: str) -> Record:
        """Return a record. Raises NotFound: there is none, or it is over."""
        unknown = NotFound(f"there is no {id[:SHOWN_CHARS]!r}", param="id")
        if not ID.fullmatch(id):
            raise unknown
        try:
            data = b"".join(self._sealing.read(self._place / id / RECORD))
        except FileNotFoundError:
            raise unknown from None
        record = Record(**json.loads(data))
        if record.expires_at is not None and record.expires_at <= self._unix_clock():
            raise unknown
        return record

    def all(self) -> list[Record]:
        """List all records, the oldest first."""
        found = []
        for id in self.ids():
            with suppress(NotFound):  # it may go meanwhile
                found.append(self.get(id))
        return sorted(found, key=lambda record: (record.created_at, record.id))

    def update(self, id: str, says: Mapping[str, Any], lasts_s: float | None = None) -> Record:
        """Write anew what is known of a thing; with ``lasts_s`` its end is so far from now.

        Raises:
            NotFound: there is none.
        """
        with self._locked():
            record = replace(self.get(id), says=dict(says))
            if lasts_s is not None:
                record = replace(record, expires_at=self._unix_clock() + lasts_s)
            new = self._place / id / f"{UNFINISHED}{secrets.token_hex(4)}"
            self._sealing.write(new, [_written(record)])
            new.replace(self._place / id / RECORD)
        return record

    def read(self, id: str, name: str) -> Iterator[bytes]:
        """Yield a file of a thing in pieces. Raises NotFound: there is none."""
        self.get(id)
        try:
            yield from self._sealing.read(self._place / id / name)
        except FileNotFoundError:
            raise NotFound(f"{id} has no {name}", param="id") from None

    def open(self, id: str, name: str) -> io.RawIOBase:
        """Open a file of a thing to read any part of it. Raises NotFound: there is none."""
        self.get(id)
        try:
            return self._sealing.open(self._place / id / name)
        except FileNotFoundError:
            raise NotFound(f"{id} has no {name}", param="id") from None

    def folder_of(self, id: str) -> Path:
        """Return the folder of a thing. Raises NotFound: there is none."""
        self.get(id)
        return self._place / id

    def write(self, id: str, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file of a thing, in the place of one of that name.

        Raises:
            NotFound: there is no such thing.
            StorageFull: the owner has no room for it.
        """
        self.get(id)
        new = self._place / id / f"{UNFINISHED}{secrets.token_hex(4)}"
        try:
            self._sealing.write(new, self._within_room(pieces))
            with self._locked():
                self._room()
                new.replace(self._place / id / name)
        except BaseException:
            new.unlink(missing_ok=True)
            raise

    def delete(self, id: str) -> None:
        """Delete a thing and its files for good. Raises NotFound: there is none."""
        with self._locked():
            self.get(id)
            self._drop(self._place / id)

    def sweep(self) -> int:
        """Delete what is over, and what was never finished. Return how many things went."""
        gone = 0
        with self._locked():
            for path in list(self._place.iterdir()):
                if path.name.startswith(UNFINISHED):
                    if path.stat().st_mtime < self._unix_clock() - UNFINISHED_S:
                        shutil.rmtree(path, ignore_errors=True)
                elif path.is_dir():
                    try:
                        self.get(path.name)
                    except NotFound:
                        self._drop(path)
                        gone += 1
                    except InternalError as error:  # nobody can tell its end
                        logger.error("%s", error)
        return gone

    def ids(self) -> list[str]:
        """List the ids of all things, those that are over among them."""
        if not self._place.exists():
            return []
        return [path.name for path in self._place.iterdir() if ID.fullmatch(path.name)]

    def _drop(self, path: Path) -> None:
        """Take a thing out of sight at once, and delete it then."""
        going = path.with_name(f"{UNFINISHED}{secrets.token_hex(4)}")
        path.rename(going)
        shutil.rmtree(going)

    def _within_room(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces of a file for as long as the owner has room for them.

        What others write meanwhile counts, too.
        """
        room, written = self._room(), 0
        for piece in pieces:
            if written >= RECOUNT_BYTES:
                room, written = self._room(), 0
            written += len(piece)
            if written > room:
                raise self._full()
            yield piece

    def _room(self) -> int:
        """Return the bytes that the owner may still keep. Raises StorageFull: too much is kept."""
        kept = sum([_bytes_of(path) for path in self._place.parent.iterdir()])
        if kept > self._max_bytes:
            raise self._full()
        return self._max_bytes - kept

    def _full(self) -> StorageFull:
        message = f"at most {self._max_bytes} bytes are kept for one caller; delete something"
        return StorageFull(message)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from changing what the owner has."""
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._place.parent / ".lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _written(record: Record) -> bytes:
    return json.dumps(asdict(record)).encode()


def _bytes_of(path: Path) -> int:
    found = 0
    for folder, _, names in os.walk(path):  # which passes over a folder that is gone
        for name in names:
            with suppress(FileNotFoundError):  # others delete meanwhile
                found += (Path(folder) / name).stat().st_size
    return found
