"""What the client returns: frozen values, with their units in their names.

Each answer carries ``request_id``, which finds it in the server's log.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias

# A path, the bytes of an audio file, or a file opened in binary mode.
AudioFile: TypeAlias = str | PathLike[str] | bytes | BinaryIO

AudioFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac"]
InlineAudioFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac", "none"]
SpokenFormat: TypeAlias = Literal["wav", "mp3", "opus", "flac", "aac", "pcm"]
SubtitleFormat: TypeAlias = Literal["srt", "vtt"]
TranscriptFormat: TypeAlias = Literal["text", "json", "srt", "vtt", "verbose_json"]


# ---- timings --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StageTiming:
    """Where the time of one stage went, in milliseconds.

    ``wall_ms`` runs from the stage's first start to its last end. ``queue_ms``,
    ``execution_ms`` and ``batch_size`` are means over its ``items``, and 0 where the stage
    has no model.
    """

    stage: str  # decode, vad, asr, nmt, tts, speaker, encode
    model: str | None
    wall_ms: float
    queue_ms: float
    execution_ms: float
    items: int
    batch_size: float


@dataclass(frozen=True, slots=True)
class Timings:
    """``total_ms`` is less than the sum of the stages where stages ran side by side."""

    total_ms: float
    stages: tuple[StageTiming, ...]


# ---- speech in, speech or text out ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class AnswerWarning:
    """What an answer is not sure of, or may lack; ``code`` is for programs."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said. ``language_probability`` is 1.0 where the caller named the language.

    Silence has no language, and a probability of 0.0 or None.
    """

    text: str
    language: str | None
    language_probability: float | None


@dataclass(frozen=True, slots=True)
class Translation:
    """The same in the target language. ``pivot``: the language it went through, if any."""

    text: str
    language: str
    pivot: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech and its translation; times count from the start of the file.

    ``avg_logprob`` (nats a token) and ``no_speech_prob`` are Whisper's measures of how sure it is.
    """

    id: int
    start_s: float
    end_s: float
    text: str
    translation: str
    language: str | None = None  # that it was said in
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    warnings: tuple[AnswerWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Audio:
    """An encoded audio file that came within a JSON answer."""

    data: bytes = field(repr=False)
    format: str
    sample_rate_hz: int
    duration_s: float

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the file as it is: the path's extension changes nothing."""
        Path(path).write_bytes(self.data)


@dataclass(frozen=True, slots=True)
class SpeechTranslation:
    """A translated file. Silence has no segments, empty texts and no ``audio``."""

    id: str
    duration_s: float  # of the file that was sent
    transcript: Transcript
    translation: Translation
    segments: tuple[Segment, ...]
    voice: str | None
    audio: Audio | None
    embedding: tuple[float, ...] | None = field(repr=False)  # only if asked for
    timings: Timings
    request_id: str
    voice_similarity: float | None = None  # cosine to the speaker's, for the voice "source"
    warnings: tuple[AnswerWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class AudioResult:
    """An audio file. ``server_timing_ms`` maps each stage to its time."""

    audio: bytes = field(repr=False)
    format: str
    server_timing_ms: Mapping[str, float]
    request_id: str

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the file as it is: the path's extension changes nothing."""
        Path(path).write_bytes(self.audio)


@dataclass(frozen=True, slots=True)
class TranslatedAudio(AudioResult):
    """Translated speech, with its texts. Silence has empty ``audio`` and empty texts.

    The texts travel in headers, which hold only so much: ``texts_truncated`` says that the end
    of a long one is missing. ``Client.translate_speech`` has no such bound.
    """

    transcript: str
    translation: str
    source_language: str | None
    target_language: str | None
    voice: str | None
    texts_truncated: bool
    pivot: str | None = None
    voice_similarity: float | None = None  # cosine to the speaker's, for the voice "source"


@dataclass(frozen=True, slots=True)
class TranscribedSegment:
    """A stretch of speech, with Whisper's own measures of how sure it is."""

    id: int
    start_s: float
    end_s: float
    text: str
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Word:
    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Transcription:
    """A transcribed file. ``words`` is empty unless word timestamps were asked for."""

    text: str
    language: str
    duration_s: float
    segments: tuple[TranscribedSegment, ...]
    words: tuple[Word, ...]
    server_timing_ms: Mapping[str, float]
    request_id: str
    warnings: tuple[AnswerWarning, ...] = ()


# ---- text and speakers ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextTranslation:
    """One text's translation. ``timings`` are those of the call, shared by all its texts."""

    text: str
    source_language: str
    target_language: str
    timings: Timings
    request_id: str
    pivot: str | None = None  # the language it went through, if any
    warnings: tuple[AnswerWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Embedding:
    """The voice of one clip as a vector. Compare only embeddings of the same ``model``.

    >>> a, b = client.embed("hello.wav", "goodbye.wav")
    >>> a.cosine(b)
    0.87
    """

    index: int  # of the clip within the call
    values: tuple[float, ...] = field(repr=False)
    duration_s: float
    model: str
    timings: Timings
    request_id: str
    speech_s: float | None = None  # how much speech the clip has; None: the server did not look

    def cosine(self, other: Embedding) -> float:
        """The cosine similarity, in [-1, 1]; 0.0 where one of the vectors is all zeros."""
        scale = math.hypot(*self.values) * math.hypot(*other.values)
        dot = sum(a * b for a, b in zip(self.values, other.values, strict=True))
        return max(-1.0, min(1.0, dot / scale)) if scale else 0.0


@dataclass(frozen=True, slots=True)
class SpeakerMatch:
    """A clip compared with another: how near their voices are.

    >>> match = client.compare_speakers("call.flac", "enrolled.flac")
    >>> match.cosine, match.same_speaker
    (0.91, True)
    """

    index: int  # of the clip among those that were searched
    cosine: float  # -1 to 1
    same_speaker: bool | None  # None where there is no threshold, or a clip has no speech
    threshold: float | None  # the cosine from which clips of so much speech count as one speaker
    model: str
    timings: Timings
    request_id: str
    speech_s: float | None = None  # of the clip that has less; None: the server did not look


# ---- the server -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model runs: what was asked for, what it got, and why."""

    requested: str
    actual: str
    reason: str
    library: str
    precision: str
    threads: int | None
    gpu_name: str | None
    memory_bytes: int | None
    load_s: float | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counted since the server's start, over all replicas."""

    items: int
    batches: int
    mean_batch_size: float
    failures: int
    busy_s: float


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    kind: str  # vad, asr, nmt, tts, speaker
    engine: str
    weights: str
    licence: str
    languages: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]  # (source, target)
    voices: tuple[str, ...]
    embedding_size: int | None
    replicas: int
    device: Device
    statistics: Statistics
    aliases: tuple[str, ...] = ()  # other names that it answers to


@dataclass(frozen=True, slots=True)
class Voice:
    id: str
    language: str
    engine: str
    model: str
    sample_rate_hz: int


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the server takes requests, and how far each model is. True if it is ready.

    >>> if not client.ready():
    ...     client.wait_until_ready(timeout_s=120)
    """

    ready: bool
    models: Mapping[str, str]

    def __bool__(self) -> bool:
        return self.ready


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of the server's diagnosis of itself. ``fix`` names the command, or is None."""

    check: str
    status: Literal["ok", "warning", "failed"]
    found: str
    fix: str | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Whether the GPU is used, and if not, why. ``status`` is the worst of the findings.

    >>> diagnosis = client.doctor()
    >>> [(row.check, row.fix) for row in diagnosis.findings if row.status == "failed"]
    [('onnxruntime', 'run `make install-gpu`')]
    """

    hostname: str
    status: Literal["ok", "warning", "failed"]
    verdict: str
    findings: tuple[Finding, ...]
