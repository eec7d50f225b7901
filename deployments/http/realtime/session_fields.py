"""The session objects of both protocols as types, and how a partial update changes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from deployments.http.field_errors import MAX_ECHO_CHARS, must_be
from deployments.http.glossary_fields import AskedGlossary
from deployments.http.parsing import DetectedLanguage, Language
from deployments.live.options import Delay
from models.errors import InvalidRequest

MAX_KEYWORDS, MAX_KEYWORD_CHARS = 100, 100
MAX_PROMPT_CHARS = 1_000
MAX_LANGUAGES = 100
SESSION_NAME = r"^[A-Za-z0-9_.-]{1,64}$"

Name = Annotated[str, Field(pattern=SESSION_NAME)]
Keyword = Annotated[str, Field(min_length=1, max_length=MAX_KEYWORD_CHARS)]


class Part(BaseModel):
    """Base of every part of a session: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Own(Part):
    """Ask for what Dragoman has beyond the protocol."""

    events: bool = False
    """Send Dragoman's own events, too."""
    name: Name | None = None
    """Name that others follow the session by."""


class NoiseReduction(Part):
    type: Literal["near_field", "far_field"]
    strength: float | None = None


# ---- transcription -----------------------------------------------------------------------


class Pcm(Part):
    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24_000] = 24_000


class G711(Part):
    type: Literal["audio/pcmu", "audio/pcma"]


class Transcription(Part):
    model: str | None = None
    language: DetectedLanguage = None
    languages: Annotated[list[Language], Field(max_length=MAX_LANGUAGES)] | None = None
    keywords: Annotated[list[Keyword], Field(max_length=MAX_KEYWORDS)] | None = None
    prompt: Annotated[str, Field(max_length=MAX_PROMPT_CHARS)] | None = None
    delay: Delay | None = None


class ServerVad(Part):
    type: Literal["server_vad"]
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0, le=5_000)] = 300
    silence_duration_ms: Annotated[int, Field(ge=100, le=10_000)] = 500
    idle_timeout_ms: Annotated[int, Field(ge=1_000, le=600_000)] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


class SemanticVad(Part):
    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool | None = None
    interrupt_response: bool | None = None


Turns = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class TranscriptionInput(Part):
    format: Annotated[Pcm | G711, Field(discriminator="type")] = Pcm()
    transcription: Transcription | None = Transcription()
    turn_detection: Turns | None = ServerVad(type="server_vad")
    noise_reduction: NoiseReduction | None = None


class TranscriptionAudio(Part):
    input: TranscriptionInput = TranscriptionInput()


def _no_logprobs(value: Any) -> Any:
    if value:
        raise ValueError(
            "must be empty: the recogniser tells no log probability of a token "
            "(dragoman.events tells how sure it is of each turn)"
        )
    return value


class TranscriptionSession(Part):
    type: Literal["transcription"] = "transcription"
    include: Annotated[list[str] | None, BeforeValidator(_no_logprobs)] = None
    audio: TranscriptionAudio = TranscriptionAudio()
    glossary: AskedGlossary | None = None
    dragoman: Own = Own()

    @property
    def hearing(self) -> Transcription:
        """Return how speech is recognised, whether or not its text is sent."""
        return self.audio.input.transcription or Transcription()


# ---- translation -------------------------------------------------------------------------


class InputTranscription(Part):
    model: str | None = None


class TranslationInput(Part):
    transcription: InputTranscription | None = None
    noise_reduction: NoiseReduction | None = None
    language: DetectedLanguage = None
    languages: Annotated[list[Language], Field(max_length=MAX_LANGUAGES)] | None = None
    delay: Delay | None = None


def _voice_name(voice: Any) -> Any:
    """Take OpenAI's object of a custom voice, too: its id is the name."""
    is_object = isinstance(voice, Mapping) and voice.keys() == {"id"}
    return voice["id"] if is_object else voice


class TranslationOutput(Part):
    language: Language | None = None
    languages: Annotated[list[Language], Field(max_length=MAX_LANGUAGES)] | None = None
    voice: Annotated[str | None, BeforeValidator(_voice_name)] = None
    text_only: bool = False


class TranslationAudio(Part):
    input: TranslationInput = TranslationInput()
    output: TranslationOutput = TranslationOutput()


class TranslationSession(Part):
    type: Literal["translation"] = "translation"
    model: str | None = None
    audio: TranslationAudio = TranslationAudio()
    glossary: AskedGlossary | None = None
    dragoman: Own = Own()


# ---- updates -----------------------------------------------------------------------------

SessionT = TypeVar("SessionT", TranscriptionSession, TranslationSession)
DISCRIMINATOR = "type"  # an object of another type is a new one


def updated(session: SessionT, changes: Any, at: str = "session") -> SessionT:
    """Return a session with the fields that ``changes`` has; null switches one off.

    Raises:
        InvalidRequest: a field is wrong; ``param`` is its way from the event's top.
    """
    if not isinstance(changes, Mapping):
        raise InvalidRequest(f"{at} must be an object", param=at)
    merged: dict[str, Any] = _merged(session.model_dump(), changes)
    try:
        return type(session).model_validate(merged)
    except ValidationError as error:
        first: ErrorDetails = error.errors(include_url=False)[0]
        param = ".".join([at, *_way(first, merged)])[:256]
        raise InvalidRequest(f"{param} {must_be(first)}", param=param) from error


def _merged(current: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(current)
    for name, value in changes.items():
        before = merged.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping) and _are_one(before, value):
            merged[name] = _merged(before, value)
        else:
            merged[name] = value
    return merged


def _are_one(before: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Return whether changes are of the same type of object as what was there."""
    kind = before.get(DISCRIMINATOR)
    return bool(changes.get(DISCRIMINATOR, kind) == kind)


def _way(error: ErrorDetails, value: Any) -> list[str]:
    """Name the fields that lead to an error, without the types that pydantic names between."""
    way: list[str] = []
    for number, part in enumerate(error["loc"]):
        is_here = isinstance(value, Mapping) and part in value
        if is_here or (isinstance(part, int) and isinstance(value, list)):
            value = value[part]
            way.append(str(part)[:MAX_ECHO_CHARS])
        elif number == len(error["loc"]) - 1 and error["type"] == "missing":
            way.append(str(part))
    if error["type"].startswith("union_tag"):
        way.append(DISCRIMINATOR)
    return way
