"""Keeps files that are made once: joined and converted weights, whole or not at all.

The size and SHA-256 of each written file are recorded in the cache's folder ``records``. A kept
file is compared with its record when it is opened, and made again if it differs. Its bytes are read
once a process, and again if its size or its time of change differs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

from filelock import FileLock

from models.errors import WeightsError

# Of a kept file or folder: the size and SHA-256 of each file, by its name in the folder.
Record: TypeAlias = dict[str, list[int | str]]
_logger = logging.getLogger("dragoman")


def cache_folder() -> Path:
    """Return the folder of joined and converted weights: ``DRAGOMAN_CACHE`` or the user's cache."""
    named = os.environ.get("DRAGOMAN_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else base / "dragoman"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex; a file that has not changed is read once."""
    status = path.stat()
    return _digest_of(path, status.st_size, status.st_mtime_ns)


@cache
def _digest_of(path: Path, size_bytes: int, modified_ns: int) -> str:
    """Read a file's SHA-256; cached, as files are large and models may share one."""
    return _read_digest(path)


def _read_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached(path: Path, write: Callable[[Path], None]) -> Path:
    """Return ``path``, a file or folder; ``write`` makes it if it is missing or damaged.

    Safe when several replicas start together: one writes, the others wait for it. A write that
    fails leaves nothing behind.

    Raises:
        WeightsError: it cannot be written or read; the message names the path.
    """
    key = _key(path)
    record = cache_folder() / "records" / f"{key}.json"
    try:
        with _lock(key):
            if not _is_as_written(path, record):
                if path.exists():
                    _logger.warning("%s is not as it was written: it is made again", path)
                _make(path, record, write)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be made or read: {error}") from error
    return path


def linked(link: Path, target: Path) -> Path:
    """Return ``link``, a symbolic link to ``target``, and make it if it is missing or wrong.

    Raises:
        WeightsError: it cannot be made; the message names the path.
    """
    try:
        with _lock(_key(link)):
            if not link.is_symlink() or link.readlink() != target:
                link.parent.mkdir(parents=True, exist_ok=True)
                partial = link.with_name(f"{link.name}.partial")
                _remove(partial)
                partial.symlink_to(target)
                _remove(link)
                partial.replace(link)
    except OSError as error:
        raise WeightsError(f"{link}: cannot be made: {error}") from error
    return link


def _key(path: Path) -> str:
    """Name a path by its place in the cache, so that a cache that moves keeps its records."""
    folder = cache_folder()
    name = path.relative_to(folder) if path.is_relative_to(folder) else path
    return hashlib.sha256(str(name).encode()).hexdigest()[:16]


@contextlib.contextmanager
def _lock(key: str) -> Iterator[None]:
    locks = cache_folder() / "locks"  # not beside the file: libraries load its whole folder
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / key):
        yield


def _make(path: Path, record: Path, write: Callable[[Path], None]) -> None:
    """Write under another name, sync it to the disk, and rename it."""
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)  # left by a process that was killed
    try:
        write(partial)
        written: Record = {
            name: [file.stat().st_size, _read_digest(file)] for name, file in _files(partial)
        }
        for _, file in _files(partial):
            _sync(file)
        if partial.is_dir():
            _sync(partial)
        _write_record(record, written)
        _remove(path)
        partial.replace(path)
        _sync(path.parent)
    except BaseException:
        _remove(partial)
        if not path.exists():
            record.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # it is not empty
            path.parent.rmdir()
        raise


def _is_as_written(path: Path, record: Path) -> bool:
    """Tell whether each file of ``path`` is there, and every byte is that of the record."""
    try:
        written = json.loads(record.read_text())
        found = {name: [file.stat().st_size, digest(file)] for name, file in _files(path)}
    except (FileNotFoundError, ValueError):
        return False
    return bool(found == written)


def _write_record(record: Path, written: Record) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    partial = record.with_suffix(".partial")
    try:
        partial.write_text(json.dumps(written))
        _sync(partial)
        partial.replace(record)
    finally:
        partial.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and place of each file of a folder; of a file, itself."""
    if not path.is_dir():
        yield "", path
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file


def _sync(path: Path) -> None:
    """Sync a file's bytes, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
