"""Share blocks of memory between processes of one machine, so that samples are copied once.

A block is anonymous (memfd). Another process opens it through ``/proc`` while its owner lives, and
the kernel frees it with the last process that holds it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deployments.telemetry.log import logger

NAME = "dragoman-block"
TOKEN_BYTES = 16
HEAD_BYTES = 64  # before the content: the token, and room that keeps the content aligned
LEAST_BYTES = 1 << 20
KEPT = 8  # free blocks; each replica has two in flight
KEPT_OPEN = 16  # blocks of other processes: those of two ingresses


class Address(NamedTuple):
    """The address by which another process of this machine finds a block."""

    pid: int
    descriptor: int
    token: bytes  # at its beginning; on another machine the descriptor is something else
    size_bytes: int


class Block:
    """Memory of this process that others may read; ``content`` has at least the bytes asked for."""

    def __init__(self, content_bytes: int) -> None:
        size_bytes = max(LEAST_BYTES, 1 << (HEAD_BYTES + content_bytes - 1).bit_length())
        descriptor = os.memfd_create(NAME)
        weakref.finalize(self, os.close, descriptor)
        os.ftruncate(descriptor, size_bytes)
        memory = mmap.mmap(descriptor, size_bytes)
        self.address = Address(
            os.getpid(), descriptor, secrets.token_bytes(TOKEN_BYTES), size_bytes
        )
        memory[:TOKEN_BYTES] = self.address.token
        self.content = memoryview(memory)[HEAD_BYTES:]


class Blocks:
    """Lend blocks of this process, each to one batch at a time."""

    def __init__(self) -> None:
        self._free: list[Block] = []  # the one used last, whose pages are warm, is at the end
        self._warned = False

    @contextlib.contextmanager
    def lent(self, content_bytes: int) -> Iterator[Block | None]:
        """Lend a block for the length of the ``with``; None if no memory can be had.

        After an error the block is not lent again, because a replica may still read from it.
        """
        block = self._take(content_bytes)
        yield block
        if block is not None:
            self._free.append(block)
            del self._free[:-KEPT]

    def _take(self, content_bytes: int) -> Block | None:
        """Take the smallest free block that has room, or make one."""
        fitting = [free for free in reversed(self._free) if len(free.content) >= content_bytes]
        if fitting:
            block = min(fitting, key=lambda free: len(free.content))
            self._free.remove(block)
            return block
        try:
            return Block(content_bytes)
        except (OSError, AttributeError) as error:  # not allowed here, or no memory is left
            if not self._warned:
                logger.warning("no memory to share with the models: %r", error)
                self._warned = True
            return None


class Opened:
    """Keep blocks of other processes open between batches."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[int, int], tuple[bytes, mmap.mmap]] = OrderedDict()

    def content(self, address: Address) -> memoryview | None:
        """Return a block's content, read-only; None if it cannot be opened, as from elsewhere."""
        place = address.pid, address.descriptor
        token, memory = self._open.get(place, (b"", None))
        if memory is None or token != address.token:
            self._forget()
            memory = _opened(address)
            if memory is None:
                return None
            self._open[place] = address.token, memory
        self._open.move_to_end(place)
        return memoryview(memory)[HEAD_BYTES:]

    def _forget(self) -> None:
        """Close blocks that their owner has dropped, which use memory here; make room for one."""
        for place in [place for place in self._open if not _path(*place).is_symlink()]:
            del self._open[place]
        while len(self._open) >= KEPT_OPEN:
            self._open.popitem(last=False)


def _path(pid: int, descriptor: int) -> Path:
    return Path("/proc", str(pid), "fd", str(descriptor))


def _opened(address: Address) -> mmap.mmap | None:
    path = _path(address.pid, address.descriptor)
    try:
        if not str(path.readlink()).startswith(f"/memfd:{NAME}"):
            return None
        with path.open("rb") as file:
            memory = mmap.mmap(file.fileno(), address.size_bytes, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # not here, not readable, shorter, or no room for it
        return None
    return memory if memory[:TOKEN_BYTES] == address.token else None
