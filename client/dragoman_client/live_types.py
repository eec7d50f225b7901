"""Define what a live session is asked for, and its events: frozen structs of msgspec.

Times are seconds since the first sample that the session was sent. Text is never taken back: the
pieces of one kind, put together, are the text.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Mapping
from os import PathLike
from typing import Any, BinaryIO, Literal, TypeAlias

from msgspec import Struct

from .answer import Answer

RATE_HZ = 24_000
BYTES_A_S = 2 * RATE_HZ  # 16 bits, one channel
FRAME_BYTES = BYTES_A_S // 5  # 200 ms, the frames that the protocol counts in

Delay: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
# A sound file's path; or PCM of 16 bits (little-endian), one channel, 24 kHz: bytes, a file opened
# in binary mode, or an iterator of pieces of any length.
BlockingAudio: TypeAlias = str | PathLike[str] | bytes | BinaryIO | Iterable[bytes]
LiveAudio: TypeAlias = BlockingAudio | AsyncIterable[bytes]


class LiveOptions(Struct, frozen=True):
    """Hold what a session is asked for; see :meth:`Client.live`."""

    to: tuple[str, ...] = ()  # empty: it is transcribed alone
    source_language: str | None = None
    languages: tuple[str, ...] = ()
    delay: Delay | None = None
    voice: str | None = None
    text_only: bool = False
    name: str | None = None
    extras: bool = True
    glossary: str | Mapping[str, Any] | None = None


class TranscriptText(Answer, frozen=True):
    """Words that were spoken, which goes on from the text before with its own spaces."""

    text: str
    end_s: float | None = None
    language: str | None = None


class PartialText(Answer, frozen=True):
    """Words behind the transcript which may still change: each replaces the one before."""

    text: str
    end_s: float | None = None


class TranslatedText(Answer, frozen=True):
    """The translation of a clause, which goes on from the text before in its language."""

    text: str
    language: str | None = None
    end_s: float | None = None


class TranslatedSpeech(Answer, frozen=True):
    """A piece of the translation as speech: PCM of 16 bits, one channel."""

    pcm: bytes
    sample_rate_hz: int = RATE_HZ
    language: str | None = None
    end_s: float | None = None

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / 2 / self.sample_rate_hz


class SentenceEnd(Answer, frozen=True):
    """A whole sentence and its translation, after their last pieces."""

    text: str
    source_text: str = ""
    language: str | None = None
    source_language: str | None = None
    start_s: float | None = None
    end_s: float | None = None


class SpeechStart(Answer, frozen=True):
    """Somebody began to speak."""

    at_s: float


class SpeechEnd(Answer, frozen=True):
    """Nobody speaks any more."""

    at_s: float


class TurnEnd(Answer, frozen=True):
    """All that was said between two silences, after its last piece; empty if it was nothing."""

    text: str
    language: str | None = None
    start_s: float | None = None
    end_s: float | None = None


class Lag(Answer, frozen=True):
    """The seconds by which each stage is behind what was sent."""

    transcript_s: float | None = None
    translation_s: float | None = None
    speech_s: float | None = None


class Notice(Answer, frozen=True):
    """A message about the session, such as that the server cannot keep pace."""

    code: str
    message: str


class Problem(Answer, frozen=True):
    """A part that the server could not do; the session goes on."""

    code: str | None
    message: str
    param: str | None = None


class Closed(Answer, frozen=True):
    """The last event: all that was sent is answered."""


LiveEvent: TypeAlias = (
    TranscriptText
    | PartialText
    | TranslatedText
    | TranslatedSpeech
    | SentenceEnd
    | SpeechStart
    | SpeechEnd
    | TurnEnd
    | Lag
    | Notice
    | Problem
    | Closed
)
