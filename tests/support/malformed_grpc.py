"""The malformed requests of ``/v2`` in their gRPC form, by the thousand, at random from a seed.

What is wrong with a body of JSON, its length or its compression is done to the bytes of the message
here. Values of another type than a field has cannot be said in protobuf: such rows are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import unquote

from deployments.grpc.infer_request import CONTENTS
from deployments.grpc.messages import SERVICE, message
from tests.support.malformed_oip import MUTATIONS, bodies
from tests.support.malformed_oip.valid import Draft, valid_draft

OF_MODEL = re.compile(r"/v2/models/([^/]*)(?:/versions/([^/]*))?(?:/(infer|ready|config|stats))?")
OF_REPOSITORY = re.compile(r"/v2/repository/models/([^/]*)/(load|unload)")
METHODS: dict[str | None, str] = {"infer": "ModelInfer", "ready": "ModelReady"}
METHODS |= {"config": "ModelConfig", "stats": "ModelStatistics", None: "ModelMetadata"}
# Kinds whose mistake is in the tensors behind the JSON, which gRPC has, too.
OF_TENSORS = {"blobs cut", "blobs too long", "string length", "string count", "not finite"}
TAG_OF_RAW = b"\x3a"
OF_HTTP = {"binary_data", "binary_data_output"}  # parameters that say nothing over gRPC


@dataclass(frozen=True)
class Row:
    """One call. ``damaged``: its bytes were changed at random, so that it may be right again."""

    id: str
    method: str
    message: bytes
    damaged: bool = False


class Impossible(Exception):
    """A request that protobuf's types cannot say."""


def malformed_calls(seed: int, count: int) -> Iterator[Row]:
    """``count`` malformed calls, the same for the same seed."""
    rng = Random(seed)
    made = 0
    while made < count:
        kind = rng.choice(list(MUTATIONS))
        draft = MUTATIONS[kind](rng)
        try:
            yield _row(f"{made} {draft.model} {kind}", kind, draft, rng)
        except Impossible:
            continue
        made += 1


def _row(id_: str, kind: str, draft: Draft, rng: Random) -> Row:
    if kind in bodies.MUTATIONS and kind not in OF_TENSORS:
        whole = _infer_request(valid_draft(rng, binary=rng.random() < 0.5))
        return Row(id_, f"{SERVICE}/ModelInfer", rng.choice(DAMAGE)(whole, rng), damaged=True)
    if kind == "binary_data_output":
        raise Impossible
    if kind == "blobs cut" and draft.blobs:
        draft.blobs[-1] = draft.blobs[-1][: rng.randrange(len(draft.blobs[-1]))]
    name, data = _call(draft, kind)
    return Row(id_, f"{SERVICE}/{name}", data)


def _call(draft: Draft, kind: str) -> tuple[str, bytes]:
    """Return the method and the message that a draft's path stands for."""
    if found := OF_REPOSITORY.fullmatch(draft.path):
        name = "RepositoryModelLoad" if found[2] == "load" else "RepositoryModelUnload"
        return name, _repository_request(name, unquote(found[1]), draft)
    found = OF_MODEL.fullmatch(draft.path)
    if found is None or (draft.method != ("POST" if found[3] == "infer" else "GET")):
        return "Nothing", b""
    model, version = unquote(found[1]), unquote(found[2] or "")
    if found[3] == "infer":
        has_more = kind == "blobs too long"
        return "ModelInfer", _infer_request(draft, model, version, has_more=has_more)
    name = METHODS[found[3]]
    return name, _serialized(message(f"{name}Request"), {"name": model, "version": version})


def _repository_request(name: str, model: str, draft: Draft) -> bytes:
    try:
        parameters = json.loads(draft.body or b"{}").get("parameters", {})
        items = list(parameters.items())
    except (ValueError, AttributeError):
        raise Impossible from None
    request = message(f"{name}Request")(model_name=model)
    for key, value in items:
        if isinstance(value, bool):
            request.parameters[key].bool_param = value
        elif isinstance(value, int):
            request.parameters[key].int64_param = value
        elif isinstance(value, str):
            request.parameters[key].string_param = value
        else:
            raise Impossible
    if not items and name == "RepositoryModelLoad" and model != "nothing":
        raise Impossible  # that loads the model anew
    data: bytes = request.SerializeToString()
    return data


# ---- infer requests --------------------------------------------------------------------


def _infer_request(
    draft: Draft, model: str | None = None, version: str = "", *, has_more: bool = False
) -> bytes:
    """Write a draft's document and tensors as a message; ``has_more``: tensors of no input, too."""
    document = draft.document
    request = message("ModelInferRequest")()
    blobs = iter(draft.blobs)
    try:
        request.model_name = draft.model if model is None else model
        request.model_version, request.id = version, document.get("id", "")
        _set_parameters(request.parameters, document.get("parameters", {}))
        for entry in _list(document.get("inputs", [])):
            _add_input(request, entry, blobs)
        for entry in _list(document.get("outputs", [])):
            output = request.outputs.add(name=entry.get("name", ""))
            _set_parameters(output.parameters, entry.get("parameters", {}))
        if has_more:
            request.raw_input_contents.extend(blobs)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError):
        raise Impossible from None
    data: bytes = request.SerializeToString()
    return data


def _add_input(request: Any, entry: Mapping[str, Any], blobs: Iterator[bytes]) -> None:
    datatype = entry.get("datatype", "")
    made = request.inputs.add(
        name=entry.get("name", ""), datatype=datatype, shape=_list(entry.get("shape", []))
    )
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise TypeError
    parameters = dict(parameters)
    if "binary_data_size" in parameters:
        request.raw_input_contents.append(next(blobs, b""))
        del parameters["binary_data_size"]
    _set_parameters(made.parameters, parameters)
    if "data" in entry:
        field = getattr(made.contents, CONTENTS.get(datatype, "fp32_contents"))
        values = _flat(entry["data"])
        if datatype != "BOOL" and any(isinstance(value, bool) for value in values):
            raise TypeError
        is_bytes = datatype == "BYTES"
        field.extend([value.encode() for value in values] if is_bytes else values)
        if not values:
            made.contents.SetInParent()


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _flat(data: Any) -> list[Any]:
    _list(data)
    found: list[Any] = []
    for each in data:
        found.extend(_flat(each) if isinstance(each, list) else [each])
    return found


def _set_parameters(parameters: Any, values: Any) -> None:
    if not isinstance(values, dict):
        raise TypeError
    for name, value in values.items():
        if name in OF_HTTP:
            if not isinstance(value, bool):
                raise TypeError
        elif isinstance(value, bool):
            parameters[name].bool_param = value
        elif isinstance(value, int):
            parameters[name].int64_param = value
        elif isinstance(value, float):
            parameters[name].double_param = value
        elif isinstance(value, str):
            parameters[name].string_param = value
        else:
            raise TypeError


def _serialized(kind: Any, fields: Mapping[str, Any]) -> bytes:
    try:
        data: bytes = kind(**fields).SerializeToString()
    except (TypeError, ValueError):
        raise Impossible from None
    return data


# ---- damage to the bytes ---------------------------------------------------------------


def _cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _other_bytes(data: bytes, rng: Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged)


def _noise(data: bytes, rng: Random) -> bytes:
    return rng.randbytes(rng.randint(1, 99))


def _json(data: bytes, rng: Random) -> bytes:
    return b'{"inputs": []}' * rng.randint(1, 3)


def _endless_length(data: bytes, rng: Random) -> bytes:
    return data + TAG_OF_RAW + b"\xff" * rng.randint(1, 20) + b"\x01"


def _more_raw(data: bytes, rng: Random) -> bytes:
    return data + TAG_OF_RAW + b"\x04abcd" * rng.randint(1, 3)


def _other_fields(data: bytes, rng: Random) -> bytes:
    return data + rng.choice([b"\x98\x06\x01", b"\x9b\x06", b"\x7a\x01a", b"\x0f", b"\xff\xff"])


def _id_that_is_no_text(data: bytes, rng: Random) -> bytes:
    return b"\x1a\x02\xff\xfe" + data


DAMAGE: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(_cut, _other_bytes, _noise, _json, _endless_length, _more_raw, _other_fields),
    _id_that_is_no_text,
)
