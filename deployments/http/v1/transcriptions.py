"""``POST /v1/audio/transcriptions``: OpenAI's endpoint, as its SDK puts it on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.graph.admission import admit
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import TranscribeOptions
from deployments.http.failed_requests import counted
from deployments.http.parsing import (
    DetectedLanguage,
    ForgivingFields,
    check_text_length,
    context_of,
    form_fields,
    naming_ignored,
    timed,
    warnings_json,
)
from deployments.http.v1 import diarized
from deployments.http.v1.diarized import KnownNames, KnownReferences, check_known
from deployments.http.v1.subtitles import subtitle_response
from models.asr.decoding import UNSPACED_LANGUAGES
from models.audio.subtitles import Phrase, lay_out
from models.errors import InvalidRequest
from models.types import AnswerWarning, Audio, Segment, Transcript

FRAMES_A_SECOND = 100  # of Whisper's mel spectrogram, the unit of ``seek``
SUBTITLES = ("srt", "vtt")  # cut where the words say
WORDS_NEEDED = (*SUBTITLES, "diarized_json")


def _granularities(value: Any) -> Any:
    """Return the list that a text stands for, with commas between, in brackets or not."""
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        return value
    return [part.strip(" []\"'") for entry in entries for part in entry.split(",")]


class TranscriptionFields(ForgivingFields):
    model: str | None = None
    language: DetectedLanguage = None
    prompt: str | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"] = "json"
    timestamp_granularities: Annotated[
        tuple[Literal["segment", "word"], ...],
        BeforeValidator(_granularities),
        Field(alias="timestamp_granularities[]"),
    ] = ("segment",)
    # What would change the answer and is not there is refused; see ``check``.
    stream: bool = False
    known_speaker_names: KnownNames = ()
    known_speaker_references: KnownReferences = ()

    @model_validator(mode="before")
    @classmethod
    def _one_candidate_is_the_language(cls, values: dict[str, Any]) -> dict[str, Any]:
        candidates = values.get("languages[]")
        if "language" in values or not isinstance(candidates, list) or len(candidates) != 1:
            return values
        others = {name: value for name, value in values.items() if name != "languages[]"}
        return {**others, "language": candidates[0]}

    @property
    def options(self) -> TranscribeOptions:
        """Return what is asked of the graph."""
        words = "word" in self.timestamp_granularities
        return TranscribeOptions(
            language=self.language,
            word_timestamps=words or self.response_format in WORDS_NEEDED,
            prompt=self.prompt,
            temperature=self.temperature or None,
        )

    def check(self) -> None:
        """Refuse what is not there yet, and what no format of the answer says.

        Raises:
            InvalidRequest: it names the field.
        """
        if self.stream:
            raise _not_there("stream", "streamed transcripts are not there yet: leave stream out")
        check_known(self.known_speaker_names, self.known_speaker_references, self.response_format)
        if "word" in self.timestamp_granularities and self.response_format != "verbose_json":
            message = "timestamp_granularities[] of words needs response_format verbose_json"
            raise InvalidRequest(message, param="timestamp_granularities[]")


class TranscriptionEndpoint:
    """Transcribes recordings over one pipeline."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._limits = limits
        self._diarized = diarized.Diarized(pipeline)

    def route(self) -> Route:
        """Return the endpoint's path, whose refusals count for an ASR model."""
        handler = counted(self._pipeline.fleet, "asr", self.transcribe)
        return Route("/v1/audio/transcriptions", handler, methods=["POST"])

    async def transcribe(self, request: Request) -> Response:
        """Answer with a transcript, in the format that the request names."""
        context = context_of(request, self._limits)
        fields, files = await form_fields(request, TranscriptionFields)
        fields.check()
        asr = self._pipeline.planner.model("asr", fields.model)
        request.state.meant.name = asr.name
        if fields.prompt is not None:
            check_text_length(len(fields.prompt), self._limits, param="prompt")
        if fields.response_format == diarized.FORMAT:
            names, references = fields.known_speaker_names, fields.known_speaker_references
            speakers = self._diarized.plan(fields.options, asr)
            body = await self._diarized.answer(files.pop(), speakers, names, references, context)
            return timed(naming_ignored(JSONResponse(body), fields), context)
        plan = self._pipeline.planner.transcription(fields.options, asr)
        admit(plan.models, context)
        audio = await self._pipeline.files.decode(files.pop(), context)  # the file is not kept
        transcript = await self._pipeline.transcriber.transcribe(audio, plan, context)
        rendered = await self._pipeline.codecs.run(
            lambda: _transcription(fields, transcript, audio, context.warnings), context.deadline
        )
        return timed(naming_ignored(rendered, fields), context)


def _not_there(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=param)


def _transcription(
    fields: TranscriptionFields,
    heard: Transcript,
    audio: Audio,
    warnings: Sequence[AnswerWarning],
) -> Response:
    if fields.response_format == "text":
        return PlainTextResponse(heard.text + "\n")
    if fields.response_format in SUBTITLES:
        phrases = [Phrase(s.start_s, s.end_s, s.text, s.words, s.language) for s in heard.segments]
        return subtitle_response(fields.response_format, lay_out(phrases))
    body: dict[str, Any] = {"text": heard.text}
    if fields.response_format == "verbose_json":
        body |= _verbose(fields, heard, audio)
    body["usage"] = {"type": "duration", "seconds": round(audio.duration_s, 3)}
    if warnings:
        body["warnings"] = warnings_json(warnings)
    return JSONResponse(body)


def _verbose(fields: TranscriptionFields, heard: Transcript, audio: Audio) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": heard.language,
        "language_probability": round(heard.language_probability, 4),
        "duration": round(audio.duration_s, 3),
        "segments": [_segment(number, segment) for number, segment in enumerate(heard.segments)],
    }
    if "word" in fields.timestamp_granularities:
        body["words"] = [
            {
                "word": word.text.strip(),
                "start": round(word.start_s, 3),
                "end": round(word.end_s, 3),
            }
            for segment in heard.segments
            for word in segment.words or ()
        ]
    return body


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    glue = "" if segment.language in UNSPACED_LANGUAGES else " "
    return {
        "id": number,
        "seek": round(segment.start_s * FRAMES_A_SECOND),
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": glue + segment.text,  # as OpenAI has it: the texts joined are the text
        "tokens": segment.tokens,
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
        "language": segment.language,
    }
