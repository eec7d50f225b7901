"""The requests that load one model by its name, over the Open Inference Protocol, one row each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from deployments.config.schema import Limits, ModelConfig
from deployments.inference.encoding import encoded
from deployments.inference.tensors import HEADER_LENGTH, Tensor
from dragoman_client import errors
from load.endpoints import Answer, Ask, Work
from models.audio.decode import decode
from models.audio.samples import to_int16
from models.registry import find_engine
from models.tensors.signature import made_row
from models.types import SAMPLE_RATE_HZ, Kind

MADE_ROWS = 16  # of a network that is no speech, sent in turn


@dataclass(frozen=True, slots=True)
class Body:
    """One request, ready to be sent again and again."""

    content: bytes
    headers: Mapping[str, str]
    audio_s: float | None = None


def bodies(kind: Kind, work: Work, limits: Limits) -> list[Body]:
    """Make requests to a kind of model: texts for translation and synthesis, else clips.

    They are sent in turn. A voice speaks its own language.

    Raises:
        DragomanError: of ``models.errors``; a clip is no audio, or longer than the limit.
    """
    if kind == "nmt":
        languages = {
            "SOURCE_LANGUAGE": work.source_language,
            "TARGET_LANGUAGE": work.target_language,
        }
        return [_of_texts({"TEXT": text, **languages}) for text in work.texts]
    if kind == "tts":
        return [_of_texts({"TEXT": text}) for text in work.texts]
    return [_of_clip(clip.content, limits.max_audio_s) for clip in work.clips]


def tensor_bodies(name: str, model: ModelConfig) -> list[Body]:
    """Make requests to a network that is no speech, of made rows.

    It is loaded here for its signature, and closed again.

    Raises:
        StartupError: it cannot be loaded.
    """
    runtime = find_engine(model.engine).create(model.settings(name))
    try:
        spec, _ = runtime.load()
    finally:
        runtime.close()
    datatypes = {info.name: info.datatype for info in spec.inputs}
    rows = [made_row(spec.inputs, number).inputs for number in range(MADE_ROWS)]
    return [
        _of_tensors([Tensor(key, datatypes[key], array[None]) for key, array in row.items()])
        for row in rows
    ]


def _of_tensors(tensors: Sequence[Tensor]) -> Body:
    blobs = [encoded(tensor) for tensor in tensors]
    inputs = [
        {
            "name": tensor.name,
            "datatype": tensor.datatype,
            "shape": list(tensor.array.shape),
            "parameters": {"binary_data_size": len(blob)},
        }
        for tensor, blob in zip(tensors, blobs, strict=True)
    ]
    return _with_blobs(inputs, blobs)


def _with_blobs(
    inputs: Sequence[Mapping[str, Any]], blobs: Sequence[bytes], audio_s: float | None = None
) -> Body:
    answer = {"parameters": {"binary_data_output": True}}
    header = json.dumps({"inputs": inputs, **answer}).encode()
    headers = {HEADER_LENGTH: str(len(header)), "content-type": "application/octet-stream"}
    return Body(b"".join([header, *blobs]), headers, audio_s)


def _of_texts(inputs: Mapping[str, str]) -> Body:
    tensors = [
        {"name": name, "datatype": "BYTES", "shape": [1, 1], "data": [text]}
        for name, text in inputs.items()
    ]
    return Body(json.dumps({"inputs": tensors}).encode(), {"content-type": "application/json"})


def _of_clip(content: bytes, max_audio_s: float) -> Body:
    samples = to_int16(decode(content, max_duration_s=max_audio_s).samples)
    tensor: dict[str, Any] = {
        "name": "AUDIO",
        "datatype": "INT16",
        "shape": [1, len(samples)],
        "parameters": {"binary_data_size": samples.nbytes},
    }
    blob = samples.astype("<i2").tobytes()
    return _with_blobs([tensor], [blob], len(samples) / SAMPLE_RATE_HZ)


def asker(http: httpx.AsyncClient, model: str, bodies: Sequence[Body]) -> Ask:
    """Return the way to send these bodies to a model; it raises the client's errors."""
    path = f"/v2/models/{quote(model, safe='')}/infer"

    async def ask(number: int) -> Answer:
        body = bodies[number % len(bodies)]
        request = http.build_request("POST", path, content=body.content, headers=body.headers)
        try:
            response = await http.send(request)
        except httpx.HTTPError as error:
            raise errors.from_transport(error, request) from error
        if response.is_error:
            raise errors.from_response(response, response.headers.get("x-request-id", ""))
        return Answer(body.audio_s)

    return ask
