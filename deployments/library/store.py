"""Keep records and their files in a folder, apart by owner, with an end and a bound of bytes.

    FOLDER/version                         of this layout
    FOLDER/OWNER/KIND/ID/record.json       what is known of it
    FOLDER/OWNER/KIND/ID/NAME              its files

Every ingress process reads and writes the same folder. A record is written beside its place and
then moved there, so that nobody sees half of one. All methods block: run them in a thread.
"""

from __future__ import annotations

import fcntl
import io
import json
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deployments.config.library import Library
from deployments.library.sealing import LIBRARY_KEY, Sealing
from deployments.telemetry.log import logger
from models.errors import ConfigError, InternalError, NotFound, StorageFull

VERSION = 1
UPGRADES: Mapping[int, Callable[[Path], None]] = {}  # from each version to the next
EVERYBODY = "everybody"  # the owner where there are no keys
RECORD = "record.json"
ID = re.compile(r"[a-z]+_[0-9a-f]{24}")
MOST = 1000  # things of one kind that one owner has
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


def open_store(library: Library, environment: Mapping[str, str]) -> Store | None:
    """Open the folder of the configuration; None: it names none.

    Raises:
        ConfigError: the key in the environment is too short, or see ``Store``.
    """
    if library.folder is None:
        return None
    sealing = Sealing(environment.get(LIBRARY_KEY) or None)
    return Store(Path(library.folder).absolute(), sealing, library.max_bytes_per_owner)


class Store:
    """All that is kept in one folder.

    Args:
        folder: it is made where it is missing.
        sealing: encrypts what is written.
        max_bytes: most that is kept for one owner.
        unix_clock: tells seconds since the epoch.

    Raises:
        ConfigError: the folder was written by a newer Dragoman, or cannot be written to.
    """

    def __init__(
        self,
        folder: Path,
        sealing: Sealing,
        max_bytes: int,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder, self._sealing = folder, sealing
        self._max_bytes, self._unix_clock = max_bytes, unix_clock
        _prepare(folder)

    def shelf(self, owner: str, kind: str) -> Shelf:
        """Return the things of one kind that one owner has. ``owner``: the name of a key."""
        place = self.folder / (f"key-{owner}" if owner else EVERYBODY) / kind
        return Shelf(place, self._sealing, self._max_bytes, self._unix_clock)

    def owners(self) -> list[str]:
        """List all who have kept something."""
        names = [each.name for each in self.folder.iterdir() if each.is_dir()]
        return ["" if name == EVERYBODY else name.removeprefix("key-") for name in names]

    def sweep(self) -> int:
        """Delete what is over, and what was never finished. Return how many things went."""
        gone = 0
        for kind in [each for each in self.folder.glob("*/*") if each.is_dir()]:
            gone += Shelf(kind, self._sealing, self._max_bytes, self._unix_clock).sweep()
        return gone


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
        unknown = NotFound(f"there is no {id!r}", param="id")
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
        """Yield the pieces of a file for as long as the owner has room for them."""
        room = self._room()
        for piece in pieces:
            room -= len(piece)
            if room < 0:
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


def _prepare(folder: Path) -> None:
    """Make the folder, or bring it to this version."""
    path = folder / "version"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / ".lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            found = int(path.read_text()) if path.exists() else VERSION
            if found > VERSION:
                raise ConfigError(
                    f"library.folder: {folder} was written by a newer Dragoman (layout {found}; "
                    f"this one knows {VERSION})"
                )
            for version in range(found, VERSION):
                UPGRADES[version](folder)
            path.write_text(f"{VERSION}\n")
    except (OSError, ValueError) as error:
        raise ConfigError(f"library.folder: {folder}: {error}") from error


def _written(record: Record) -> bytes:
    return json.dumps(asdict(record)).encode()


def _bytes_of(path: Path) -> int:
    found = 0
    for each in path.rglob("*"):
        with suppress(FileNotFoundError):  # others delete meanwhile
            found += each.stat().st_size if each.is_file() else 0
    return found
