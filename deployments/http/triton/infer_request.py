"""Read infer requests: the JSON, and the tensors in it or behind it.

Pure functions of bytes; whatever is wrong with them is an ``InvalidRequest``. Inputs in shared
memory are named, and not read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from deployments.inference.json_documents import json_object
from deployments.inference.regions import slice_of
from deployments.inference.signature import TensorSpec
from deployments.inference.tensor_values import Announced, Blobs, from_json, objects, shape_of
from deployments.inference.tensors import (
    DTYPES,
    HEADER_LENGTH,
    MAX_NAME_CHARACTERS,
    InferRequest,
    RegionInput,
    RequestedOutput,
    Tensor,
)
from models.errors import InvalidRequest

# The JSON that is kept as it was read: how often, and of what size.
KNOWN_HEADS, MAX_KNOWN_BYTES = 1024, 1024


def parse(
    body: bytes | memoryview, header_length: str | None, model: str, raw_input: TensorSpec | None
) -> InferRequest:
    """Read an infer request from its decompressed body.

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
    blobs = Blobs(body, head, model)
    inputs = {each.name: each.tensor(blobs) for each in known.inputs}
    if blobs.left:
        message = f"unexpected additional input data for model '{model}'"
        raise InvalidRequest(message, param="body")
    binary = known.binary_data_output
    return InferRequest(known.id, known.parameters, inputs, known.outputs, binary, known.in_regions)


@dataclass(frozen=True, slots=True, eq=False)
class _Head:
    """The checked JSON of a request."""

    id: str
    parameters: dict[str, Any]
    inputs: tuple[Announced, ...]
    in_regions: tuple[RegionInput, ...]
    outputs: tuple[RequestedOutput, ...] | None
    binary_data_output: bool


def _head(data: bytes) -> _Head:
    document = json_object(data)
    parameters = _parameters(document, "parameters")
    if slice_of(parameters, "parameters") is not None:
        message = "shared memory is of an input or output, not of all parameters"
        raise InvalidRequest(message, param="parameters")
    binary = _flag(parameters, "binary_data_output", "parameters", default=False)
    inputs = _inputs(document)
    here = tuple(each for each in inputs if isinstance(each, Announced))
    in_regions = tuple(each for each in inputs if isinstance(each, RegionInput))
    outputs = _outputs(document, binary)
    return _Head(_id(document), parameters, here, in_regions, outputs, binary)


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
    """Read ``parameters``: plain values."""
    parameters = owner.get("parameters")
    if parameters is None and "parameters" not in owner:
        return {}
    if type(parameters) is not dict:
        raise InvalidRequest(f"{where} must be an object", param=where)
    for value in parameters.values():
        if type(value) not in (int, str, bool, float):
            message = f"{where} must hold strings, numbers, true or false only"
            raise InvalidRequest(message, param=where)
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


def _inputs(document: dict[str, Any]) -> tuple[Announced | RegionInput, ...]:
    if "inputs" not in document:
        raise InvalidRequest("inputs is required", param="inputs")
    inputs: dict[str, Announced | RegionInput] = {}
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
        region = slice_of(parameters, f"{where}.parameters")
        if region is not None and parameters.get("binary_data", False):
            message = f"output '{name}' must have shared_memory_region or binary_data, not both"
            raise InvalidRequest(message, param=name)
        outputs[name] = RequestedOutput(name, own and region is None, region)
    return tuple(outputs.values()) or None


def _announced(entry: dict[str, Any], where: str) -> Announced | RegionInput:
    name = _name(entry, where)
    datatype = entry.get("datatype")
    if type(datatype) is not str or datatype not in DTYPES:
        message = f"datatype of input '{name}' must be one of {', '.join(DTYPES)}"
        raise InvalidRequest(message, param=name)
    shape = shape_of(entry.get("shape"), name, datatype)
    parameters = _parameters(entry, f"{where}.parameters")
    region = slice_of(parameters, f"{where}.parameters")
    if region is not None:
        if "data" in entry or "binary_data_size" in parameters:
            message = f"input '{name}' must have shared_memory_region or its values, not both"
            raise InvalidRequest(message, param=name)
        return RegionInput(name, datatype, shape, region)
    if "binary_data_size" not in parameters:
        if "data" not in entry:
            message = f"input '{name}' must have data, or binary_data_size in its parameters"
            raise InvalidRequest(message, param=name)
        values = from_json(entry["data"], name, datatype, shape)
        values.flags.writeable = False  # several requests may share it
        return Announced(name, datatype, shape, values)
    if "data" in entry:
        message = f"input '{name}' must have data or binary_data_size, not both"
        raise InvalidRequest(message, param=name)
    size = parameters["binary_data_size"]
    if type(size) is not int or size < 0:
        message = f"binary_data_size of input '{name}' must be a whole number, 0 or more"
        raise InvalidRequest(message, param=name)
    return Announced(name, datatype, shape, None, size, math.prod(shape))


def _raw_tensor(body: bytes | memoryview, model: str, spec: TensorSpec | None) -> Tensor:
    """Take all of the body as the one input of one row."""
    if spec is None:
        message = f"Raw request must only have 1 input to be deduced: model '{model}' needs others"
        raise InvalidRequest(message, param=HEADER_LENGTH)
    if spec.datatype == "BYTES":
        if spec.dims != (1,):
            message = f"For BYTES raw input '{spec.name}', the model must have input shape [1]"
            raise InvalidRequest(message, param=HEADER_LENGTH)
        return Tensor(spec.name, spec.datatype, objects([bytes(body)]).reshape(1, 1))
    step = DTYPES[spec.datatype].itemsize * math.prod(dim for dim in spec.dims if dim != -1)
    count, rest = divmod(len(body), step)
    if rest or spec.dims.count(-1) > 1 or (-1 not in spec.dims and count != 1):
        message = (
            f"input byte size mismatch for input '{spec.name}' for model '{model}'. "
            f"Expected a multiple of {step}, got {len(body)}"
        )
        raise InvalidRequest(message, param=spec.name)
    shape = (1, *(count if dim == -1 else dim for dim in spec.dims))
    announced = Announced(spec.name, spec.datatype, shape, None, len(body), math.prod(shape))
    return announced.tensor(Blobs(body, 0, model))
