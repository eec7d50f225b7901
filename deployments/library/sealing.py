"""Write files in pieces that are encrypted and cannot be changed unseen, and read them."""

from __future__ import annotations

import errno
import io
import os
import secrets
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.errors import ConfigError, DiskFull, InternalError, NotAudio

LIBRARY_KEY = "DRAGOMAN_LIBRARY_KEY"
LEAST_CHARS = 32
MAGIC = b"dragoman-sealed-1\n"
PIECE_BYTES = 1 << 20
NONCE_BYTES, TAG_BYTES, SALT_BYTES, LENGTH_BYTES = 12, 16, 16, 4
LAST = 1 << 31  # beside the length of a file's last piece


class Sealing:
    """Encrypts files with AES-256-GCM, each with a key of its own; without a key they stay plain.

    A sealed file is ``MAGIC``, a salt, and pieces: length, nonce, ciphertext. The place of a piece
    and whether it is the last are sealed in, so none can be left out, added or moved. Plain files
    that were written before there was a key are still read.

    Args:
        secret: the key of the library; None: there is none.
    """

    def __init__(self, secret: str | None) -> None:
        if secret is not None and len(secret) < LEAST_CHARS:
            raise ConfigError(f"{LIBRARY_KEY} must have at least {LEAST_CHARS} characters")
        self._secret = None if secret is None else secret.encode()

    def write(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Write a file, and wait until the disk has it.

        Raises:
            DiskFull: it has no room.
            NotAudio: it begins as sealed files do, and would be read as one.
        """
        with _told_when_full(), path.open("xb") as file:
            path.chmod(0o600)
            if self._secret is None:
                file.writelines(_plain(pieces))
            else:
                self._seal(file, _of_one_size(pieces))
            file.flush()
            os.fsync(file.fileno())

    def read(self, path: Path) -> Iterator[bytes]:
        """Yield a file in pieces.

        Raises:
            FileNotFoundError: there is none.
            InternalError: it was sealed with another key, or it was changed.
        """
        with path.open("rb") as file:
            first = file.read(len(MAGIC))
            if first != MAGIC:
                yield first
                while piece := file.read(PIECE_BYTES):
                    yield piece
            elif self._secret is None:
                raise InternalError(f"{path} is encrypted, and {LIBRARY_KEY} is not set")
            else:
                yield from self._open(file, path)

    def open(self, path: Path) -> io.RawIOBase:
        """Open a file to read any part of it.

        Raises:
            FileNotFoundError: there is none.
            InternalError: it was sealed with another key, or it was changed.
        """
        file = path.open("rb", buffering=0)
        try:
            if file.read(len(MAGIC)) != MAGIC:
                file.seek(0)
                return file
            if self._secret is None:
                raise InternalError(f"{path} is encrypted, and {LIBRARY_KEY} is not set")
            return SealedFile(file, self._cipher(file.read(SALT_BYTES)), path)
        except BaseException:
            file.close()
            raise

    def _seal(self, file: BinaryIO, pieces: Iterator[bytes]) -> None:
        salt = secrets.token_bytes(SALT_BYTES)
        cipher = self._cipher(salt)
        file.write(MAGIC + salt)
        piece, number, is_last = next(pieces, b""), 0, False
        while not is_last:
            following = next(pieces, None)
            is_last = following is None
            length = (len(piece) | LAST if is_last else len(piece)).to_bytes(LENGTH_BYTES, "big")
            nonce = secrets.token_bytes(NONCE_BYTES)
            sealed = cipher.encrypt(nonce, piece, length + number.to_bytes(8, "big"))
            file.write(length + nonce + sealed)
            piece, number = following or b"", number + 1

    def _open(self, file: BinaryIO, path: Path) -> Iterator[bytes]:
        changed = InternalError(f"{path} was sealed with another key, or it was changed")
        cipher = self._cipher(file.read(SALT_BYTES))
        number, is_last = 0, False
        while not is_last:
            length = file.read(LENGTH_BYTES)
            said = int.from_bytes(length, "big")
            is_last = bool(said & LAST)
            nonce = file.read(NONCE_BYTES)
            sealed = file.read(min(said & ~LAST, PIECE_BYTES) + TAG_BYTES)
            try:
                yield cipher.decrypt(nonce, sealed, length + number.to_bytes(8, "big"))
            except (InvalidTag, ValueError):
                raise changed from None
            number += 1
        if file.read(1):
            raise changed

    def _cipher(self, salt: bytes) -> AESGCM:
        assert self._secret is not None
        return AESGCM(HKDF(SHA256(), 32, salt, b"dragoman library").derive(self._secret))


class SealedFile(io.RawIOBase):
    """A sealed file that is open for reading; one piece of it is in memory at a time."""

    def __init__(self, file: io.FileIO, cipher: AESGCM, path: Path) -> None:
        super().__init__()
        self._file, self._cipher = file, cipher
        self._changed = InternalError(f"{path} was sealed with another key, or it was changed")
        self._places: list[int] = []  # of each piece in the file
        self._starts: list[int] = [0]  # of each piece in what was sealed, and its end
        self._position, self._held, self._piece = 0, -1, b""
        self._look()

    def _look(self) -> None:
        """Find the pieces. Raises InternalError: some are missing."""
        at, size_bytes, is_last = self._file.tell(), os.fstat(self._file.fileno()).st_size, False
        while not is_last:
            self._file.seek(at)
            said = int.from_bytes(self._file.read(LENGTH_BYTES), "big")
            is_last, length = bool(said & LAST), said & ~LAST
            self._places.append(at)
            self._starts.append(self._starts[-1] + length)
            at += LENGTH_BYTES + NONCE_BYTES + length + TAG_BYTES
            if length > PIECE_BYTES or at > size_bytes:
                raise self._changed
        if at != size_bytes:
            raise self._changed

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read up to the end of a piece, and return how many bytes; 0 at the end of the file.

        Raises:
            InternalError: the file was changed.
        """
        view = memoryview(buffer).cast("B")
        if self._position >= self._starts[-1] or not len(view):
            return 0
        number = bisect_right(self._starts, self._position) - 1
        if number != self._held:
            self._piece, self._held = self._opened(number), number
        start = self._position - self._starts[number]
        found = self._piece[start : start + len(view)]
        view[: len(found)] = found
        self._position += len(found)
        return len(found)

    def _opened(self, number: int) -> bytes:
        self._file.seek(self._places[number])
        length = self._file.read(LENGTH_BYTES)
        nonce = self._file.read(NONCE_BYTES)
        sealed = self._file.read((int.from_bytes(length, "big") & ~LAST) + TAG_BYTES)
        try:
            return self._cipher.decrypt(nonce, sealed, length + number.to_bytes(8, "big"))
        except (InvalidTag, ValueError):
            raise self._changed from None

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position, and return it; behind the end there is nothing to read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


@contextmanager
def _told_when_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull("the disk of this server's library is full") from error


def _plain(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for number, piece in enumerate(pieces):
        if number == 0 and piece.startswith(MAGIC):
            raise NotAudio("the file begins as those that this server has encrypted", param="file")
        yield piece


def _of_one_size(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of at most ``PIECE_BYTES``."""
    for piece in pieces:
        for start in range(0, len(piece), PIECE_BYTES):
            yield piece[start : start + PIECE_BYTES]
