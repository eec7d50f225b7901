"""The JSON of answers under ``/v1``, ``/health`` and of errors, as types."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from models.devices.device import DeviceReport
from models.types import AnswerWarning


class StageTiming(BaseModel):
    """What one stage took."""

    stage: str
    model: str | None
    ms: float
    queue_ms: float
    execution_ms: float
    items: int
    batch_size: float


class Timings(BaseModel):
    """What the request took, stage by stage."""

    total_ms: float
    stages: list[StageTiming]


# ---- errors ------------------------------------------------------------------------------


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None = Field(description="the field that is wrong")
    code: str = Field(description="a word for programs")


class Error(BaseModel):
    """An error in OpenAI's form."""

    error: ErrorDetail


class TritonError(BaseModel):
    """An error in Triton's form."""

    error: str


# ---- translations ------------------------------------------------------------------------


class HeardText(BaseModel):
    """What was said; without speech there is no language."""

    text: str
    language: str | None
    language_probability: float


class TranslatedText(BaseModel):
    """The translation of all that was said."""

    text: str
    language: str
    pivot: str | None = Field(description="the language between, where no model has the pair")


class TranslatedSentence(BaseModel):
    """One sentence of the recording."""

    id: int
    start_s: float
    end_s: float
    text: str
    translation: str
    language: str | None
    avg_logprob: float
    no_speech_prob: float
    warnings: list[AnswerWarning]


class SpokenAudio(BaseModel):
    """The translation as it is spoken."""

    data: str = Field(description="the file, in base64")
    format: Literal["wav", "mp3", "opus", "flac"]
    sample_rate_hz: int
    duration_s: float


class SpeechTranslation(BaseModel):
    """A recording, what was said in it, and its translation."""

    id: str
    duration_s: float
    transcript: HeardText
    translation: TranslatedText
    segments: list[TranslatedSentence]
    voice: str | None
    voice_similarity: float | None
    audio: SpokenAudio | None
    embedding: list[float] | None = Field(None, description="where include[] asks for it")
    speech_s: float | None = Field(None, description="where include[] asks for the embedding")
    warnings: list[AnswerWarning]
    timings: Timings


class TranslatedRow(BaseModel):
    """One text."""

    text: str
    source_language: str
    target_language: str
    pivot: str | None
    warnings: list[AnswerWarning]


class TextTranslations(BaseModel):
    """The translations, in the order of the texts."""

    translations: list[TranslatedRow]
    timings: Timings


# ---- transcriptions ----------------------------------------------------------------------


class DurationUsage(BaseModel):
    """What the recording counts as."""

    type: Literal["duration"]
    seconds: float


class TranscriptSegment(BaseModel):
    """A passage; the texts of all joined are the text."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    language: str | None


class TranscriptWord(BaseModel):
    """One word and its times, in seconds."""

    word: str
    start: float
    end: float


class Transcription(BaseModel):
    """What was said. ``verbose_json`` has the fields behind ``usage``, too."""

    text: str
    usage: DurationUsage
    warnings: list[AnswerWarning] | None = None
    task: Literal["transcribe"] | None = None
    language: str | None = None
    language_probability: float | None = None
    duration: float | None = None
    segments: list[TranscriptSegment] | None = None
    words: list[TranscriptWord] | None = None


# ---- voices ------------------------------------------------------------------------------


class Embedding(BaseModel):
    """The voice of one clip."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | None = Field(None, description="left out by include_embedding=false")
    duration_s: float
    speech_s: float | None = Field(description="how much of it is speech; null: nobody looked")


class VoiceComparison(BaseModel):
    """One clip beside another."""

    index: int
    compare_index: int
    rank: int
    cosine: float
    same_speaker: bool | None
    threshold: float | None
    speech_s: float | None


class Embeddings(BaseModel):
    """The voices of all clips, and how alike they are to those of ``compare``."""

    object: Literal["list"]
    model: str
    data: list[Embedding]
    warnings: list[AnswerWarning]
    timings: Timings | None = None
    threshold: float | None = None
    comparisons: list[VoiceComparison] | None = None


class Voice(BaseModel):
    """A voice that the server has."""

    id: str
    language: str
    engine: str
    model: str
    sample_rate_hz: int


class CloningModel(BaseModel):
    """A model that speaks in the voice of a recording."""

    voice: str
    use: str
    model: str
    languages: list[str]


class Voices(BaseModel):
    """All voices, and who speaks in a caller's own."""

    object: Literal["list"]
    data: list[Voice]
    cloning: list[CloningModel]


class NamedVoice(BaseModel):
    """What ``voice`` may name."""

    id: str
    name: str
    language: str
    model: str | None = None
    alias_of: dict[str, str] | None = None


class NamedVoices(BaseModel):
    """What ``voice`` may name; ``voices`` and ``data`` are the same."""

    object: Literal["list"]
    data: list[NamedVoice]
    voices: list[NamedVoice]


# ---- models ------------------------------------------------------------------------------


class ReplicaStatistics(BaseModel):
    """What one replica has done since it started."""

    items: int
    batches: int
    item_errors: int
    failed_batches: int
    busy_s: float
    first_batch_s: float | None
    out_of_memory: int
    starved_items: int
    memory_bound: float | None


class ReplicaReport(BaseModel):
    """One replica of a model."""

    replica: str
    device: DeviceReport
    warm_up_s: float
    statistics: ReplicaStatistics


class ModelStatistics(BaseModel):
    """What all replicas of a model have done."""

    items: int
    batches: int
    mean_batch_size: float
    item_errors: int
    failures: int
    busy_s: float


class Model(BaseModel):
    """A model that can be used now."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    alias_of: str | None = None
    aliases: list[str]
    kind: Literal["vad", "asr", "nmt", "tts", "speaker"]
    engine: str
    weights: str
    licence: str
    languages: list[str]
    pairs: list[Any]
    cloning_languages: list[str]
    voices: list[str]
    embedding_size: int | None
    replicas: int
    device: DeviceReport
    replica_reports: list[ReplicaReport]
    statistics: ModelStatistics


class Models(BaseModel):
    """All models that can be used now, under each of their names."""

    object: Literal["list"]
    data: list[Model]


class SpeakingModel(BaseModel):
    """A model that speaks."""

    id: str
    name: str
    object: Literal["model"]
    owned_by: str


class SpeakingModels(BaseModel):
    """What ``model`` may name where a text is spoken; ``models`` and ``data`` are the same."""

    object: Literal["list"]
    data: list[SpeakingModel]
    models: list[SpeakingModel]


# ---- operations --------------------------------------------------------------------------


class Live(BaseModel):
    """The process answers."""

    live: Literal[True]


class Ready(BaseModel):
    """Whether requests may be sent; ``refusing`` says why not."""

    ready: bool
    refusing: str | None = None
    models: dict[str, str] | None = None
