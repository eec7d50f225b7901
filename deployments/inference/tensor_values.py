"""The values of one input tensor: from the JSON of a request, or from the bytes behind it."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from deployments.inference.tensors import (
    BINARY_ONLY,
    DTYPES,
    JSON_TYPES,
    MAX_DIMS,
    MAX_ELEMENTS,
    MAX_STRINGS,
    Tensor,
)
from models.errors import InvalidRequest


@dataclass(frozen=True, slots=True, eq=False)
class Announced:
    """An input as the JSON has it: with its values, or with the size of those behind the JSON."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: NDArray[Any] | None
    size_bytes: int = 0
    count: int = 0  # of elements

    def tensor(self, blobs: Blobs) -> Tensor:
        array = blobs.take(self) if self.values is None else self.values
        return Tensor(self.name, self.datatype, array)


def shape_of(shape: Any, name: str, datatype: str) -> tuple[int, ...]:
    """Check the shape of an input. Raises InvalidRequest: it is none, or of too many elements."""
    if (
        type(shape) is not list
        or len(shape) > MAX_DIMS
        or not set(map(type, shape)) <= {int}
        or min(shape, default=0) < 0
    ):
        message = (
            f"shape of input '{name}' must be a list of at most {MAX_DIMS} whole numbers, "
            "each 0 or more"
        )
        raise InvalidRequest(message, param=name)
    limit = MAX_STRINGS if datatype == "BYTES" else MAX_ELEMENTS
    if math.prod(dim or 1 for dim in shape) > limit:
        message = f"shape of input '{name}' must be of at most {limit} elements of {datatype}"
        raise InvalidRequest(message, param=name)
    return tuple(shape)


# ---- values in JSON --------------------------------------------------------------------


def from_json(data: Any, name: str, datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Read values that stand in the JSON, nested as the shape says or flat."""
    if datatype in BINARY_ONLY:
        message = (
            f"receiving {datatype} data via JSON is not supported. "
            f"Please use the binary data format for input '{name}'"
        )
        raise InvalidRequest(message, param=name)
    values = _flat(data, name, shape)
    dtype = np.dtype(bool) if datatype == "BOOL" else DTYPES[datatype]
    words, types = JSON_TYPES[dtype.kind]
    if not set(map(type, values)) <= types:
        message = f"data of input '{name}' must hold {words} only, as {datatype} is"
        raise InvalidRequest(message, param=name)
    if datatype == "BYTES":
        return objects([value.encode() for value in values]).reshape(shape)
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype)
    except OverflowError:
        in_range = False
    else:  # JSON itself has no infinity
        in_range = dtype.kind != "f" or bool(np.isfinite(array).all())
    if not in_range:
        message = f"data of input '{name}' must be in the range of {datatype}"
        raise InvalidRequest(message, param=name)
    return array.reshape(shape)


def _flat(data: Any, name: str, shape: tuple[int, ...]) -> list[Any]:
    """Return the scalars, after a check of their number and nesting against the shape."""
    if type(data) is not list:
        raise InvalidRequest(f"data of input '{name}' must be a list", param=name)
    values: list[Any] = data
    dims = [len(values)]
    while values and type(values[0]) is list and len(dims) <= len(shape):
        widths = {len(row) if type(row) is list else None for row in values}
        width = widths.pop()
        if widths or width is None:
            message = f"data of input '{name}' must not be ragged: its lists differ in length"
            raise InvalidRequest(message, param=name)
        dims.append(width)
        values = list(chain.from_iterable(values))
    nested = tuple(dims) == shape[: len(dims)] and (len(dims) == len(shape) or not values)
    if not nested and dims != [math.prod(shape)]:
        message = (
            f"unable to parse 'data' of input '{name}': its shape {dims} does not match the "
            f"'shape' field {list(shape)}"
        )
        raise InvalidRequest(message, param=name)
    return values


def objects(values: list[bytes]) -> NDArray[Any]:
    array = np.empty(len(values), object)
    array[:] = values
    return array


# ---- binary values ---------------------------------------------------------------------


class Blobs:
    """Take the binary tensors behind the JSON, one after the other."""

    def __init__(self, body: bytes | memoryview, start: int, model: str) -> None:
        self.model = model
        self._body = body
        self._start = start

    @property
    def left(self) -> int:
        """Return how many bytes no tensor has taken."""
        return len(self._body) - self._start

    def take(self, announced: Announced) -> NDArray[Any]:
        """Take the next bytes as the tensor that was announced."""
        name, size, start = announced.name, announced.size_bytes, self._start
        _check_size(announced, size, self.model)
        if size > self.left:
            message = (
                f"unexpected size for input '{name}', expecting {size - self.left} additional "
                f"bytes for model '{self.model}'"
            )
            raise InvalidRequest(message, param=name)
        self._start += size
        return _values(self._body, start, size, announced)


def _check_size(announced: Announced, size_bytes: int, model: str) -> None:
    expected = announced.count * DTYPES[announced.datatype].itemsize
    if size_bytes != expected and announced.datatype != "BYTES":
        message = (
            f"input byte size mismatch for input '{announced.name}' for model '{model}'. "
            f"Expected {expected}, got {size_bytes}"
        )
        raise InvalidRequest(message, param=announced.name)


def values_in(
    data: bytes | memoryview, start: int, size_bytes: int, announced: Announced, model: str
) -> NDArray[Any]:
    """Read an input from bytes that hold it, as a view where that is possible.

    Raises:
        InvalidRequest: they are not as many as the input needs, or hold no such values.
    """
    _check_size(announced, size_bytes, model)
    return _values(data, start, size_bytes, announced)


def _values(
    data: bytes | memoryview, start: int, size_bytes: int, announced: Announced
) -> NDArray[Any]:
    name, datatype, shape = announced.name, announced.datatype, announced.shape
    if datatype == "BYTES":
        values = _strings(data[start : start + size_bytes], name, announced.count)
        return objects(values).reshape(shape)
    dtype = DTYPES[datatype]
    if not announced.count:
        return _decoded(np.zeros(shape, dtype), name, datatype)
    array = np.frombuffer(data, dtype, announced.count, start).reshape(shape)
    return _decoded(array, name, datatype)


def _decoded(array: NDArray[Any], name: str, datatype: str) -> NDArray[Any]:
    """Return a binary tensor in the type to compute with, as a view where that is possible."""
    if datatype == "BOOL":
        if array.size and array.max() > 1:
            raise InvalidRequest(f"input '{name}' must hold 0 and 1 only, as BOOL is", param=name)
        return array.view(np.bool_)
    if datatype == "BF16":  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array if array.flags.aligned else array.copy()


def _strings(data: bytes | memoryview, name: str, count: int) -> list[bytes]:
    """Read ``count`` elements of BYTES, each behind its length."""
    values: list[bytes] = []
    start, end = 0, len(data)
    while start < end:
        if len(values) == count:
            _refuse_strings(f"expecting {count} string elements, but more bytes follow", name)
        if end - start < 4:
            left = end - start
            message = f"expecting 4 bytes of a string's length, but only {left} bytes available"
            _refuse_strings(message, name)
        (size,) = struct.unpack_from("<I", data, start)
        start += 4
        if size > end - start:
            message = f"expecting string of length {size} but only {end - start} bytes available"
            _refuse_strings(message, name)
        values.append(bytes(data[start : start + size]))
        start += size
    if len(values) != count:
        _refuse_strings(f"expecting {count} string elements, got {len(values)}", name)
    return values


def _refuse_strings(what: str, name: str) -> NoReturn:
    raise InvalidRequest(f"incomplete string data for inference input '{name}', {what}", param=name)
