"""OpenAI's audio endpoints and model list, as its SDK puts them on the wire."""

from __future__ import annotations

import asyncio
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
from deployments.pipeline import Pipeline, Speaking, TranscribeOptions
from models import audio as audio_io
from models.errors import InvalidRequest
from models.types import SOURCE_VOICE, Audio, Segment, Transcript

FRAMES_A_SECOND = 100  # of Whisper's mel spectrogram, the unit of ``seek``


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
    stream_format: Literal["audio"] = "audio"


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
        )
        audio = await self._pipeline.decode(files.pop(), context)  # the file is not kept
        transcript = await self._pipeline.transcribe(audio, options, context, model)
        return timed(_transcription(fields, transcript, audio), context)

    async def speak(self, request: Request) -> Response:
        context = context_of(request, self._limits)
        fields = await json_fields(request, SpeechFields, self._limits)
        check_text_length(len(fields.input), self._limits, param="input")
        if fields.voice is None and fields.language is None:
            raise InvalidRequest("voice is required, or language to choose one", param="voice")
        if fields.language is not None:
            self._fleet.check_language(fields.language, param="language")
        named = fields.voice.id if isinstance(fields.voice, VoiceReference) else fields.voice
        if named == SOURCE_VOICE:
            message = "voice source is the voice of translated speech; this text has no speaker"
            raise InvalidRequest(message, param="voice")
        model, voice = self._fleet.voice(named, fields.language, fields.model)
        speaking = Speaking(model, voice, fields.speed)
        with blaming("text", "input"):
            audio = await self._pipeline.speak(fields.input, speaking, context)
        if not len(audio.samples):
            raise InvalidRequest("input has nothing that can be spoken", param="input")
        data = await self._pipeline.encode(audio, fields.response_format, context)
        media_type = audio_io.MEDIA_TYPES[fields.response_format]
        return timed(Response(data, media_type=media_type), context)

    async def models(self, request: Request) -> Response:
        rows = await asyncio.gather(*map(self._model_row, self._fleet.names()))
        return JSONResponse({"object": "list", "data": rows})

    async def model(self, request: Request) -> Response:
        return JSONResponse(await self._model_row(request.path_params["name"]))

    async def _model_row(self, name: str) -> dict[str, Any]:
        return await model_row(self._fleet, name, self._started)


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
