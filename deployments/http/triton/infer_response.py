"""Write infer responses: the outputs that were asked for, in JSON, behind it or in regions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from deployments.inference.encoding import encoded
from deployments.inference.open_region import OpenRegion
from deployments.inference.placing import write_to_regions
from deployments.inference.tensors import (
    BINARY_ONLY,
    HEADER_LENGTH,
    InferRequest,
    RequestedOutput,
    Tensor,
)
from models.errors import InvalidRequest

KNOWN_HEADS = 1024  # of answers without values in the JSON

# Name, datatype, shape, and the bytes that follow the JSON. None: its values stand in it; WRITTEN:
# they lie in shared memory, of which nothing is said, as Triton's clients expect.
_Output: TypeAlias = tuple[str, str, tuple[int, ...], int | None]
WRITTEN = -1
NO_REGIONS: Mapping[str, OpenRegion] = MappingProxyType({})


def render(
    model: str,
    version: str,
    request: InferRequest,
    outputs: Sequence[Tensor],
    regions: Mapping[str, OpenRegion] = NO_REGIONS,
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the answer: the outputs asked for, in that order.

    Those that are to lie in shared memory are written to ``regions``, by their names, once all
    others can be sent. JSON has neither NaN nor infinity, nor bytes that are no text: such an
    output is refused, rather than bent, and can be had in binary.

    Raises:
        InvalidRequest: an output cannot be sent as JSON, as which it was asked for, or its place in
            shared memory is too small or gone.
    """
    computed = {tensor.name: tensor for tensor in outputs}
    asked = request.outputs
    if asked is None:
        asked = tuple(RequestedOutput(name, request.binary_data_output) for name in computed)
    data = {
        each.name: encoded(computed[each.name])
        for each in asked
        if each.binary or each.region is not None
    }
    told = tuple([_told(each, computed[each.name], data.get(each.name)) for each in asked])
    if len(data) == len(asked):
        head = _binary_head(model, version, request.id, told)
    else:
        values = [None if each.name in data else _listed(computed[each.name]) for each in asked]
        head = _answer_head(model, version, request.id, told, values)
    if regions:
        write_to_regions(asked, data, regions)
    blobs = [data[each.name] for each in asked if each.binary]
    if not blobs:
        return {"content-type": "application/json"}, head
    headers = {"content-type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
    return headers, b"".join((head, *blobs))


def _told(output: RequestedOutput, tensor: Tensor, data: bytes | None) -> _Output:
    size = WRITTEN if output.region is not None else None if data is None else len(data)
    return tensor.name, tensor.datatype, tensor.array.shape, size


def _answer_head(
    model: str, version: str, id_: str, outputs: Sequence[_Output], values: Sequence[Any]
) -> bytes:
    """Write the JSON of an answer; ``values`` are of the outputs that stand in it."""
    entries: list[dict[str, Any]] = []
    for (name, datatype, shape, size_bytes), data in zip(outputs, values, strict=True):
        entry: dict[str, Any] = {"name": name, "datatype": datatype, "shape": list(shape)}
        if size_bytes is None:
            entry["data"] = data
        elif size_bytes != WRITTEN:
            entry["parameters"] = {"binary_data_size": size_bytes}
        entries.append(entry)
    answer = {"model_name": model, "model_version": version}
    body = {**answer, **({"id": id_} if id_ else {}), "outputs": entries}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@lru_cache(KNOWN_HEADS)
def _binary_head(model: str, version: str, id_: str, outputs: tuple[_Output, ...]) -> bytes:
    """Write the JSON of an answer without values in it: it is often the same."""
    return _answer_head(model, version, id_, outputs, [None] * len(outputs))


def _listed(tensor: Tensor) -> list[Any]:
    """List a tensor's values, flat, for JSON."""
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
