"""Tensors as the Open Inference Protocol has them: datatypes, and what a request asks for.

A body is JSON, followed by the binary tensors that it announces: little-endian, row-major, in
the order of the inputs (or outputs). The header ``Inference-Header-Content-Length`` says where
the JSON ends. ``infer_request`` reads such bodies, ``infer_response`` writes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_NAME_CHARACTERS = 128  # of what is repeated in messages
MAX_DIMS = 16
MAX_ELEMENTS = 2**31 - 1
MAX_STRINGS = 1 << 16  # an object each, from four bytes of body

# How each datatype lies in a binary tensor. Whatever runs the models is little-endian: these
# are native, and a tensor is a view of the body.
DTYPES = {
    "BOOL": np.dtype("u1"),
    **{f"{kind}{8 * size}": np.dtype(f"<{kind[0].lower()}{size}")
       for kind in ("UINT", "INT") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
    "BF16": np.dtype("<u2"),
    "BYTES": np.dtype(object),
}  # fmt: skip
BINARY_ONLY = ("FP16", "BF16")
# The kind of a dtype: what JSON holds for it, in words and types.
JSON_TYPES: dict[str, tuple[str, set[type]]] = {
    "b": ("true or false", {bool}),
    "i": ("whole numbers", {int}),
    "u": ("whole numbers", {int}),
    "f": ("numbers", {int, float}),
    "O": ("strings", {str}),
}


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor. ``array`` may be read-only; float32 stands for BF16, ``bytes`` for BYTES."""

    name: str
    datatype: str
    array: NDArray[Any]


@dataclass(frozen=True, slots=True)
class RegionSlice:
    """A part of a registered region of shared memory; ``offset`` counts from the region's begin."""

    name: str
    offset: int
    byte_size: int


@dataclass(frozen=True, slots=True)
class RegionInput:
    """An input whose values lie in shared memory, as they would lie in a binary tensor."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    region: RegionSlice


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    name: str
    binary: bool
    region: RegionSlice | None = None  # where it is written, instead of into the answer


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    id: str  # "": none
    parameters: dict[str, Any]
    inputs: dict[str, Tensor]
    outputs: tuple[RequestedOutput, ...] | None  # None: all
    binary_data_output: bool  # for outputs that are not named
    in_regions: tuple[RegionInput, ...] = ()  # inputs that are still to be read
