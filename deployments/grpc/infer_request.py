"""Read infer requests: their inputs from typed contents, or from the raw contents behind them.

Pure functions of bytes; whatever is wrong with them is an ``InvalidRequest``. The raw contents are
not copied: the message is cut into them and its head, which is often the same again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.grpc.messages import message, read
from deployments.inference.regions import slice_of
from deployments.inference.tensor_values import Announced, objects, shape_of, values_in
from deployments.inference.tensors import (
    BINARY_ONLY,
    DTYPES,
    MAX_NAME_CHARACTERS,
    InferRequest,
    RegionInput,
    RequestedOutput,
    Tensor,
)
from models.errors import InvalidRequest, TooLarge

REQUEST = message("ModelInferRequest")
# Heads that are kept as they were read: how many, and of what size.
KNOWN_HEADS, MAX_KNOWN_BYTES = 1024, 1024
LENGTH_DELIMITED, MORE = 2, 0x80  # a field's wire type; a bit of a number that goes on
ID, RAW = 0x1A, 0x3A  # the tags of the fields ``id`` and ``raw_input_contents``
CONTENTS: Mapping[str, str] = {  # the typed contents that hold each datatype
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}

Place = tuple[bytes, int, int]  # of raw contents: what holds them, where, and how many bytes


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What a request says beside its raw contents and its id, checked."""

    model: str
    version: str
    parameters: dict[str, Any]
    inputs: tuple[Announced | RegionInput, ...]
    outputs: tuple[RequestedOutput, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """A request that was cut: its head as bytes, its id, and where its raw contents lie."""

    head: bytes
    id: str
    raw: Sequence[Place]


def cut(data: bytes) -> Parts:
    """Cut a message into its parts. Raises InvalidRequest: it is none."""
    at, begin, end = 0, 0, len(data)
    pieces, raw, id_ = [], list[Place](), b""
    try:
        while at < end:
            start, tag = at, data[at]
            if tag >= MORE or tag & 7 != LENGTH_DELIMITED:
                return _with_other_fields(data)
            size, at = _length(data, at + 1)
            stop = at + size
            if stop > end:
                raise IndexError
            if tag in (RAW, ID):
                pieces.append(data[begin:start])
                begin = stop
                if tag == RAW:
                    raw.append((data, at, size))
                else:
                    id_ = data[at:stop]
            at = stop
    except IndexError:
        raise InvalidRequest("the message is cut short", param="message") from None
    pieces.append(data[begin:end])
    return Parts(b"".join(pieces), _text(id_), raw)


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Read a field's length; return it, and where the field begins."""
    size = data[at]
    if size < MORE:
        return size, at + 1
    size, shift = size & 0x7F, 7
    while True:
        at += 1
        byte = data[at]
        size |= (byte & 0x7F) << shift
        if byte < MORE:
            return size, at + 1
        shift += 7
        if shift > 63:
            raise InvalidRequest("the message has an endless number", param="message")


def _with_other_fields(data: bytes) -> Parts:
    """Cut a message that has fields which this server does not know."""
    whole = read(REQUEST, data)
    raw = [(each, 0, len(each)) for each in whole.raw_input_contents]
    id_ = whole.id
    whole.ClearField("raw_input_contents")
    whole.ClearField("id")
    whole.DiscardUnknownFields()
    return Parts(whole.SerializeToString(), id_, raw)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise InvalidRequest("id must be UTF-8", param="id") from None


def head_of(parts: Parts, max_bytes: int) -> Head:
    """Read what a request says.

    Args:
        parts: of the request.
        max_bytes: of a head, with its typed contents.

    Raises:
        InvalidRequest: malformed, with the field and what was expected.
        TooLarge: there are more typed contents than may be read.
    """
    if len(parts.head) <= MAX_KNOWN_BYTES:
        return _known_head(parts.head)
    if len(parts.head) > max_bytes:
        message = f"typed contents must have at most {max_bytes} bytes; larger ones go as raw"
        raise TooLarge(message, param="contents")
    return _head(parts.head)


def request_of(parts: Parts, head: Head) -> InferRequest:
    """Put a request together. Raises InvalidRequest: the raw contents are not as announced."""
    own = [each for each in head.inputs if isinstance(each, Announced)]
    if parts.raw and len(parts.raw) != len(own):
        message = (
            f"expected {len(own)} raw_input_contents, one of each input, for model "
            f"'{head.model}', got {len(parts.raw)}"
        )
        raise InvalidRequest(message, param="raw_input_contents")
    inputs = {
        each.name: Tensor(
            each.name,
            each.datatype,
            _values(each, parts.raw[number] if parts.raw else None, head.model),
        )
        for number, each in enumerate(own)
    }
    in_regions = tuple([each for each in head.inputs if isinstance(each, RegionInput)])
    known = parts.id, head.parameters, inputs, head.outputs
    return InferRequest(*known, binary_data_output=True, in_regions=in_regions)


def _values(announced: Announced, raw: Place | None, model: str) -> NDArray[Any]:
    """Return an input's values, raw or typed. Raises InvalidRequest: there are both, or none."""
    if raw is None:
        if announced.values is None:
            message = f"input '{announced.name}' must have contents, or raw_input_contents"
            raise InvalidRequest(message, param=announced.name)
        return announced.values
    if announced.values is not None:
        message = f"contents must not be given beside raw_input_contents (input '{announced.name}')"
        raise InvalidRequest(message, param=announced.name)
    return values_in(*raw, announced, model)


# ---- the head --------------------------------------------------------------------------


def _head(data: bytes) -> Head:
    found = read(REQUEST, data)
    parameters = parameters_of(found.parameters, "parameters")
    if any(key.startswith("shared_memory") for key in parameters):
        message = "parameters of the request name no shared memory: those of its inputs do"
        raise InvalidRequest(message, param="parameters")
    inputs: dict[str, Announced | RegionInput] = {}
    for index, each in enumerate(found.inputs):
        announced = _announced(each, f"inputs[{index}]")
        if announced.name in inputs:
            message = f"input '{announced.name}' is given twice"
            raise InvalidRequest(message, param=announced.name)
        inputs[announced.name] = announced
    outputs: dict[str, RequestedOutput] = {}
    for index, each in enumerate(found.outputs):
        output = _output(each, f"outputs[{index}]")
        if output.name in outputs:
            message = f"output '{output.name}' is asked for twice"
            raise InvalidRequest(message, param=output.name)
        outputs[output.name] = output
    names = found.model_name, found.model_version
    return Head(*names, parameters, tuple(inputs.values()), tuple(outputs.values()) or None)


_known_head = lru_cache(KNOWN_HEADS)(_head)


def parameters_of(found: Any, where: str) -> dict[str, Any]:
    """Read parameters as plain values. Raises InvalidRequest: one has none."""
    parameters = {}
    for key, value in found.items():
        choice = value.WhichOneof("parameter_choice")
        if choice is None:
            message = f"{where}: '{key[:MAX_NAME_CHARACTERS]}' has no value"
            raise InvalidRequest(message, param=where)
        parameters[key] = getattr(value, choice)
    return parameters


def _name(name: str, where: str) -> str:
    if not 0 < len(name) <= MAX_NAME_CHARACTERS:
        message = f"{where}.name must be a string of 1 to {MAX_NAME_CHARACTERS} characters"
        raise InvalidRequest(message, param=f"{where}.name")
    return name


def _output(found: Any, where: str) -> RequestedOutput:
    name = _name(found.name, where)
    parameters = parameters_of(found.parameters, f"{where}.parameters")
    if "classification" in parameters:
        message = f"classification of output '{name}' is not supported"
        raise InvalidRequest(message, param=name)
    return RequestedOutput(name, binary=True, region=slice_of(parameters, f"{where}.parameters"))


def _announced(found: Any, where: str) -> Announced | RegionInput:
    name, datatype = _name(found.name, where), found.datatype
    if datatype not in DTYPES:
        message = f"datatype of input '{name}' must be one of {', '.join(DTYPES)}"
        raise InvalidRequest(message, param=name)
    shape = shape_of(list(found.shape), name, datatype)
    at = f"{where}.parameters"
    region = slice_of(parameters_of(found.parameters, at), at)
    if region is None:
        has_values = found.HasField("contents")
        values = _typed(found.contents, name, datatype, shape) if has_values else None
        return Announced(name, datatype, shape, values, count=math.prod(shape))
    if found.HasField("contents"):
        message = f"input '{name}' must have contents or a region of shared memory, not both"
        raise InvalidRequest(message, param=name)
    return RegionInput(name, datatype, shape, region)


def _typed(contents: Any, name: str, datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Read typed contents, which must be those of the datatype, and as many as the shape says."""
    if datatype in BINARY_ONLY:
        message = f"input '{name}' of {datatype} must be given as raw_input_contents"
        raise InvalidRequest(message, param=name)
    field = CONTENTS[datatype]
    others = [each.name for each, _ in contents.ListFields() if each.name != field]
    values = getattr(contents, field)
    if others or len(values) != math.prod(shape):
        got = others[0] if others else f"{len(values)}"
        message = f"input '{name}' must have {math.prod(shape)} values in {field}, got {got}"
        raise InvalidRequest(message, param=name)
    if datatype == "BYTES":
        array = objects(list(values))
    else:
        dtype = np.dtype(bool) if datatype == "BOOL" else DTYPES[datatype]
        is_narrow = dtype.itemsize < 4 and datatype != "BOOL"
        array = np.array(values, np.int64 if is_narrow else dtype)
        if is_narrow:
            array = _narrowed(array, dtype, name, datatype)
    array.flags.writeable = False  # several requests may share it
    return array.reshape(shape)


def _narrowed(wide: NDArray[Any], dtype: np.dtype[Any], name: str, datatype: str) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    if wide.size and not (limits.min <= wide.min() and wide.max() <= limits.max):
        message = f"contents of input '{name}' must be in the range of {datatype}"
        raise InvalidRequest(message, param=name)
    return wide.astype(dtype)
