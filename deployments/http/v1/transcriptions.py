"""``POST /v1/audio/transcriptions``: OpenAI's endpoint, as its SDK puts it on the wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.catalogue.model import Model
from deployments.config.schema import Limits
from deployments.graph.admission import admit
from deployments.graph.bounds import check_text_length
from deployments.graph.context import Context
from deployments.graph.listening import WINDOW_VAD
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import Hearing, TranscribeOptions
from deployments.http.failed_requests import counted
from deployments.http.glossary_fields import AskedGlossary, Glossaries
from deployments.http.parsing import (
    DetectedLanguage,
    ForgivingFields,
    blaming,
    context_of,
    form_fields,
    naming_ignored,
    timed,
    warnings_json,
)
from deployments.http.streaming import DONE, EVENTS, StreamedResponse, events
from deployments.http.v1 import diarized
from deployments.http.v1.diarized import KnownNames, KnownReferences, check_known
from deployments.http.v1.hearing_fields import (
    Candidates,
    ChunkingStrategy,
    Keywords,
    ServerVad,
    with_chunking,
)
from deployments.http.v1.subtitles import SUBTITLES, subtitle_response
from deployments.http.v1.transcript_parts import (
    languages_json,
    logprobs_json,
    segment_json,
    transcript_bodies,
    usage_json,
)
from models.audio.subtitles import Phrase, SubtitleFormat, lay_out
from models.errors import InvalidRequest
from models.types import AnswerWarning, Audio, Transcript

STREAMED = ("json", "text", diarized.FORMAT)  # what ``stream`` goes with
WORDS_NEEDED = (*SUBTITLES, diarized.FORMAT)  # subtitles are cut where the words say


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
    response_format: Literal["json", "text", SubtitleFormat, "verbose_json", "diarized_json"] = (
        "json"
    )
    timestamp_granularities: Annotated[
        tuple[Literal["segment", "word"], ...],
        BeforeValidator(_granularities),
        Field(alias="timestamp_granularities[]"),
    ] = ("segment",)
    include: Annotated[tuple[Literal["logprobs"], ...], Field(alias="include[]")] = ()
    chunking_strategy: ChunkingStrategy = "auto"
    keywords: Keywords = ()
    languages: Candidates = ()
    stream: bool = False
    glossary: AskedGlossary | None = None
    known_speaker_names: KnownNames = ()
    known_speaker_references: KnownReferences = ()

    @model_validator(mode="before")
    @classmethod
    def _with_chunking(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_chunking(values)

    @property
    def options(self) -> TranscribeOptions:
        """Return what is asked of the graph."""
        words = "word" in self.timestamp_granularities or "logprobs" in self.include
        only = self.languages[0] if len(self.languages) == 1 else None
        chunking = self.chunking_strategy
        return TranscribeOptions(
            language=self.language or only,
            word_timestamps=words or self.response_format in WORDS_NEEDED,
            prompt=self.prompt,
            temperature=self.temperature or None,
            keywords=self.keywords,
            candidates=() if self.language or only else self.languages,
            vad=chunking.parameters if isinstance(chunking, ServerVad) else WINDOW_VAD,
        )

    @property
    def language_field(self) -> str:
        """Return the name of the field that the language comes from."""
        return "language" if self.language or len(self.languages) != 1 else "languages[]"

    def check(self) -> None:
        """Refuse what no format of the answer says.

        Raises:
            InvalidRequest: it names the field.
        """
        check_known(self.known_speaker_names, self.known_speaker_references, self.response_format)
        if "word" in self.timestamp_granularities and self.response_format != "verbose_json":
            message = "timestamp_granularities[] of words needs response_format verbose_json"
            raise InvalidRequest(message, param="timestamp_granularities[]")
        if self.stream and self.response_format not in STREAMED:
            message = f"stream goes with response_format {', '.join(STREAMED)}"
            raise InvalidRequest(f"{message}, not {self.response_format}", param="stream")
        if "logprobs" in self.include and self.response_format != "json":
            message = "include[] of logprobs needs response_format json"
            raise InvalidRequest(message, param="include[]")


class TranscriptionEndpoint:
    """Transcribes recordings over one pipeline."""

    def __init__(
        self, pipeline: Pipeline, limits: Limits, glossaries: Glossaries | None = None
    ) -> None:
        self._pipeline = pipeline
        self._limits = limits
        self._glossaries = glossaries or Glossaries(None)
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
        glossary = await self._glossaries.find(request.scope, fields.glossary)
        options = replace(fields.options, glossary=glossary)
        if fields.response_format == diarized.FORMAT:
            answer = await self._by_speaker(request, fields, files, asr, context, options)
            return timed(naming_ignored(answer, fields), context)
        with blaming("language", fields.language_field):
            plan = self._pipeline.planner.transcription(options, asr)
        admit(plan.models, context)
        audio = await self._pipeline.files.decode(files.pop(), context)  # the file is not kept
        if fields.stream:
            answer = await self._in_turn(request, fields, plan, audio, context)
            return timed(naming_ignored(answer, fields), context)
        transcript = await self._pipeline.transcriber.transcribe(audio, plan, context)
        return await self.answer(fields, transcript, audio.duration_s, context)

    async def answer(
        self,
        fields: TranscriptionFields,
        heard: Transcript,
        duration_s: float,
        context: Context,
    ) -> Response:
        """Show a transcript of a recording in the format that the request names."""
        rendered = await self._pipeline.codecs.run(
            lambda: _transcription(fields, heard, duration_s, context.warnings), context.deadline
        )
        return timed(naming_ignored(rendered, fields), context)

    async def _in_turn(
        self,
        request: Request,
        fields: TranscriptionFields,
        plan: Hearing,
        audio: Audio,
        context: Context,
    ) -> Response:
        """Send each window's text once it and those before it are heard."""
        windows = self._pipeline.transcriber.transcribe_in_turn(audio, plan, context)
        bodies = transcript_bodies(
            windows,
            plan.options,
            audio.duration_s,
            context,
            logprobs="logprobs" in fields.include,
        )
        return await _streamed(bodies, request)

    async def _by_speaker(
        self,
        request: Request,
        fields: TranscriptionFields,
        files: list[bytes],
        asr: Model,
        context: Context,
        options: TranscribeOptions,
    ) -> Response:
        """Say who says what."""
        names, references = fields.known_speaker_names, fields.known_speaker_references
        with blaming("language", fields.language_field):
            plan = self._diarized.plan(options, asr)
        spoken = await self._diarized.answer(files.pop(), plan, names, references, context)
        if fields.stream:
            return await _streamed(spoken.bodies(context), request)
        return JSONResponse(spoken.body(context))


async def _streamed(bodies: AsyncGenerator[Mapping[str, Any]], request: Request) -> Response:
    told = events(bodies, request.headers["x-request-id"], end=DONE)
    return StreamedResponse(await anext(told), told, EVENTS)


def _transcription(
    fields: TranscriptionFields,
    heard: Transcript,
    duration_s: float,
    warnings: list[AnswerWarning],
) -> Response:
    if fields.response_format == "text":
        return PlainTextResponse(heard.text + "\n")
    if fields.response_format in SUBTITLES:
        phrases = [Phrase(s.start_s, s.end_s, s.text, s.words, s.language) for s in heard.segments]
        cues = lay_out(phrases)
        return subtitle_response(fields.response_format, cues, heard.language, warnings)
    body: dict[str, Any] = {"text": heard.text, "languages": languages_json(heard)}
    if "logprobs" in fields.include:
        body["logprobs"] = logprobs_json(heard.segments)
    if fields.response_format == "verbose_json":
        body |= _verbose(fields, heard, duration_s)
    body["usage"] = usage_json(duration_s)
    if warnings:
        body["warnings"] = warnings_json(warnings)
    return JSONResponse(body)


def _verbose(fields: TranscriptionFields, heard: Transcript, duration_s: float) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": heard.language,
        "language_probability": round(heard.language_probability, 4),
        "duration": round(duration_s, 3),
        "segments": [segment_json(*each) for each in enumerate(heard.segments)],
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
