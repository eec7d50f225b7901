"""Files that are encrypted: what was written is read, and nothing that was changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.library.sealing import MAGIC, PIECE_BYTES, Sealing
from models.errors import ConfigError, InternalError, NotAudio

SECRET = "a key of the library with 36 letters"
SIZES = [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES]


@pytest.mark.parametrize("secret", [None, SECRET], ids=["plain", "sealed"])
@pytest.mark.parametrize("size", SIZES)
def test_what_was_written_is_read(tmp_path: Path, secret: str | None, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    Sealing(secret).write(tmp_path / "x", [data[: size // 2], b"", data[size // 2 :]])
    assert b"".join(Sealing(secret).read(tmp_path / "x")) == data


def test_a_sealed_file_does_not_show_what_it_holds(tmp_path: Path) -> None:
    Sealing(SECRET).write(tmp_path / "x", [b"somebody's voice"])
    assert b"voice" not in (tmp_path / "x").read_bytes()
    assert (tmp_path / "x").stat().st_mode & 0o077 == 0


def cut(data: bytes) -> bytes:
    """Leave the last piece out."""
    return data[: len(MAGIC) + 16 + 4 + 12 + PIECE_BYTES + 16]


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def longer(data: bytes) -> bytes:
    return data + b"x"


@pytest.mark.parametrize("change", [cut, flipped, longer], ids=lambda change: change.__name__)
def test_a_file_that_was_changed_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "x"
    Sealing(SECRET).write(path, [bytes(PIECE_BYTES + 100)])
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InternalError, match="changed"):
        b"".join(Sealing(SECRET).read(path))


@pytest.mark.parametrize("secret", [None, SECRET.upper()], ids=["no key", "another key"])
def test_a_sealed_file_needs_its_key(tmp_path: Path, secret: str | None) -> None:
    Sealing(SECRET).write(tmp_path / "x", [b"x"])
    with pytest.raises(InternalError):
        b"".join(Sealing(secret).read(tmp_path / "x"))


def test_plain_files_of_before_are_read_with_a_key(tmp_path: Path) -> None:
    Sealing(None).write(tmp_path / "x", [b"plain"])
    assert b"".join(Sealing(SECRET).read(tmp_path / "x")) == b"plain"


def test_a_plain_file_that_passes_for_a_sealed_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAudio):
        Sealing(None).write(tmp_path / "a", [MAGIC + b"audio"])


def test_sealed_it_is_a_file_like_any_other(tmp_path: Path) -> None:
    Sealing(SECRET).write(tmp_path / "a", [MAGIC + b"audio"])
    assert b"".join(Sealing(SECRET).read(tmp_path / "a")) == MAGIC + b"audio"


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="DRAGOMAN_LIBRARY_KEY"):
        Sealing("short")
