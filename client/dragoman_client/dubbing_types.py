"""Define what dubbing asks for and answers with."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, field

FilmFormat: TypeAlias = Literal["mp4", "mkv", "webm"]
DubFormat: TypeAlias = Literal[FilmFormat, "wav", "mp3", "opus", "flac"]
Background: TypeAlias = Literal["none", "duck"]


class Place(Struct, frozen=True):
    """The span of a sentence in audio that fits its recording, and its speed."""

    start_s: float = field(name="start")
    end_s: float = field(name="end")
    speed: float
