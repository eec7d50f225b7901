"""Write infer responses: a head, which is often the same again, and the raw outputs behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

from deployments.config.names import MODEL_VERSION
from deployments.grpc.messages import message
from deployments.inference.encoding import encoded
from deployments.inference.open_region import OpenRegion
from deployments.inference.placing import write_to_regions
from deployments.inference.tensors import InferRequest, Tensor

RESPONSE = message("ModelInferResponse")
STREAMED = message("ModelStreamInferResponse")
KNOWN_HEADS = 1024
NO_REGIONS: Mapping[str, OpenRegion] = MappingProxyType({})
ID, RAW, INFER_RESPONSE = b"\x1a", b"\x32", b"\x12"  # tags of fields

Value: TypeAlias = str | bool | int | float
Parameters: TypeAlias = tuple[tuple[str, Value], ...]
Told: TypeAlias = tuple[tuple[str, str, tuple[int, ...]], ...]  # name, datatype, shape


def chosen(request: InferRequest, outputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the outputs that were asked for, in that order."""
    if request.outputs is None:
        return outputs
    computed = {tensor.name: tensor for tensor in outputs}
    return [computed[output.name] for output in request.outputs]


def render(
    model: str,
    request: InferRequest,
    outputs: Sequence[Tensor],
    parameters: Parameters = (),
    regions: Mapping[str, OpenRegion] = NO_REGIONS,
) -> list[bytes]:
    """Return the pieces of a ``ModelInferResponse`` with the outputs that were asked for.

    Those that are to lie in shared memory are written to ``regions``, by their names; their raw
    contents are empty.

    Raises:
        InvalidRequest: a place in shared memory is too small or gone.
    """
    asked = chosen(request, outputs)
    told = tuple([(each.name, each.datatype, each.array.shape) for each in asked])
    pieces = start_of(model, request.id, told, parameters)
    data = {each.name: encoded(each) for each in asked}
    if regions:
        write_to_regions(request.outputs or (), data, regions)
        data |= dict.fromkeys(regions, b"")
    for each in data.values():
        pieces += [RAW, _number(len(each)), each]
    return pieces


def start_of(model: str, id_: str, told: Told = (), parameters: Parameters = ()) -> list[bytes]:
    """Return the pieces of an answer before its raw outputs."""
    pieces = [_head(model, told, parameters)]
    if id_:
        data = id_.encode()
        pieces += [ID, _number(len(data)), data]
    return pieces


def in_stream(pieces: Sequence[bytes]) -> bytes:
    """Return a ``ModelStreamInferResponse`` of the pieces of an answer."""
    return b"".join([INFER_RESPONSE, _number(sum(map(len, pieces))), *pieces])


def refusal(model: str, id_: str, why: str, parameters: Mapping[str, Value]) -> bytes:
    """Return a ``ModelStreamInferResponse`` that says why a request is not answered."""
    answer = STREAMED(error_message=why)
    answer.infer_response.model_name, answer.infer_response.id = model, id_
    for name, value in parameters.items():
        _set(answer.infer_response, name, value)
    data: bytes = answer.SerializeToString()
    return data


@lru_cache(KNOWN_HEADS)
def _head(model: str, told: Told, parameters: Parameters) -> bytes:
    answer = RESPONSE(model_name=model, model_version=MODEL_VERSION)
    for name, datatype, shape in told:
        answer.outputs.add(name=name, datatype=datatype, shape=shape)
    for name, value in parameters:
        _set(answer, name, value)
    data: bytes = answer.SerializeToString()
    return data


def _set(answer: Any, name: str, value: Value) -> None:
    """Set a parameter of an answer, by its type."""
    parameter = answer.parameters[name]
    if isinstance(value, bool):
        parameter.bool_param = value
    elif isinstance(value, int):
        parameter.int64_param = value
    elif isinstance(value, float):
        parameter.double_param = value
    else:
        parameter.string_param = value


def _number(value: int) -> bytes:
    """Write a number as protobuf does: seven bits a byte, the lowest first."""
    if value < 0x80:
        return bytes((value,))
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
