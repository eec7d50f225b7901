"""``POST /v1/audio/speech``: a text, spoken; OpenAI's endpoint, as its SDK puts it on the wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deployments.catalogue.voices import OwnVoice
from deployments.config.schema import Limits
from deployments.graph.bounds import check_text_length
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import Speaking
from deployments.graph.text_detection import TextDetector
from deployments.http.failed_requests import counted
from deployments.http.glossary_fields import AskedGlossary, Glossaries
from deployments.http.own_voices import OwnVoices
from deployments.http.parsing import (
    DetectedLanguage,
    Fields,
    ForgivingFields,
    Speed,
    Text,
    blaming,
    context_of,
    json_fields,
    naming_ignored,
    timed,
)
from deployments.http.streaming import EVENTS, StreamedResponse, events, speech_bodies
from deployments.http.synthetic import synthetic
from deployments.telemetry import usage
from models.audio.encode import MEDIA_TYPES
from models.errors import InvalidRequest
from models.types import SOURCE_VOICE


class VoiceReference(Fields):
    id: str


class SpeechFields(ForgivingFields):
    input: Annotated[Text, Field(min_length=1)]
    model: str | None = None
    voice: str | VoiceReference | None = None
    language: DetectedLanguage = None  # None: as the voice speaks
    response_format: Literal["mp3", "wav", "opus", "flac", "aac", "pcm"] = "mp3"
    speed: Speed = 1.0
    stream_format: Literal["audio", "sse", "none"] = "audio"  # none, ours: the whole file at once
    glossary: AskedGlossary | None = None


class SpeechEndpoint:
    """Speaks texts over one pipeline."""

    def __init__(
        self, pipeline: Pipeline, limits: Limits, own: OwnVoices, glossaries: Glossaries
    ) -> None:
        self._pipeline = pipeline
        self._limits = limits
        self._own, self._glossaries = own, glossaries
        self._detector = TextDetector(pipeline.codecs)

    def route(self) -> Route:
        """Return the endpoint's path, whose refusals count for a TTS model."""
        handler = counted(self._pipeline.fleet, "tts", self.speak)
        return Route("/v1/audio/speech", handler, methods=["POST"])

    async def speak(self, request: Request) -> Response:
        """Answer with a file of speech, whole or in pieces as its sentences are spoken."""
        context = context_of(request, self._limits)
        fields = await json_fields(request, SpeechFields, self._limits)
        check_text_length(len(fields.input), self._limits, param="input")
        usage.read(len(fields.input))
        glossary = await self._glossaries.find(request.scope, fields.glossary)
        plan = replace(await self._plan(request, fields, context), glossary=glossary)
        request.state.meant.name = plan.model.name
        parts = self._pipeline.synthesiser.sentences(fields.input, plan, context)
        streams = fields.stream_format == "sse" or len(parts) > 1
        if fields.stream_format == "none" or not streams:
            answer = await self._speak_whole(fields, plan, context)
        else:
            answer = await self._speak_in_turn(request, fields, parts, plan, context)
        return synthetic(naming_ignored(answer, fields))

    async def _plan(self, request: Request, fields: SpeechFields, context: Context) -> Speaking:
        """Choose who speaks, once that is known to be possible."""
        name = fields.voice.id if isinstance(fields.voice, VoiceReference) else fields.voice
        named = await self._own.named(request.scope, name)
        if named is None and fields.language is None:
            raise InvalidRequest("voice is required, or language to choose one", param="voice")
        if named == SOURCE_VOICE:
            message = "voice source is the voice of translated speech; this text has no speaker"
            raise InvalidRequest(message, param="voice")
        language = fields.language
        if isinstance(named, OwnVoice) and language is None:
            language = await self._language(fields, context)
        planner = self._pipeline.planner
        return planner.speech(named, language, fields.model, speed=fields.speed)

    async def _language(self, fields: SpeechFields, context: Context) -> str:
        """Tell the language of a text, for a voice that speaks several.

        Raises:
            InvalidRequest: it is in none that a model speaks in such a voice.
        """
        models = self._pipeline.fleet.voices(fields.model).cloning()
        spoken = sorted({code for model in models for code in model.spec.cloning_languages})
        (found,) = await self._detector.languages([fields.input], context)
        language = next((each.code for each in found if each.code in spoken), None)
        if language is None:
            message = f"language is required: input is in none of {', '.join(spoken)}"
            raise InvalidRequest(message, param="language")
        return language

    async def _speak_whole(
        self, fields: SpeechFields, plan: Speaking, context: Context
    ) -> Response:
        with blaming("text", "input"):
            audio = await self._pipeline.synthesiser.speak(fields.input, plan, context)
        if not len(audio.samples):
            raise _nothing_to_speak()
        data = await self._pipeline.files.encode(
            audio, fields.response_format, context, plan.voice.id
        )
        return timed(Response(data, media_type=MEDIA_TYPES[fields.response_format]), context)

    async def _speak_in_turn(
        self,
        request: Request,
        fields: SpeechFields,
        parts: Sequence[str],
        plan: Speaking,
        context: Context,
    ) -> Response:
        """Send each sentence once it is spoken; ``Server-Timing`` is of the way to the first."""
        pieces = self._pieces(fields, parts, plan, context)
        media_type = MEDIA_TYPES[fields.response_format]
        if fields.stream_format == "sse":
            media_type = EVENTS

            def done() -> dict[str, Any]:
                return {"usage": _usage(fields.input), "timings": context.timings.as_json()}

            bodies = speech_bodies(pieces, done)
            pieces = events(bodies, request.headers["x-request-id"])
        first = await anext(pieces)
        return timed(StreamedResponse(first, pieces, media_type), context)

    async def _pieces(
        self,
        fields: SpeechFields,
        parts: Sequence[str],
        plan: Speaking,
        context: Context,
    ) -> AsyncGenerator[bytes]:
        """Yield the file in pieces, at least one.

        Raises:
            InvalidRequest: there is nothing to speak.
        """
        spoken = self._pipeline.synthesiser.speak_in_turn(parts, plan, context)
        is_silent = True
        async with aclosing(
            self._pipeline.files.encode_stream(
                spoken, fields.response_format, context, plan.voice.id
            )
        ) as pieces:
            with blaming("text", "input"):
                async for piece in pieces:
                    yield piece
                    is_silent = False
        if is_silent:
            raise _nothing_to_speak()


def _nothing_to_speak() -> InvalidRequest:
    return InvalidRequest("input has nothing that can be spoken", param="input")


def _usage(text: str) -> dict[str, int]:
    """Count a text in OpenAI's fields. Our voices count characters, and make no tokens."""
    return {"input_tokens": len(text), "output_tokens": 0, "total_tokens": len(text)}
