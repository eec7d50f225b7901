"""Read and write one region of shared memory, by copies that are counted."""

from __future__ import annotations

import weakref
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from deployments.inference.region_records import Region
from deployments.inference.shared_files import shared_file
from models.errors import InvalidRequest, Overloaded


class OpenRegion:
    """One region, for one request. What reads and writes blocks for as long as copying takes."""

    def __init__(self, region: Region, copies: Copies) -> None:
        self._region, self._copies = region, copies

    def check(self, offset: int, byte_size: int, param: str) -> None:
        """Refuse a part that is not within the region. Raises InvalidRequest."""
        if min(offset, byte_size) < 0 or offset + byte_size > self._region.byte_size:
            message = (
                f"Invalid offset + byte size for shared memory region: '{self._region.name}': "
                f"from {offset}, {byte_size} bytes must lie within its {self._region.byte_size}"
            )
            raise InvalidRequest(message, param=param)

    def view(self, offset: int, byte_size: int, param: str) -> memoryview:
        """Return a copy of a part.

        Raises:
            InvalidRequest: it is not within the region, or the shared memory is gone or shorter.
            Overloaded: there is no room for copies of so many requests at once.
        """
        self.check(offset, byte_size, param)
        buffer = self._copies.buffer(byte_size)
        with shared_file(self._region.key, self._region.name, param) as file:
            file.read(self._region.offset + offset, buffer)
        return buffer.data

    def write(self, offset: int, byte_size: int, data: bytes | memoryview, param: str) -> None:
        """Write an output into a part of ``byte_size``.

        Raises:
            InvalidRequest: the output is larger, the part is not within the region, or the shared
                memory is gone or shorter.
        """
        self.check(offset, byte_size, param)
        check_room(param, byte_size, len(data))
        with shared_file(self._region.key, self._region.name, param) as file:
            file.write(self._region.offset + offset, data)


class Copies:
    """Count what all requests hold of regions; safe for threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.held_bytes = 0
        self._lock = RLock()  # a buffer may go while its thread takes another

    def buffer(self, size_bytes: int) -> NDArray[np.uint8]:
        """Return a buffer that counts until nothing refers to it. Raises Overloaded."""
        with self._lock:
            if self.held_bytes + size_bytes > self._max_bytes:
                raise Overloaded("there is no room for the tensors of so many requests at once")
            self.held_bytes += size_bytes
        buffer = np.empty(size_bytes, np.uint8)
        weakref.finalize(buffer, self._give_back, size_bytes).atexit = False
        return buffer

    def _give_back(self, size_bytes: int) -> None:
        with self._lock:
            self.held_bytes -= size_bytes


def check_room(output: str, byte_size: int, data_bytes: int) -> None:
    """Refuse an output that is larger than the part it was asked for in. Raises InvalidRequest."""
    if data_bytes > byte_size:
        message = (
            f"shared memory size specified with the request for output '{output}' ({byte_size} "
            f"bytes) should be at least {data_bytes} bytes to hold the results"
        )
        raise InvalidRequest(message, param=output)
