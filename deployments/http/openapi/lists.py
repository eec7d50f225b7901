"""The JSON of what there is, as types: voices, models, and the state of the server."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from deployments.http.openapi.answers import Timings
from models.devices.device import DeviceReport
from models.types import AnswerWarning

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
    """A voice that ``voice`` may name."""

    id: str
    name: str
    language: str | None = None
    model: str | None = None
    alias_of: dict[str, str] | None = None
    kind: Literal["own"] | None = Field(None, description="own: the caller keeps it here")
    languages: list[str] | None = Field(None, description="that it speaks, where it is own")
    object: Literal["audio.voice"] | None = None
    type: Literal["audio_sample"] | None = None
    created_at: int | None = None
    expires_at: int | None = None


class Cloning(BaseModel):
    """The model that speaks in voices of callers' own."""

    model: str
    languages: list[str]


class NamedVoices(BaseModel):
    """All that ``voice`` may name; ``voices`` and ``data`` are the same."""

    object: Literal["list"]
    data: list[NamedVoice]
    voices: list[NamedVoice]
    cloning: Cloning | None
    cloning_missing: str | None = Field(description="why nothing speaks in voices of one's own")


# ---- models ------------------------------------------------------------------------------


class ReplicaStatistics(BaseModel):
    """The work of one replica since it started."""

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
    node: str = Field(description="address of the node of the cluster that it runs on")
    device: DeviceReport
    warm_up_s: float
    statistics: ReplicaStatistics


class ModelStatistics(BaseModel):
    """The work of all replicas of a model."""

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
    kind: Literal["vad", "asr", "nmt", "tts", "speaker", "tensors"]
    engine: str
    weights: str
    licence: str
    commercial_use: bool | None = Field(
        description="whether the licence allows it; null: the licence is not known"
    )
    sends_to: str | None = Field(description="host that its items are sent to; null: none")
    languages: list[str]
    pairs: list[Any]
    cloning_languages: list[str]
    waiting: int = Field(description="items in its queues now")
    live_lag_p95_s: float | None
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
    """All that ``model`` may name where a text is spoken; ``models`` and ``data`` are the same."""

    object: Literal["list"]
    data: list[SpeakingModel]
    models: list[SpeakingModel]


# ---- operations --------------------------------------------------------------------------


class Live(BaseModel):
    """The process answers."""

    live: Literal[True]


class Ready(BaseModel):
    """The readiness for requests; ``refusing`` says why there is none."""

    ready: bool
    refusing: str | None = None
    models: dict[str, str] | None = None
