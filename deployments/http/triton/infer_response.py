"""Write infer responses: the outputs that were asked for, in JSON or behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from deployments.inference.encoding import encoded
from deployments.inference.tensors import (
    BINARY_ONLY,
    HEADER_LENGTH,
    InferRequest,
    RequestedOutput,
    Tensor,
)
from models.errors import InvalidRequest

KNOWN_HEADS = 1024  # of answers whose outputs all follow the JSON

# Name, datatype, shape, and the bytes that follow the JSON; None: its values stand in it.
_Output: TypeAlias = tuple[str, str, tuple[int, ...], int | None]


def render(
    model: str, version: str, request: InferRequest, outputs: Sequence[Tensor]
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the answer: the outputs asked for, in that order.

    JSON has neither NaN nor infinity, nor bytes that are no text: such an output is refused,
    rather than bent, and can be had in binary.

    Raises:
        InvalidRequest: an output cannot be sent as JSON, as which it was asked for.
    """
    computed = {tensor.name: tensor for tensor in outputs}
    asked = request.outputs
    if asked is None:
        asked = tuple(RequestedOutput(name, request.binary_data_output) for name in computed)
    blobs = [encoded(computed[output.name]) for output in asked if output.binary]
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
    """Write the JSON of an answer; ``values`` are of the outputs that stand in it."""
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
    """Write the JSON of an answer whose outputs all follow it: it is often the same."""
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
