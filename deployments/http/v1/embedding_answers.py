"""Speaker embeddings as answers: in JSON, or as bare float32 where a client prefers that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deployments.graph.voice_embeddings import HeardVoice
from deployments.http.media_types import preferred
from models.types import Audio

VECTOR = b"application/octet-stream"  # what a client accepts that wants bare float32
ANSWERS = ("application/json", VECTOR.decode())


def wants_vector(headers: Mapping[bytes, bytes]) -> bool:
    """Tell whether a client prefers bare float32."""
    return preferred(header(headers, b"accept"), ANSWERS) != ANSWERS[0]


def header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    """Return a header as text; None: it was not sent."""
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


def float32(vector: NDArray[np.float32]) -> bytes:
    """Return a vector as little-endian float32."""
    return vector.astype("<f4", copy=False).tobytes()


def as_json(
    model: str, clips: Sequence[Audio], voices: Sequence[HeardVoice], *, vectors: bool = True
) -> dict[str, Any]:
    """List the embeddings of clips in OpenAI's shape; without ``vectors`` all but those."""
    rows: list[dict[str, object]] = [
        {
            "object": "embedding",
            "index": index,
            **({"embedding": voice.voiceprint.embedding.tolist()} if vectors else {}),
            "duration_s": round(clip.duration_s, 3),
            "speech_s": voice.rounded_speech_s,
        }
        for index, (clip, voice) in enumerate(zip(clips, voices, strict=True))
    ]
    return {"object": "list", "model": model, "data": rows}
