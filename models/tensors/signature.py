"""Names, types and shapes of a network's tensors: from the configuration, and checked by row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from models.runtime import TensorInfo
from models.types import TensorsItem

MAX_NAME_CHARACTERS = 128
MAX_DIMS = 15  # beside the rows
INDEXED = re.compile(r".+__(\d{1,3})")  # Triton's names of positions, such as INPUT__0

DataType: TypeAlias = Literal[
    "TYPE_BOOL",
    "TYPE_UINT8",
    "TYPE_UINT16",
    "TYPE_UINT32",
    "TYPE_UINT64",
    "TYPE_INT8",
    "TYPE_INT16",
    "TYPE_INT32",
    "TYPE_INT64",
    "TYPE_FP16",
    "TYPE_FP32",
    "TYPE_FP64",
    "TYPE_BF16",
    "TYPE_STRING",
]
# What each datatype is in NumPy, which has no BF16.
DTYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BF16": np.dtype(np.float32),
    "BYTES": np.dtype(object),
}


@dataclass(frozen=True, slots=True)
class TensorOption:
    """Describe an input or output, in the words of Triton's ``config.pbtxt``."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    name: str
    """Its name."""
    data_type: DataType
    """Type of its values."""
    dims: tuple[int, ...]
    """Its dimensions without the rows' one, which always comes first. -1: any length."""

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= MAX_NAME_CHARACTERS:
            raise ValueError(f"name: 1 to {MAX_NAME_CHARACTERS} characters, not {self.name!r}")
        if self.data_type not in get_args(DataType):
            raise ValueError(f"data_type: one of {', '.join(get_args(DataType))}")
        if len(self.dims) > MAX_DIMS or not all(dim == -1 or dim > 0 for dim in self.dims):
            raise ValueError(f"dims: at most {MAX_DIMS}, each above 0, or -1 for any length")

    @property
    def datatype(self) -> str:
        """Return the type as the Open Inference Protocol has it."""
        named = self.data_type.removeprefix("TYPE_")
        return "BYTES" if named == "STRING" else named

    def info(self, any_length: int) -> TensorInfo:
        """Describe it as a model's spec does."""
        return TensorInfo(self.name, self.datatype, self.dims, any_length)


def check_options(
    inputs: Sequence[TensorOption], outputs: Sequence[TensorOption], any_length: int
) -> None:
    """Refuse options that name a tensor twice, and impossible lengths. Raises ValueError."""
    for key, tensors in (("inputs", inputs), ("outputs", outputs)):
        names = [each.name for each in tensors]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"{key}: {twice[0]!r} is there twice")
    if any_length < 1:
        raise ValueError("any_length: at least 1")


def index_of(name: str) -> int | None:
    """Return the position that a name like INPUT__0 tells; None: it tells none."""
    found = INDEXED.fullmatch(name)
    return int(found[1]) if found else None


def fits(dims: Sequence[int], shape: Sequence[int]) -> bool:
    """Tell whether a shape is one that dimensions allow."""
    return len(dims) == len(shape) and all(
        dim in (-1, got) for dim, got in zip(dims, shape, strict=True)
    )


def wrong_row(item: TensorsItem, inputs: Sequence[TensorInfo]) -> tuple[str, str] | None:
    """Return the name of an input that does not fit, and what is wrong with it; None: all fit."""
    known = {info.name for info in inputs}
    for name in item.inputs:
        if name not in known:
            return name, f"the model has no input {name!r}"
    for info in inputs:
        array = item.inputs.get(info.name)
        if array is None:
            return info.name, f"input {info.name!r} is missing"
        if array.dtype != DTYPES[info.datatype]:
            return info.name, f"input {info.name!r} must be {info.datatype}, not {array.dtype}"
        if not fits(info.dims, array.shape):
            wanted, got = list(info.dims), list(array.shape)
            return info.name, f"input {info.name!r} must have the dimensions {wanted}, not {got}"
    return None


def made_row(inputs: Sequence[TensorInfo], number: int) -> TensorsItem:
    """Make a row that any network should take; rows of different numbers differ.

    Whole numbers are 0 and 1, which are in range wherever they are indices.
    """
    random = np.random.default_rng(number)
    row: dict[str, Any] = {}
    for info in inputs:
        shape = [info.any_length if dim == -1 else dim for dim in info.dims]
        dtype = DTYPES[info.datatype]
        if info.datatype == "BYTES":
            array = np.empty(shape, object)
            array[...] = b"%d" % number
        elif dtype.kind == "f":
            array = random.standard_normal(shape).astype(dtype)
        else:
            array = random.integers(0, 2, shape).astype(dtype)
        row[info.name] = np.asarray(array)
    return TensorsItem(row)
