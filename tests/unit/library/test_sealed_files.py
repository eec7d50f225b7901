"""Sealed files that are open for reading: any part of them, and nothing of a changed one."""

from __future__ import annotations

import errno
import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.library.sealing import LENGTH_BYTES, MAGIC, PIECE_BYTES, SALT_BYTES, Sealing
from models.errors import DiskFull, InternalError

SECRET = "a secret of the library, long enough"
DATA = random.Random(1).randbytes(2 * PIECE_BYTES + 1234)


def put(path: Path, secret: str | None = SECRET, data: bytes = DATA) -> Path:
    file = path / "file"
    Sealing(secret).write(file, [data])
    return file


@pytest.mark.parametrize("secret", [None, SECRET], ids=["plain", "sealed"])
def test_any_part_is_read(tmp_path: Path, secret: str | None) -> None:
    with Sealing(secret).open(put(tmp_path, secret)) as file:
        assert file.seek(0, io.SEEK_END) == len(DATA)
        assert file.read(10) == b""
        for start in (0, PIECE_BYTES - 5, PIECE_BYTES, 2 * PIECE_BYTES + 1000):
            file.seek(start)
            found = b""
            while len(found) < 1000 and (piece := file.read(1000 - len(found))):
                found += piece
            assert found == DATA[start : start + 1000]


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES])
def test_files_of_few_pieces_are_read_whole(tmp_path: Path, size: int) -> None:
    with Sealing(SECRET).open(put(tmp_path, data=DATA[:size])) as file:
        assert file.read(2 * PIECE_BYTES) == DATA[:size]


def test_a_file_from_before_there_was_a_key_is_read(tmp_path: Path) -> None:
    with Sealing(SECRET).open(put(tmp_path, None)) as file:
        assert file.read(9) == DATA[:9]


HEAD = len(MAGIC) + SALT_BYTES


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d[:-1], id="cut"),
        pytest.param(lambda d: d + b"x", id="longer"),
        pytest.param(lambda d: d[:HEAD], id="no pieces"),
        pytest.param(lambda d: d[:HEAD] + b"\x7f" * LENGTH_BYTES + d[HEAD + 4 :], id="a length"),
        pytest.param(lambda d: d[: HEAD + 40] + b"xy" + d[HEAD + 42 :], id="a byte"),
        pytest.param(lambda d: d[: len(MAGIC)] + bytes(16) + d[HEAD:], id="another salt"),
    ],
)
def test_a_changed_file_is_not_read(tmp_path: Path, change: object) -> None:
    path = put(tmp_path)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InternalError), Sealing(SECRET).open(path) as file:
        file.read(10)


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    path = put(tmp_path)
    with pytest.raises(InternalError), Sealing(SECRET + "!").open(path) as file:
        file.read(10)
    with pytest.raises(InternalError):
        Sealing(None).open(path)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DiskFull, match="full"):
        Sealing(SECRET).write(tmp_path / "file", pieces())
