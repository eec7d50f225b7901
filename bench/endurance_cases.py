"""The requests of the endurance bench, and the judge of whose an answer is."""

from __future__ import annotations

import io
import json
import wave
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Indel

from tests.support.speech import SHORT_SPEECH, Clip, clips

Content: TypeAlias = str | NDArray[np.float32] | float  # a text, an embedding, seconds of speech
# From what the same request was answered alone. How a model rounds depends on its batch, and
# recognition may fall back to sampling, so a text may differ; the others' texts differ more.
MOST_APART = {"text": 0.5, "embedding": 0.05, "speech": 0.35}
CLIPS = 6
TEXTS = (
    "Where is the station?",
    "Please send the invoice to my office before the end of the month.",
    "The weather is beautiful today, so we are going to walk along the beach with the children.",
    "He never answers the telephone.",
    "Twelve boxes of apples were delivered this morning, and none of them was damaged.",
)
# Told apart by how long they are: Piper draws that, and one in 300 is an eighth longer than most.
SPOKEN = (TEXTS[0], TEXTS[1], f"{TEXTS[2]} {TEXTS[4]}")
LENGTH = "inference-header-content-length"


@dataclass(frozen=True, eq=False)
class Case:
    """One request. ``request``: as ``httpx.Client.build_request`` takes it."""

    id: str
    kind: str  # answers of one kind are compared with each other
    path: str
    request: Mapping[str, Any]
    read: Callable[[httpx.Response], Content]


def cases() -> list[Case]:
    """Make requests of every endpoint that runs a model."""
    spoken, longer = clips("en", SHORT_SPEECH)[:CLIPS], clips("en")[:CLIPS]
    return [
        *(_transcription(clip) for clip in spoken),
        *(_translated_speech(clip) for clip in longer),
        *(_translation(text) for text in TEXTS),
        *(_speech(text) for text in SPOKEN),
        *(_embedding(clip) for clip in spoken),
        *(_tensor_embedding(clip) for clip in spoken),
        *(_tensor_translation(text) for text in TEXTS),
    ]


def _upload(clip: Clip) -> dict[str, Any]:
    return {"file": (clip.name, clip.path.read_bytes())}


def _transcription(clip: Clip) -> Case:
    request = {"files": _upload(clip), "data": {"model": "asr", "response_format": "json"}}
    return Case(clip.name, "transcription", "/v1/audio/transcriptions", request, _text("text"))


def _translated_speech(clip: Clip) -> Case:
    data = {"target_language": "pt", "source_language": "en", "audio_format": "none"}
    request = {"files": _upload(clip), "data": data}
    read = _text("translation", "text")
    return Case(clip.name, "speech translation", "/v1/speech/translations", request, read)


def _translation(text: str) -> Case:
    body = {"text": text, "source_language": "en", "target_language": "pt"}
    read = _text("translations", 0, "text")
    return Case(text, "text translation", "/v1/text/translations", {"json": body}, read)


def _speech(text: str) -> Case:
    body = {"input": text, "language": "en", "model": "tts", "response_format": "wav"}
    return Case(text, "speech", "/v1/audio/speech", {"json": body}, _seconds)


def _embedding(clip: Clip) -> Case:
    def read(answer: httpx.Response) -> Content:
        return np.asarray(answer.json()["data"][0]["embedding"], np.float32)

    return Case(clip.name, "embedding", "/v1/audio/embeddings", {"files": _upload(clip)}, read)


def _tensor_embedding(clip: Clip) -> Case:
    samples = clip.samples()
    tensor: dict[str, Any] = {"name": "AUDIO", "datatype": "INT16", "shape": [1, len(samples)]}
    tensor["parameters"] = {"binary_data_size": samples.nbytes}
    document = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    head = json.dumps(document).encode()
    request = {"content": head + samples.tobytes(), "headers": {LENGTH: str(len(head))}}

    def read(answer: httpx.Response) -> Content:
        numbers = answer.content[int(answer.headers[LENGTH]) :]
        return np.frombuffer(numbers, np.float32)

    return Case(clip.name, "/v2 embedding", "/v2/models/speaker/infer", request, read)


def _tensor_translation(text: str) -> Case:
    values = {"TEXT": text, "SOURCE_LANGUAGE": "en", "TARGET_LANGUAGE": "pt"}
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1, 1], "data": [value]}
        for name, value in values.items()
    ]
    read = _text("outputs", 0, "data", 0)
    return Case(text, "/v2 translation", "/v2/models/nmt/infer", {"json": {"inputs": inputs}}, read)


def _text(*keys: str | int) -> Callable[[httpx.Response], Content]:
    """Read the text that stands under these keys."""

    def read(answer: httpx.Response) -> Content:
        value: Any = answer.json()
        for key in keys:
            value = value[key]
        return str(value)

    return read


def _seconds(answer: httpx.Response) -> Content:
    """Measure a WAV file that was streamed, whose header does not know how long it is."""
    with wave.open(io.BytesIO(answer.content)) as file:
        bytes_a_second = file.getframerate() * file.getsampwidth() * file.getnchannels()
    return float(len(answer.content) / bytes_a_second)


# ---- judging -----------------------------------------------------------------------------


def is_own(case: Case, content: Content, expected: Mapping[Case, Content]) -> bool:
    """Tell whether an answer is nearest to what its own request was answered alone, and near it."""
    own = apart(content, expected[case])
    others = [apart(content, e) for c, e in expected.items() if c.kind == case.kind]
    return own <= min(others) and own <= MOST_APART[_sort(content)]


def apart(one: Content, other: Content) -> float:
    """Return the distance of two contents, 0 if they are the same."""
    if isinstance(one, str) and isinstance(other, str):
        return Indel.normalized_distance(one, other)
    if isinstance(one, float) and isinstance(other, float):
        return float(abs(one - other) / other)
    first, second = np.asarray(one), np.asarray(other)
    if first.shape != second.shape:
        return 2.0
    return float(1 - first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


def _sort(content: Content) -> str:
    if isinstance(content, str):
        return "text"
    return "speech" if isinstance(content, float) else "embedding"


def kinds(of: Sequence[Case]) -> list[str]:
    return list(dict.fromkeys(case.kind for case in of))
