"""OpenAI's audio endpoints and model list, as its SDK puts them on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.config import Limits
from deployments.ingress import subtitles
from deployments.ingress.listing import model_row
from deployments.ingress.requests import (
    Fields,
    Language,
    Speed,
    Text,
    blaming,
    check_text_length,
    context_of,
    form_fields,
    json_fields,
    timed,
)
from deployments.ingress.speech import subtitle_response
from deployments.ingress.streaming import EVENTS, StreamedResponse, speech_events
from deployments.pipeline import Context, Pipeline, Speaking, TranscribeOptions
from models.encoding import MEDIA_TYPES
from models.errors import InvalidRequest, Unavailable
from models.text.sentences import split
from models.types import SOURCE_VOICE, Audio, Segment, Transcript

FRAMES_A_SECOND = 100  # of Whisper's mel spectrogram, the unit of ``seek``
TEXT_ALONE = ("json", "text")  # formats of an answer that says no times


class TranscriptionFields(Fields):
    model: str | None = None
    language: Language | None = None
    prompt: str | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json"] = "json"
    timestamp_granularities: Annotated[
        tuple[Literal["segment", "word"], ...], Field(alias="timestamp_granularities[]")
    ] = ("segment",)
    # What clients send by default; another value is refused until there is what it asks for.
    stream: Literal["false", "False"] = "false"
    chunking_strategy: Literal["auto"] = "auto"


class VoiceReference(Fields):
    id: str


class SpeechFields(Fields):
    input: Annotated[Text, Field(min_length=1)]
    model: str | None = None
    voice: str | VoiceReference | None = None
    language: Language | None = None
    response_format: Literal["mp3", "wav", "opus", "flac", "aac", "pcm"] = "mp3"
    speed: Speed = 1.0
    stream_format: Literal["audio", "sse", "none"] = "audio"  # none, ours: the whole file at once


class OpenAiRoutes:
    """The handlers, over one pipeline. ``started`` is the server's start, in Unix seconds."""

    def __init__(self, pipeline: Pipeline, limits: Limits, started: int) -> None:
        self._pipeline = pipeline
        self._fleet = pipeline.fleet
        self._limits = limits
        self._started = started

    def routes(self) -> list[Route]:
        return [
            Route("/v1/audio/transcriptions", self.transcribe, methods=["POST"]),
            Route("/v1/audio/speech", self.speak, methods=["POST"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{name:path}", self.model, methods=["GET"]),
        ]

    async def transcribe(self, request: Request) -> Response:
        context = context_of(request, self._limits)
        fields, files = await form_fields(request, TranscriptionFields)
        words = "word" in fields.timestamp_granularities
        if words and fields.response_format != "verbose_json":
            raise InvalidRequest(
                "timestamp_granularities[] of words needs response_format verbose_json",
                param="timestamp_granularities[]",
            )
        model = self._fleet.pick("asr", fields.model)
        if fields.language is not None:
            self._fleet.check_language(fields.language, param="language")
        if fields.prompt is not None:
            check_text_length(len(fields.prompt), self._limits, param="prompt")
        options = TranscribeOptions(
            language=fields.language,
            word_timestamps=words,
            prompt=fields.prompt,
            temperature=fields.temperature or None,
            timestamps=fields.response_format not in TEXT_ALONE,
        )
        self._pipeline.admit([self._fleet.pick("vad"), model], context)
        audio = await self._pipeline.decode(files.pop(), context)  # the file is not kept
        transcript = await self._pipeline.transcribe(audio, options, context, model)
        return timed(_transcription(fields, transcript, audio), context)

    async def speak(self, request: Request) -> Response:
        context = context_of(request, self._limits)
        fields = await json_fields(request, SpeechFields, self._limits)
        check_text_length(len(fields.input), self._limits, param="input")
        speaking = self._speaking(fields)
        sentences = split(fields.input, speaking.voice.language).sentences
        streams = fields.stream_format == "sse" or len(sentences) > 1
        if fields.stream_format == "none" or not streams:
            return await self._speak_whole(fields, speaking, context)
        return await self._speak_in_turn(request, fields, sentences, speaking, context)

    def _speaking(self, fields: SpeechFields) -> Speaking:
        """Who speaks, once that is known to be possible."""
        if fields.voice is None and fields.language is None:
            raise InvalidRequest("voice is required, or language to choose one", param="voice")
        if fields.language is not None:
            self._fleet.check_language(fields.language, param="language")
        named = fields.voice.id if isinstance(fields.voice, VoiceReference) else fields.voice
        if named == SOURCE_VOICE:
            message = "voice source is the voice of translated speech; this text has no speaker"
            raise InvalidRequest(message, param="voice")
        model, voice = self._fleet.voice(named, fields.language, fields.model)
        return Speaking(model, voice, fields.speed)

    async def _speak_whole(
        self, fields: SpeechFields, speaking: Speaking, context: Context
    ) -> Response:
        with blaming("text", "input"):
            audio = await self._pipeline.speak(fields.input, speaking, context)
        if not len(audio.samples):
            raise _nothing_to_speak()
        data = await self._pipeline.encode(audio, fields.response_format, context)
        return timed(Response(data, media_type=MEDIA_TYPES[fields.response_format]), context)

    async def _speak_in_turn(
        self,
        request: Request,
        fields: SpeechFields,
        sentences: Sequence[str],
        speaking: Speaking,
        context: Context,
    ) -> Response:
        """Each sentence leaves once it is spoken; ``Server-Timing`` is of the way to the first."""
        pieces = self._pieces(fields, sentences, speaking, context)
        media_type = MEDIA_TYPES[fields.response_format]
        if fields.stream_format == "sse":
            media_type = EVENTS

            def done() -> dict[str, Any]:
                return {"usage": _usage(fields.input), "timings": context.timings.as_json()}

            pieces = speech_events(pieces, done, request.headers["x-request-id"])
        first = await anext(pieces)
        return timed(StreamedResponse(first, pieces, media_type), context)

    async def _pieces(
        self,
        fields: SpeechFields,
        sentences: Sequence[str],
        speaking: Speaking,
        context: Context,
    ) -> AsyncGenerator[bytes]:
        """The file in pieces, at least one. Raises InvalidRequest: there is nothing to speak."""
        spoken = self._pipeline.speak_in_turn(sentences, speaking, context)
        is_silent = True
        async with aclosing(
            self._pipeline.encode_stream(spoken, fields.response_format, context)
        ) as pieces:
            with blaming("text", "input"):
                async for piece in pieces:
                    yield piece
                    is_silent = False
        if is_silent:
            raise _nothing_to_speak()

    async def models(self, request: Request) -> Response:
        """Those that can be used now: one that is unloaded, or still loading, is left out."""
        rows = await asyncio.gather(*map(self._row_if_there, self._fleet.names()))
        return JSONResponse({"object": "list", "data": [row for row in rows if row is not None]})

    async def model(self, request: Request) -> Response:
        return JSONResponse(await self._model_row(request.path_params["name"]))

    async def _row_if_there(self, name: str) -> dict[str, Any] | None:
        try:
            return await self._model_row(name)
        except Unavailable:
            return None

    async def _model_row(self, name: str) -> dict[str, Any]:
        return await model_row(self._fleet, name, self._started)


def _nothing_to_speak() -> InvalidRequest:
    return InvalidRequest("input has nothing that can be spoken", param="input")


def _usage(text: str) -> dict[str, int]:
    """In OpenAI's fields. Our voices count characters, and make no tokens."""
    return {"input_tokens": len(text), "output_tokens": 0, "total_tokens": len(text)}


def _transcription(fields: TranscriptionFields, heard: Transcript, audio: Audio) -> Response:
    if fields.response_format == "text":
        return PlainTextResponse(heard.text + "\n")
    if fields.response_format == "json":
        usage = {"type": "duration", "seconds": round(audio.duration_s, 3)}
        return JSONResponse({"text": heard.text, "usage": usage})
    if fields.response_format == "verbose_json":
        return JSONResponse(_verbose(fields, heard, audio))
    cues = [subtitles.Cue(s.start_s, s.end_s, (s.text.strip(),)) for s in heard.segments]
    return subtitle_response(fields.response_format, cues)


def _verbose(fields: TranscriptionFields, heard: Transcript, audio: Audio) -> dict[str, Any]:
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": heard.language,
        "duration": round(audio.duration_s, 3),
        "text": heard.text,
        "segments": [_segment(number, segment) for number, segment in enumerate(heard.segments)],
        "usage": {"type": "duration", "seconds": round(audio.duration_s, 3)},
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
    return {
        "id": number,
        "seek": round(segment.start_s * FRAMES_A_SECOND),
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": segment.text,
        "tokens": segment.tokens,
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }
