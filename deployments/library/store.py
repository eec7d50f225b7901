"""Keep records and their files in a folder, apart by owner, with an end and a bound of bytes.

    FOLDER/version                         of this layout
    FOLDER/OWNER/KIND/ID/record.json       what is known of it
    FOLDER/OWNER/KIND/ID/NAME              its files

Every ingress process reads and writes the same folder. All methods block: run them in a thread.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from deployments.config.library import Library
from deployments.library.sealing import LIBRARY_KEY, Sealing
from deployments.library.shelf import Shelf
from models.errors import ConfigError

VERSION = 1
UPGRADES: Mapping[int, Callable[[Path], None]] = {}  # from each version to the next
EVERYBODY = "everybody"  # the owner where there are no keys


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
