"""The JSON of translations, transcripts and errors, as types."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from models.types import AnswerWarning


class StageTiming(BaseModel):
    """The time of one stage."""

    stage: str
    model: str | None
    ms: float
    queue_ms: float
    execution_ms: float
    items: int
    batch_size: float


class Timings(BaseModel):
    """The time of the request, by stage."""

    total_ms: float
    stages: list[StageTiming]


# ---- errors ------------------------------------------------------------------------------


class ErrorDetail(BaseModel):
    """The details of an error."""

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
    """The text of the recording; without speech there is no language."""

    text: str
    language: str | None
    language_probability: float


class TranslatedText(BaseModel):
    """The translation of all that was said."""

    text: str
    language: str
    pivot: str | None = Field(description="the language between, where no model has the pair")


class PlacedSentence(BaseModel):
    """The span of a sentence in audio that fits the recording, in seconds, and its speed."""

    start: float
    end: float
    speed: float


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
    placed: PlacedSentence | None = Field(None, description="where fit=duration asks for it")
    speaker: str | None = Field(None, description="where voice is source: A, B, and so on")


class SpokenAudio(BaseModel):
    """The translation as it is spoken."""

    data: str = Field(description="the file, in base64")
    format: Literal["wav", "mp3", "opus", "flac", "pcm"]
    sample_rate_hz: int
    duration_s: float


class SpeakerVoice(BaseModel):
    """One who speaks in a recording."""

    speaker: str
    voice_similarity: float | None = Field(description="of their voice and the one that speaks")
    seconds: float


class SpeechTranslation(BaseModel):
    """A recording, what was said in it, and its translation."""

    id: str
    duration_s: float
    transcript: HeardText
    translation: TranslatedText
    segments: list[TranslatedSentence]
    voice: str | None
    voice_similarity: float | None
    speakers: list[SpeakerVoice] | None = Field(None, description="where voice is source")
    audio: SpokenAudio | None
    embedding: list[float] | None = Field(None, description="where include[] asks for it")
    speech_s: float | None = Field(None, description="where include[] asks for the embedding")
    warnings: list[AnswerWarning]
    timings: Timings


class TranslatedRow(BaseModel):
    """One text."""

    text: str
    source_language: str | None = Field(description="null: a text without letters")
    source_language_probability: float | None = Field(
        None, description="where the request names no source_language"
    )
    target_language: str
    pivot: str | None
    warnings: list[AnswerWarning]


class TextTranslations(BaseModel):
    """The translations, in the order of the texts."""

    translations: list[TranslatedRow]
    timings: Timings


class TextLanguage(BaseModel):
    """One language that a text may be in."""

    language: str
    probability: float


class TextDetection(BaseModel):
    """The languages of one text, the likeliest first."""

    language: str | None = Field(description="null: the text has no letters")
    probability: float
    languages: list[TextLanguage]
    warnings: list[AnswerWarning]


class TextDetections(BaseModel):
    """The languages, in the order of the texts."""

    detections: list[TextDetection]
    timings: Timings


# ---- transcriptions ----------------------------------------------------------------------


class DurationUsage(BaseModel):
    """The usage that the recording counts as."""

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


class HeardLanguage(BaseModel):
    """A language that is surely heard."""

    code: str = Field(description="ISO 639-1, such as en")


class WordLogprob(BaseModel):
    """The probability of a word, in the fields of OpenAI's tokens."""

    token: str
    bytes: list[int]
    logprob: float


class Transcription(BaseModel):
    """The text of the recording. ``verbose_json`` has the fields behind ``logprobs``, too."""

    text: str
    languages: list[HeardLanguage]
    usage: DurationUsage
    logprobs: list[WordLogprob] | None = Field(None, description="where include[] asks for it")
    warnings: list[AnswerWarning] | None = None
    task: Literal["transcribe"] | None = None
    language: str | None = None
    language_probability: float | None = None
    duration: float | None = None
    segments: list[TranscriptSegment] | None = None
    words: list[TranscriptWord] | None = None


class AudioTranslation(BaseModel):
    """The text of a recording in another language. ``verbose_json`` has the last fields, too."""

    text: str
    languages: list[HeardLanguage]
    translated_by: list[str] = Field(description="the models that translated")
    pivot: str | None = Field(description="the language between, where no model has the pair")
    usage: DurationUsage
    warnings: list[AnswerWarning] | None = None
    task: Literal["translate"] | None = None
    language: str | None = None
    duration: float | None = None
    segments: list[TranscriptSegment] | None = None


class SpokenSegment(BaseModel):
    """The words of one speaker at a stretch."""

    type: Literal["transcript.text.segment"]
    id: str
    start: float
    end: float
    speaker: str = Field(description="a known speaker's name, or else A, B, and so on")
    text: str


class DiarizedTranscription(BaseModel):
    """The text of the recording by speaker: ``response_format`` ``diarized_json``."""

    task: Literal["transcribe"]
    duration: float
    text: str
    segments: list[SpokenSegment]
    usage: DurationUsage
    warnings: list[AnswerWarning] | None = None
