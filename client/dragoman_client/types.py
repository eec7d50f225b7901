"""Define what the client returns of speech, text and speakers: frozen structs of msgspec.

Each struct is also the description that an answer is read by: fields that a newer server adds are
ignored, and those with a default may be missing. ``field(name=...)`` names a field as the API does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

from msgspec import field
from msgspec.structs import force_setattr

from .answer import Answer
from .dubbing_types import Place
from .voice_types import SpeakerVoice

# A path, the bytes of an audio file, or a file opened in binary mode.
AudioFile: TypeAlias = str | PathLike[str] | bytes | BinaryIO

AudioFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac"]
InlineAudioFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac", "none"]
StreamedAudioFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac", "pcm", "none"]
SpokenFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac", "aac", "pcm"]
SubtitleFormat: TypeAlias = Literal["srt", "vtt", "ttml", "ass"]
TranscriptFormat: TypeAlias = Literal[SubtitleFormat, "text", "json", "verbose_json"]


# ---- timings --------------------------------------------------------------------------


class StageTiming(Answer, frozen=True):
    """The time of one stage, in milliseconds.

    ``wall_ms`` runs from the stage's first start to its last end. ``queue_ms``, ``execution_ms``
    and ``batch_size`` are means over its ``items``, and 0 where the stage has no model.
    """

    stage: str  # decode, vad, asr, nmt, tts, speaker, encode
    model: str | None
    wall_ms: float = field(name="ms")
    queue_ms: float
    execution_ms: float
    items: int
    batch_size: float


class Timings(Answer, frozen=True):
    """``total_ms`` is less than the sum of the stages where stages ran side by side."""

    total_ms: float
    stages: tuple[StageTiming, ...]


# ---- speech in, speech or text out ----------------------------------------------------


class AnswerWarning(Answer, frozen=True):
    """A doubt about an answer, or something it may lack."""

    code: str  # for programs
    message: str  # for people


class Transcript(Answer, frozen=True):
    """The text that was spoken. Silence has no language, and a probability of 0.0 or None."""

    text: str
    language: str | None
    language_probability: float | None = None  # 0 to 1; 1.0 where the caller named the language


class Translation(Answer, frozen=True):
    """The text in the target language."""

    text: str
    language: str
    pivot: str | None = None  # the language that it was translated through, if any


class Segment(Answer, frozen=True):
    """A stretch of speech and its translation; times count from the start of the file."""

    id: int
    start_s: float
    end_s: float
    text: str
    translation: str
    language: str | None = None  # the language that was spoken
    avg_logprob: float | None = None  # Whisper's confidence, in nats a token
    no_speech_prob: float | None = None  # 0 to 1: Whisper's doubt that this is speech
    warnings: tuple[AnswerWarning, ...] = ()
    placed: Place | None = None  # where it is heard, with fit="duration"
    speaker: str | None = None  # A, B, and so on, for the voice "source"


class Audio(Answer, frozen=True):
    """An encoded audio file that came within a JSON answer."""

    data: bytes
    format: str
    sample_rate_hz: int
    duration_s: float

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file as it is: the path's extension changes nothing."""
        Path(path).write_bytes(self.data)


class SpeechTranslation(Answer, frozen=True, kw_only=True):
    """A translated file. Silence has no segments, empty texts and no ``audio``."""

    id: str
    duration_s: float  # of the file that was sent
    transcript: Transcript
    translation: Translation
    segments: tuple[Segment, ...]
    voice: str | None = None
    audio: Audio | None = None
    embedding: tuple[float, ...] | None = None  # the speaker's voice; only if asked for
    timings: Timings
    request_id: str
    voice_similarity: float | None = None  # cosine to the speaker's, for the voice "source"
    speakers: tuple[SpeakerVoice, ...] = ()  # for the voice "source"
    warnings: tuple[AnswerWarning, ...] = ()


class TranslatedSentence(Segment, frozen=True):
    """A sentence of a stream, with the audio that speaks it, if any."""

    audio: Audio | None = None


class AudioResult(Answer, frozen=True):
    """An audio file."""

    audio: bytes
    format: str
    server_timing_ms: Mapping[str, float]  # the time of each stage
    request_id: str

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file as it is: the path's extension changes nothing."""
        Path(path).write_bytes(self.audio)


class TranslatedAudio(AudioResult, frozen=True):
    """Translated speech, with its texts. Silence has empty ``audio`` and empty texts.

    The texts travel in headers, whose size is limited: ``texts_truncated`` says that the end of a
    long one is missing. ``Client.translate_speech`` has no such limit.
    """

    transcript: str
    translation: str
    source_language: str | None
    target_language: str | None
    voice: str | None
    texts_truncated: bool
    pivot: str | None = None  # the language that it was translated through, if any
    voice_similarity: float | None = None  # cosine to the speaker's, for the voice "source"
    warning_codes: tuple[str, ...] = ()


class TranscribedSegment(Answer, frozen=True):
    """A stretch of speech, with Whisper's own measures of its confidence."""

    id: int
    start_s: float = field(name="start")
    end_s: float = field(name="end")
    text: str
    temperature: float  # that the text was sampled with
    avg_logprob: float  # nats a token
    compression_ratio: float  # of the text; high where it repeats itself
    no_speech_prob: float  # 0 to 1
    language: str | None = None  # the language that was spoken

    def __post_init__(self) -> None:
        """Drop the space that Whisper begins a segment with."""
        force_setattr(self, "text", self.text.strip())


class Word(Answer, frozen=True):
    """A word and its times, from the start of the file."""

    word: str
    start_s: float = field(name="start")
    end_s: float = field(name="end")


class Transcription(Answer, frozen=True, kw_only=True):
    """A transcribed file. ``words`` is empty unless word timestamps were asked for."""

    text: str
    language: str
    duration_s: float = field(name="duration")
    segments: tuple[TranscribedSegment, ...] = ()
    words: tuple[Word, ...] = ()
    server_timing_ms: Mapping[str, float]  # the time of each stage
    request_id: str
    warnings: tuple[AnswerWarning, ...] = ()


class TranscriptDelta(Answer, frozen=True):
    """The next piece of a streamed transcript, with its own spaces."""

    text: str = field(name="delta")


class StreamedTranscript(Answer, frozen=True, kw_only=True):
    """The whole of a streamed transcript, its last item."""

    text: str
    languages: tuple[str, ...]  # that were surely heard, the one of most of it first
    duration_s: float
    timings: Timings
    warnings: tuple[AnswerWarning, ...] = ()


# ---- text and speakers ----------------------------------------------------------------


class TextTranslation(Answer, frozen=True):
    """The translation of one text. ``timings`` are those of the call, shared by all its texts."""

    text: str
    source_language: str | None  # None: a text without letters, where the language was detected
    target_language: str
    timings: Timings
    request_id: str
    pivot: str | None = None  # the language that it was translated through, if any
    warnings: tuple[AnswerWarning, ...] = ()
    source_language_probability: float | None = None  # 0 to 1, where the language was detected


class TextLanguage(Answer, frozen=True):
    """One language that a text may be in."""

    language: str
    probability: float


class TextDetection(Answer, frozen=True):
    """The languages that a text may be in, the likeliest first; none without letters."""

    language: str | None  # the likeliest
    probability: float  # of that one, 0 to 1
    languages: tuple[TextLanguage, ...]
    request_id: str
    warnings: tuple[AnswerWarning, ...] = ()


class Embedding(Answer, frozen=True):
    """The voice of one clip as a vector. Compare only embeddings of the same ``model``.

    >>> a, b = client.embed("hello.wav", "goodbye.wav")
    >>> a.cosine(b)
    0.87
    """

    index: int  # of the clip within the call
    values: tuple[float, ...] = field(name="embedding")
    duration_s: float
    model: str
    timings: Timings
    request_id: str
    speech_s: float | None = None  # speech in the clip; None: the server did not measure it

    def cosine(self, other: Embedding) -> float:
        """Return the cosine similarity, in [-1, 1]; 0.0 where a vector is all zeros."""
        scale = math.hypot(*self.values) * math.hypot(*other.values)
        dot = sum(a * b for a, b in zip(self.values, other.values, strict=True))
        return max(-1.0, min(1.0, dot / scale)) if scale else 0.0


class SpeakerMatch(Answer, frozen=True):
    """A clip compared with another: how similar their voices are.

    >>> match = client.compare_speakers("call.flac", "enrolled.flac")
    >>> match.cosine, match.same_speaker
    (0.91, True)
    """

    index: int = field(name="compare_index")  # of the clip among those that were searched
    cosine: float  # -1 to 1
    same_speaker: bool | None  # None where there is no threshold, or a clip has no speech
    threshold: float | None  # the lowest cosine of one speaker, for clips of this length
    model: str
    timings: Timings
    request_id: str
    speech_s: float | None = None  # of the clip with less; None: the server did not measure it
