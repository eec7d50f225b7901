"""Shared memory as a client makes it, and regions of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PREFIX = "/dragoman-test-"
SHM = Path("/dev/shm")


@dataclass(frozen=True)
class Memory:
    """A file of shared memory; its key is as ``shm_open`` takes it."""

    key: str

    @property
    def path(self) -> Path:
        return SHM / self.key[1:]

    def put(self, data: bytes, offset: int = 0) -> None:
        with self.path.open("r+b") as file:
            file.seek(offset)
            file.write(data)

    def get(self, offset: int, size_bytes: int) -> bytes:
        return self.path.read_bytes()[offset : offset + size_bytes]

    def cut(self, size_bytes: int) -> None:
        os.truncate(self.path, size_bytes)


@contextmanager
def memory(size_bytes: int = 4096, prefix: str = PREFIX) -> Iterator[Memory]:
    """Make shared memory of zeros, which is gone at the end."""
    made = Memory(f"{prefix}{secrets.token_hex(8)}")
    made.path.touch(mode=0o600)
    made.cut(size_bytes)
    try:
        yield made
    finally:
        made.path.unlink(missing_ok=True)
