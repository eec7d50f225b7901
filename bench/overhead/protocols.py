"""The requests for one second of audio, and the 192 float32 of each answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 16_000  # 1 s at 16 kHz, 32,000 bytes of int16
EMBEDDING_SIZE = 192
JSON = "application/json"
BINARY = "application/octet-stream"
HEADER_LENGTH = "Inference-Header-Content-Length"

Vector = NDArray[np.float32]
Headers = Mapping[str, str]  # whose names may be asked for in any case, as a response's


class WrongAnswer(Exception):
    """A server answered 200 with something else than the model's answer."""


@dataclass(frozen=True)
class Protocol:
    """Say what is sent, and how the vector is read from an answer."""

    headers: Mapping[str, str]
    body: bytes
    read: Callable[[Headers, bytes], Vector]


def clip() -> NDArray[np.int16]:
    """Make the same noise each time: text made of it is as long as of speech."""
    return np.random.default_rng(0).integers(-8_000, 8_000, SAMPLES).astype(np.int16)


def check(protocol: Protocol, headers: Headers, body: bytes) -> None:
    """Compare an answer with what the sleeping model says to ``clip``.

    Raises:
        WrongAnswer: another number of values, or other values.
    """
    try:
        vector = protocol.read(headers, body)
    except (ValueError, KeyError, TypeError) as error:
        raise WrongAnswer(f"cannot be read: {error!r}: {body[:200]!r}") from error
    expected = np.zeros(EMBEDDING_SIZE, np.float32)
    expected[int(clip()[0]) % EMBEDDING_SIZE] = 1
    if vector.shape != expected.shape:
        raise WrongAnswer(f"{vector.size} values instead of {EMBEDDING_SIZE}: {body[:200]!r}")
    if not np.array_equal(vector, expected):
        raise WrongAnswer("the values are not those of the clip")


def raw(headers: Mapping[str, str]) -> Protocol:
    """Send bare int16, and read bare float32."""
    return Protocol(headers, clip().tobytes(), lambda _, body: np.frombuffer(body, np.float32))


def tensors(audio: str, embedding: str) -> Protocol:
    """Speak the Open Inference Protocol with binary tensors, as Triton's clients send them."""
    samples = clip()
    size = {"binary_data_size": samples.nbytes}
    shape = [1, SAMPLES]
    inputs = [{"name": audio, "shape": shape, "datatype": "INT16", "parameters": size}]
    outputs = [{"name": embedding, "parameters": {"binary_data": True}}]
    header = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    headers = {"Content-Type": BINARY, HEADER_LENGTH: str(len(header))}
    return Protocol(headers, header + samples.tobytes(), _tensor)


def base64_json(clip_of: Callable[[str], object]) -> Protocol:
    """Send JSON with base64 in it; ``clip_of`` makes the value of "audio" of that."""
    text = base64.b64encode(clip().tobytes()).decode()
    body = json.dumps({"audio": clip_of(text)}).encode()
    return Protocol({"Content-Type": JSON}, body, _numbers)


def _tensor(headers: Headers, body: bytes) -> Vector:
    return np.frombuffer(body[int(headers[HEADER_LENGTH]) :], np.float32)


def _numbers(headers: Headers, body: bytes) -> Vector:
    """Read ``{"embedding": [...]}``, or of a batch of one, ``[[...]]``."""
    answer = json.loads(body)
    return np.array(answer["embedding"] if isinstance(answer, dict) else answer[0], np.float32)
