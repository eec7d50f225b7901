"""Read and write the files of POSIX shared memory, which others may change at any moment.

Nothing is mapped: a process that reads a map whose file was cut short is killed. What is read is a
copy, so that what was checked is what is used.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from models.errors import InvalidRequest

FOLDER = "/dev/shm"
MAX_KEY_CHARS = 250
# Neither a link is followed, nor does a pipe or a terminal keep the caller waiting.
FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class SharedFile:
    """A file of shared memory that was opened just now.

    Args:
        descriptor: of the file.
        size_bytes: its size as it was opened.
        name: of the region, for messages.
        param: what errors name.
    """

    def __init__(self, descriptor: int, size_bytes: int, name: str, param: str) -> None:
        self._descriptor, self._size_bytes = descriptor, size_bytes
        self._name, self._param = name, param

    def check_size(self, size_bytes: int) -> None:
        """Refuse a file that has fewer bytes. Raises InvalidRequest."""
        if self._size_bytes < size_bytes:
            raise self._too_short(size_bytes, self._size_bytes)

    def read(self, offset: int, buffer: NDArray[np.uint8]) -> None:
        """Fill a buffer from the file. Raises InvalidRequest: the file ends before."""
        left = buffer.data
        while left:
            count = os.preadv(self._descriptor, [left], offset)
            if not count:
                raise self._too_short(offset + len(left), offset)
            left, offset = left[count:], offset + count

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Write into the file. Raises InvalidRequest: it ends before.

        A file that is cut short meanwhile is made longer again, up to the end of its region.
        """
        self.check_size(offset + len(data))
        left = memoryview(data)
        while left:
            count = os.pwrite(self._descriptor, left, offset)
            left, offset = left[count:], offset + count

    def _too_short(self, size_bytes: int, found_bytes: int) -> InvalidRequest:
        message = (
            f"the shared memory of region '{self._name}' must have {size_bytes} bytes, it has "
            f"{found_bytes}"
        )
        return InvalidRequest(message, param=self._param)


@contextmanager
def shared_file(key: str, name: str, param: str) -> Iterator[SharedFile]:
    """Open shared memory by its key, which ``check_key`` has let pass.

    Raises:
        InvalidRequest: there is none that this process may read and write, or what is done with it
            fails.
    """
    try:
        descriptor = os.open(FOLDER + key, FLAGS)
        try:
            found = os.fstat(descriptor)
            # A second name of a file may be a way to what its owner did not mean to share.
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                message = (
                    f"key '{key}' of shared memory region '{name}' must name a file of its own"
                )
                raise InvalidRequest(message, param=param)
            yield SharedFile(descriptor, found.st_size, name, param)
        finally:
            os.close(descriptor)
    except OSError as error:
        message = f"unable to use shared memory region '{name}' (key '{key}'): {error.strerror}"
        raise InvalidRequest(message, param=param) from error


def check_key(key: str, prefix: str) -> None:
    """Refuse a key that is no name in the folder of shared memory, or not below the prefix.

    Raises:
        InvalidRequest: says what was expected.
    """
    is_name = len(key) <= MAX_KEY_CHARS and key.count("/") == 1 and ".." not in key
    if not (is_name and key.startswith(prefix) and len(key) > len("/") and "\0" not in key):
        message = (
            f"key must begin with {prefix} and have at most {MAX_KEY_CHARS} characters, with "
            "neither another / nor .. in it"
        )
        raise InvalidRequest(message, param="key")
