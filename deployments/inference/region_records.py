"""Remember which regions of shared memory are registered, for all ingress processes of a machine.

    FOLDER/key-OWNER/HASH      a region; HASH is of its name

A record is a symbolic link whose target is its text. It is made and read by one system call each,
so nobody sees half of one, and a second one of the same name cannot be made. All methods block.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from deployments.config.environment import RUN
from deployments.config.shared_memory import SharedMemory
from models.errors import ConfigError, InvalidRequest, StorageFull

ALIVE, LOCK = ".alive", ".lock"
EVERYBODY = "everybody"  # the owner where there are no keys
KNOWN = 1024  # records that are not parsed again


@dataclass(frozen=True, slots=True)
class Region:
    """A part of shared memory that a caller has registered.

    Attributes:
        name: what its owner calls it.
        key: of the shared memory, as ``shm_open`` takes it.
        offset: where it begins in there, in bytes.
        byte_size: its length.
    """

    name: str
    key: str
    offset: int
    byte_size: int


def folder_of(host: str, port: int, environment: Mapping[str, str]) -> Path:
    """Return the folder that the ingress processes of one server share on a machine."""
    base = environment.get(RUN) or tempfile.gettempdir()
    return Path(base) / f"dragoman-regions-{host}-{port}"


def own_folder() -> Path:
    """Make a folder for this process alone, which goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="dragoman-regions-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Records:
    """The regions of every owner, each with a name of its own among those of its owner.

    Who opens the folder while no other process has it open finds it empty: a restart forgets all
    regions.

    Raises:
        ConfigError: the folder is another user's, or cannot be made.
    """

    def __init__(self, folder: Path, bounds: SharedMemory) -> None:
        self._folder, self._bounds = folder, bounds
        _make_private(folder)
        alive = os.open(folder / ALIVE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, alive)  # until then it is locked
        try:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass  # others are there
        else:
            for place in [each for each in folder.iterdir() if each.is_dir()]:
                shutil.rmtree(place)
        fcntl.flock(alive, fcntl.LOCK_SH)

    def add(self, owner: str, region: Region) -> None:
        """Register a region.

        Raises:
            InvalidRequest: the owner has one of that name.
            StorageFull: the owner has as many regions, or bytes in them, as one may have.
        """
        with self._locked():
            known = self.all(owner)
            if any(each.name == region.name for each in known):
                message = f"shared memory region '{region.name}' already in manager"
                raise InvalidRequest(message, param="name")
            most, most_bytes = self._bounds.max_regions_per_key, self._bounds.max_bytes_per_key
            if len(known) >= most:
                message = f"at most {most} regions are registered for one caller; unregister some"
                raise StorageFull(message, param="name")
            if sum(each.byte_size for each in known) + region.byte_size > most_bytes:
                message = f"the regions of one caller must have at most {most_bytes} bytes together"
                raise StorageFull(message, param="byte_size")
            Path(self._place(owner)).mkdir(mode=0o700, exist_ok=True)
            text = json.dumps(asdict(region), ensure_ascii=False)
            Path(self._path(owner, region.name)).symlink_to(text)

    def get(self, owner: str, name: str) -> Region | None:
        """Return the owner's region of that name; None: there is none."""
        return _read(self._path(owner, name))

    def all(self, owner: str) -> list[Region]:
        """List the regions of an owner, by name."""
        place = Path(self._place(owner))
        paths = list(place.iterdir()) if place.exists() else []
        found = filter(None, map(_read, paths))  # some may go meanwhile
        return sorted(found, key=lambda region: region.name)

    def remove(self, owner: str, name: str | None) -> None:
        """Forget the owner's region of that name, if there is one; None: all of the owner's."""
        with self._locked():
            names = [region.name for region in self.all(owner)] if name is None else [name]
            for each in names:
                Path(self._path(owner, each)).unlink(missing_ok=True)

    def _place(self, owner: str) -> str:
        return f"{self._folder}/{f'key-{owner}' if owner else EVERYBODY}"

    def _path(self, owner: str, name: str) -> str:
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
        return f"{self._place(owner)}/{digest}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes and threads from changing what is registered."""
        with (self._folder / LOCK).open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _read(path: Path | str) -> Region | None:
    with suppress(FileNotFoundError):
        return _parsed(os.readlink(path))  # noqa: PTH115 - a Path would drop slashes of the text
    return None


@lru_cache(KNOWN)
def _parsed(text: str) -> Region:
    return Region(**json.loads(text))


def _make_private(folder: Path) -> None:
    """Make a folder that no other user can read, or refuse one that another has made before."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigError(f"shared_memory: {folder}: {error}") from error
    is_open = found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or is_open:
        raise ConfigError(f"shared_memory: {folder} must be a folder that this user alone can read")
