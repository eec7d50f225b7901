"""Put the call that speaks a text together; the sync and async clients share it."""

from __future__ import annotations

from functools import partial

from . import parsing
from .exchange import Call
from .glossary_types import Glossary
from .types import AudioResult, SpokenFormat


def speech_call(
    text: str,
    voice: str | None,
    language: str | None,
    response_format: SpokenFormat,
    speed: float | None,
    glossary: Glossary | None,
    stream_format: str | None = None,
) -> Call[AudioResult]:
    """Return the call that speaks a text; the fields that are None are left out."""
    fields = {
        "input": text,
        "voice": voice,
        "language": language,
        "response_format": response_format,
        "speed": speed,
        "glossary": glossary,
        "stream_format": stream_format,
    }
    body = {name: value for name, value in fields.items() if value is not None}
    parse = partial(parsing.audio_result, audio_format=response_format)
    return Call("POST", "/v1/audio/speech", parse, json=body)
