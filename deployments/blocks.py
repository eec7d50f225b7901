"""Blocks of memory that processes of one machine share: a batch's samples are written once.

A block is anonymous (memfd): another process opens it through ``/proc`` as long as its owner
lives, and the kernel frees it with the last process that holds it, however that ends.
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

NAME = "dragoman-block"
TOKEN_BYTES = 16
HEAD_BYTES = 64  # before the content: the token, and room that keeps the content aligned
LEAST_BYTES = 1 << 20
KEPT = 8  # free blocks; and blocks of others that a reader keeps open, twice as many


class Address(NamedTuple):
    """Where another process of this machine finds a block."""

    pid: int
    descriptor: int
    token: bytes  # that it begins with: on another machine such a descriptor is something else
    size_bytes: int


class Block:
    """Memory of this process that others may read. ``content`` has at least the bytes asked for."""

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
    """What a process lends to its batches, each block to one batch at a time."""

    def __init__(self) -> None:
        self._free: list[Block] = []  # the last used one, whose pages are warm, last

    @contextlib.contextmanager
    def lent(self, content_bytes: int) -> Iterator[Block]:
        """A block for the length of the ``with``.

        If that ends with an error, nobody gets the block again: of a batch that was given up, a
        replica may still read.
        """
        block = self._take(content_bytes)
        yield block
        self._free.append(block)
        if len(self._free) > KEPT:
            self._free.remove(min(self._free, key=lambda free: free.address.size_bytes))

    def _take(self, content_bytes: int) -> Block:
        for place in reversed(range(len(self._free))):
            if len(self._free[place].content) >= content_bytes:
                return self._free.pop(place)
        return Block(content_bytes)


class Opened:
    """The blocks of other processes that this one has read, open for the next time."""

    def __init__(self) -> None:
        self._memory: OrderedDict[Address, mmap.mmap] = OrderedDict()

    def content(self, address: Address) -> memoryview | None:
        """Of a block; None if it is not on this machine, or its owner is gone."""
        memory = self._memory.get(address) or _open(address)
        if memory is None:
            return None
        self._memory[address] = memory
        self._memory.move_to_end(address)
        if len(self._memory) > 2 * KEPT:
            self._memory.popitem(last=False)
        return memoryview(memory)[HEAD_BYTES:]


def _open(address: Address) -> mmap.mmap | None:
    path = Path("/proc", str(address.pid), "fd", str(address.descriptor))
    try:
        if not str(path.readlink()).startswith(f"/memfd:{NAME}"):
            return None
        with path.open("r+b") as file:
            memory = mmap.mmap(file.fileno(), address.size_bytes)
    except (OSError, ValueError):  # no such file, or one that is shorter
        return None
    return memory if memory[:TOKEN_BYTES] == address.token else None
