"""Tensors over HTTP as the Open Inference Protocol frames them: infer requests in, responses out.

A body is JSON, followed by the binary tensors that it announces: little-endian, row-major, in
the order of the inputs (or outputs). The header ``Inference-Header-Content-Length`` says where
the JSON ends. Pure functions of bytes; whatever is wrong with them is an ``InvalidRequest``.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deployments.http.triton.json_documents import json_object
from models.errors import InvalidRequest

if TYPE_CHECKING:
    from deployments.http.triton.signature import TensorSpec

HEADER_LENGTH = "Inference-Header-Content-Length"
MAX_NAME_CHARACTERS = 128  # of what is repeated in messages
MAX_DIMS = 16
MAX_ELEMENTS = 2**31 - 1
MAX_STRINGS = 1 << 16  # an object each, from four bytes of body
KNOWN_HEADS, MAX_KNOWN_BYTES = 1024, 1024  # the JSON that is kept as it was read, and of what size

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
    """``array`` is row-major and may be read-only; of BF16 float32, of BYTES ``bytes`` objects."""

    name: str
    datatype: str
    array: NDArray[Any]


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    name: str
    binary: bool


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    id: str  # "": none
    parameters: dict[str, Any]
    inputs: dict[str, Tensor]
    outputs: tuple[RequestedOutput, ...] | None  # None: all
    binary_data_output: bool  # for outputs that are not named


# ---- requests --------------------------------------------------------------------------


def parse(
    body: bytes | memoryview, header_length: str | None, model: str, raw_input: TensorSpec | None
) -> InferRequest:
    """An infer request from its decompressed body.

    A body without JSON gives nothing but that input: all outputs are binary then.

    Args:
        header_length: the header's value; None: all of the body is JSON; "0": none of it is.
        model: its name, for messages.
        raw_input: the input that a body without JSON is, if the model has just one to give.

    Raises:
        InvalidRequest: malformed, with the field and what was expected.
    """
    head = len(body) if header_length is None else _header_length(header_length, len(body))
    if header_length is not None and head == 0:
        tensor = _raw_tensor(body, model, raw_input)
        return InferRequest("", {}, {tensor.name: tensor}, None, binary_data_output=True)
    read = _known_head if head <= MAX_KNOWN_BYTES else _head
    known = read(bytes(body[:head]))
    blobs = _Blobs(body, head, model)
    inputs = {each.name: each.tensor(blobs) for each in known.inputs}
    if blobs.left:
        message = f"unexpected additional input data for model '{model}'"
        raise InvalidRequest(message, param="body")
    binary = known.binary_data_output
    return InferRequest(known.id, known.parameters, inputs, known.outputs, binary)


@dataclass(frozen=True, slots=True, eq=False)
class _Announced:
    """An input as the JSON has it: with its values, or with the bytes of those behind it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: NDArray[Any] | None
    size_bytes: int = 0
    count: int = 0  # of elements

    def tensor(self, blobs: _Blobs) -> Tensor:
        array = blobs.take(self) if self.values is None else self.values
        return Tensor(self.name, self.datatype, array)


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """The JSON of a request, checked."""

    id: str
    parameters: dict[str, Any]
    inputs: tuple[_Announced, ...]
    outputs: tuple[RequestedOutput, ...] | None
    binary_data_output: bool


def _head(data: bytes) -> _Head:
    document = json_object(data)
    parameters = _parameters(document, "parameters")
    binary = _flag(parameters, "binary_data_output", "parameters", default=False)
    inputs = _inputs(document)
    return _Head(_id(document), parameters, inputs, _outputs(document, binary), binary)


# A live client sends the same JSON again and again, before other samples.
_known_head = lru_cache(KNOWN_HEADS)(_head)


def _header_length(value: str, size: int) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 10 or int(value) > size:
        message = f"inference header size should be in range (0, {size}), got: {value[:20]}"
        raise InvalidRequest(message, param=HEADER_LENGTH)
    return int(value)


def _id(document: dict[str, Any]) -> str:
    value = document.get("id", "")
    if type(value) is not str:
        raise InvalidRequest("id must be a string", param="id")
    return value


def _parameters(owner: dict[str, Any], where: str) -> dict[str, Any]:
    """What stands under ``parameters``: plain values, none of them of shared memory."""
    parameters = owner.get("parameters")
    if parameters is None and "parameters" not in owner:
        return {}
    if type(parameters) is not dict:
        raise InvalidRequest(f"{where} must be an object", param=where)
    for key, value in parameters.items():
        if type(value) not in (int, str, bool, float):
            message = f"{where} must hold strings, numbers, true or false only"
            raise InvalidRequest(message, param=where)
        if key.startswith("shared_memory"):
            raise InvalidRequest(f"shared memory is not supported (in {where})", param=where)
    return parameters


def _flag(parameters: dict[str, Any], key: str, where: str, *, default: bool) -> bool:
    value = parameters.get(key, default)
    if type(value) is not bool:
        raise InvalidRequest(f"{key} in {where} must be true or false", param=where)
    return value


def _entries(document: dict[str, Any], field: str) -> list[dict[str, Any]]:
    entries = document[field]
    if type(entries) is not list or any(type(entry) is not dict for entry in entries):
        raise InvalidRequest(f"{field} must be a list of objects", param=field)
    return entries


def _name(entry: dict[str, Any], where: str) -> str:
    name = entry.get("name")
    if type(name) is not str or not 0 < len(name) <= MAX_NAME_CHARACTERS:
        message = f"{where}.name must be a string of 1 to {MAX_NAME_CHARACTERS} characters"
        raise InvalidRequest(message, param=f"{where}.name")
    return name


def _inputs(document: dict[str, Any]) -> tuple[_Announced, ...]:
    if "inputs" not in document:
        raise InvalidRequest("inputs is required", param="inputs")
    inputs: dict[str, _Announced] = {}
    for index, entry in enumerate(_entries(document, "inputs")):
        announced = _announced(entry, f"inputs[{index}]")
        if announced.name in inputs:
            message = f"input '{announced.name}' is given twice"
            raise InvalidRequest(message, param=announced.name)
        inputs[announced.name] = announced
    return tuple(inputs.values())


def _outputs(document: dict[str, Any], binary: bool) -> tuple[RequestedOutput, ...] | None:
    outputs: dict[str, RequestedOutput] = {}
    entries = _entries(document, "outputs") if "outputs" in document else []
    for index, entry in enumerate(entries):
        where = f"outputs[{index}]"
        name = _name(entry, where)
        parameters = _parameters(entry, f"{where}.parameters")
        if "classification" in parameters:
            message = f"classification of output '{name}' is not supported"
            raise InvalidRequest(message, param=name)
        if name in outputs:
            raise InvalidRequest(f"output '{name}' is asked for twice", param=name)
        own = _flag(parameters, "binary_data", f"{where}.parameters", default=binary)
        outputs[name] = RequestedOutput(name, own)
    return tuple(outputs.values()) or None


def _announced(entry: dict[str, Any], where: str) -> _Announced:
    name = _name(entry, where)
    datatype = entry.get("datatype")
    if type(datatype) is not str or datatype not in DTYPES:
        message = f"datatype of input '{name}' must be one of {', '.join(DTYPES)}"
        raise InvalidRequest(message, param=name)
    shape = _shape(entry, name, datatype)
    parameters = _parameters(entry, f"{where}.parameters")
    if "binary_data_size" not in parameters:
        if "data" not in entry:
            message = f"input '{name}' must have data, or binary_data_size in its parameters"
            raise InvalidRequest(message, param=name)
        values = _from_json(entry["data"], name, datatype, shape)
        values.flags.writeable = False  # several requests may share it
        return _Announced(name, datatype, shape, values)
    if "data" in entry:
        message = f"input '{name}' must have data or binary_data_size, not both"
        raise InvalidRequest(message, param=name)
    size = parameters["binary_data_size"]
    if type(size) is not int or size < 0:
        message = f"binary_data_size of input '{name}' must be a whole number, 0 or more"
        raise InvalidRequest(message, param=name)
    return _Announced(name, datatype, shape, None, size, math.prod(shape))


def _shape(entry: dict[str, Any], name: str, datatype: str) -> tuple[int, ...]:
    shape = entry.get("shape")
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


def _from_json(data: Any, name: str, datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Values that stand in the JSON, nested as the shape says or flat."""
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
        return _objects([value.encode() for value in values]).reshape(shape)
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
    """The scalars, after a check that they are as many, and nested, as the shape says."""
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


def _objects(values: list[bytes]) -> NDArray[Any]:
    array = np.empty(len(values), object)
    array[:] = values
    return array


# ---- binary values ---------------------------------------------------------------------


class _Blobs:
    """The binary tensors behind the JSON, taken one after the other."""

    def __init__(self, body: bytes | memoryview, start: int, model: str) -> None:
        self.model = model
        self._body = body
        self._start = start

    @property
    def left(self) -> int:
        """Bytes that no tensor has taken."""
        return len(self._body) - self._start

    def take(self, announced: _Announced) -> NDArray[Any]:
        """The next bytes as the tensor that was announced."""
        name, datatype, size = announced.name, announced.datatype, announced.size_bytes
        dtype, count, start = DTYPES[datatype], announced.count, self._start
        if size != count * dtype.itemsize and datatype != "BYTES":
            message = (
                f"input byte size mismatch for input '{name}' for model '{self.model}'. "
                f"Expected {count * dtype.itemsize}, got {size}"
            )
            raise InvalidRequest(message, param=name)
        if size > self.left:
            message = (
                f"unexpected size for input '{name}', expecting {size - self.left} additional "
                f"bytes for model '{self.model}'"
            )
            raise InvalidRequest(message, param=name)
        self._start += size
        if datatype == "BYTES":
            values = _strings(self._body[start : start + size], name, count)
            return _objects(values).reshape(announced.shape)
        if not count:
            return _decoded(np.zeros(announced.shape, dtype), name, datatype)
        array = np.frombuffer(self._body, dtype, count, start).reshape(announced.shape)
        return _decoded(array, name, datatype)


def _decoded(array: NDArray[Any], name: str, datatype: str) -> NDArray[Any]:
    """A binary tensor in the type that it is computed with; a view of it where that can be."""
    if datatype == "BOOL":
        if array.size and array.max() > 1:
            raise InvalidRequest(f"input '{name}' must hold 0 and 1 only, as BOOL is", param=name)
        return array.view(np.bool_)
    if datatype == "BF16":  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array if array.flags.aligned else array.copy()


def _strings(data: bytes | memoryview, name: str, count: int) -> list[bytes]:
    """``count`` elements of BYTES, each behind its length."""
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


def _raw_tensor(body: bytes | memoryview, model: str, spec: TensorSpec | None) -> Tensor:
    """All of the body as the one input of one row."""
    if spec is None:
        message = f"Raw request must only have 1 input to be deduced: model '{model}' needs others"
        raise InvalidRequest(message, param=HEADER_LENGTH)
    if spec.datatype == "BYTES":
        if spec.dims != (1,):
            message = f"For BYTES raw input '{spec.name}', the model must have input shape [1]"
            raise InvalidRequest(message, param=HEADER_LENGTH)
        return Tensor(spec.name, spec.datatype, _objects([bytes(body)]).reshape(1, 1))
    step = DTYPES[spec.datatype].itemsize * math.prod(dim for dim in spec.dims if dim != -1)
    count, rest = divmod(len(body), step)
    if rest or spec.dims.count(-1) > 1 or (-1 not in spec.dims and count != 1):
        message = (
            f"input byte size mismatch for input '{spec.name}' for model '{model}'. "
            f"Expected a multiple of {step}, got {len(body)}"
        )
        raise InvalidRequest(message, param=spec.name)
    shape = (1, *(count if dim == -1 else dim for dim in spec.dims))
    announced = _Announced(spec.name, spec.datatype, shape, None, len(body), math.prod(shape))
    return announced.tensor(_Blobs(body, 0, model))


# ---- responses -------------------------------------------------------------------------

# Name, datatype, shape, and the bytes that follow the JSON; None: its values stand in it.
_Output: TypeAlias = tuple[str, str, tuple[int, ...], int | None]


def render(
    model: str, version: str, request: InferRequest, outputs: Sequence[Tensor]
) -> tuple[dict[str, str], bytes]:
    """Headers and body of the answer: the outputs asked for, in that order.

    JSON has neither NaN nor infinity, nor bytes that are no text: such an output is refused,
    rather than bent, and can be had in binary.

    Raises:
        InvalidRequest: an output cannot be sent as JSON, as which it was asked for.
    """
    computed = {tensor.name: tensor for tensor in outputs}
    asked = request.outputs
    if asked is None:
        asked = tuple(RequestedOutput(name, request.binary_data_output) for name in computed)
    blobs = [_encoded(computed[output.name]) for output in asked if output.binary]
    sizes = iter(tuple(map(len, blobs)))
    told = tuple(
        (tensor.name, tensor.datatype, tensor.array.shape, next(sizes) if binary else None)
        for tensor, binary in ((computed[output.name], output.binary) for output in asked)
    )
    if len(blobs) == len(asked):
        head = _binary_head(model, version, request.id, told)
    else:
        values = [None if output.binary else _listed(computed[output.name]) for output in asked]
        head = _answer_head(model, version, request.id, told, values)
    if not blobs:
        return {"content-type": "application/json"}, head
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
    return headers, b"".join((head, *blobs))


def _answer_head(
    model: str, version: str, id_: str, outputs: Sequence[_Output], values: Sequence[Any]
) -> bytes:
    """The JSON of an answer; ``values`` are of the outputs that stand in it."""
    entries: list[dict[str, Any]] = []
    for (name, datatype, shape, size_bytes), data in zip(outputs, values, strict=True):
        entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(shape)}
        if size_bytes is None:
            entry["data"] = data
        else:
            entry["parameters"] = {"binary_data_size": size_bytes}
        entries.append(entry)
    answer = {"model_name": model, "model_version": version}
    body = {**answer, **({"id": id_} if id_ else {}), "outputs": entries}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(KNOWN_HEADS)
def _binary_head(model: str, version: str, id_: str, outputs: tuple[_Output, ...]) -> bytes:
    """The JSON of an answer whose outputs all follow it: the same for each answer to a client."""
    return _answer_head(model, version, id_, outputs, [None] * len(outputs))


def _encoded(tensor: Tensor) -> bytes:
    """A tensor as it lies behind the JSON."""
    array = tensor.array
    if tensor.datatype == "BYTES":
        return b"".join(struct.pack("<I", len(value)) + value for value in array.flat)
    if tensor.datatype == "BF16":
        return _upper_halves(array).tobytes()
    return array.astype(DTYPES[tensor.datatype], copy=False).tobytes()


def _upper_halves(array: NDArray[Any]) -> NDArray[np.uint16]:
    """BF16 from float32, rounded to the nearest, halves to even."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    quiet = bits >> 16 | 0x40  # a NaN stays one, whatever its lower bits
    return np.where(np.isnan(array), quiet, rounded).astype("<u2")


def _listed(tensor: Tensor) -> list[Any]:
    """A tensor's values, flat, for JSON."""
    array, name = tensor.array, tensor.name
    if tensor.datatype in BINARY_ONLY:
        message = f"sending {tensor.datatype} data via JSON is not supported"
    elif tensor.datatype == "BYTES":
        try:
            return [value.decode() for value in array.flat]
        except UnicodeDecodeError:
            message = "bytes that are not UTF-8 cannot be sent via JSON"
    elif array.dtype.kind == "f" and not np.isfinite(array).all():
        message = "NaN and infinity cannot be sent via JSON"
    else:
        values: list[Any] = array.ravel().tolist()
        return values
    message += f". Please use the binary data format for output '{name}'"
    raise InvalidRequest(message, param=name)
