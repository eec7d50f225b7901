"""OpenAI's audio endpoints, as its SDK puts them on the wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.graph.hearing import TranscribeOptions
from deployments.graph.pipeline import Context, Pipeline, Speaking
from deployments.http.failed_requests import counted
from deployments.http.parsing import (
    DetectedLanguage,
    Fields,
    ForgivingFields,
    Speed,
    Text,
    blaming,
    check_text_length,
    context_of,
    form_fields,
    json_fields,
    naming_ignored,
    timed,
    warnings_json,
)
from deployments.http.streaming import EVENTS, StreamedResponse, speech_events
from deployments.http.v1.translations import subtitle_response
from deployments.telemetry import usage
from models.asr.decoding import UNSPACED_LANGUAGES
from models.audio.encode import MEDIA_TYPES
from models.audio.subtitles import Phrase, lay_out
from models.errors import InvalidRequest
from models.tts import normalisation
from models.types import SOURCE_VOICE, AnswerWarning, Audio, Segment, Transcript

FRAMES_A_SECOND = 100  # of Whisper's mel spectrogram, the unit of ``seek``
SUBTITLES = ("srt", "vtt")  # cut where the words say
NO_SPEAKERS = "who speaks is not told apart here yet"


def _granularities(value: Any) -> Any:
    """One text, or several with commas between, in brackets or not, as the list it stands for."""
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
    known_speaker_names: Annotated[tuple[Any, ...], Field(alias="known_speaker_names[]")] = ()
    known_speaker_references: Annotated[
        tuple[Any, ...], Field(alias="known_speaker_references[]")
    ] = ()

    @model_validator(mode="before")
    @classmethod
    def _one_candidate_is_the_language(cls, values: dict[str, Any]) -> dict[str, Any]:
        candidates = values.get("languages[]")
        if "language" in values or not isinstance(candidates, list) or len(candidates) != 1:
            return values
        others = {name: value for name, value in values.items() if name != "languages[]"}
        return {**others, "language": candidates[0]}

    def check(self) -> None:
        """Raises InvalidRequest: what is asked for is not there, or nothing says it."""
        if self.stream:
            raise _not_there("stream", "streamed transcripts are not there yet: leave stream out")
        for name in ("known_speaker_names", "known_speaker_references"):
            if getattr(self, name):
                raise _not_there(f"{name}[]", f"{name}[]: {NO_SPEAKERS}")
        if self.response_format == "diarized_json":
            raise _not_there("response_format", f"response_format diarized_json: {NO_SPEAKERS}")
        if "word" in self.timestamp_granularities and self.response_format != "verbose_json":
            message = "timestamp_granularities[] of words needs response_format verbose_json"
            raise InvalidRequest(message, param="timestamp_granularities[]")


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


class OpenAiRoutes:
    """The handlers, over one pipeline."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._fleet = pipeline.fleet
        self._limits = limits

    def routes(self) -> list[Route]:
        return [
            Route(path, counted(self._fleet, kind, handler), methods=["POST"])
            for path, kind, handler in (
                ("/v1/audio/transcriptions", "asr", self.transcribe),
                ("/v1/audio/speech", "tts", self.speak),
            )
        ]

    async def transcribe(self, request: Request) -> Response:
        context = context_of(request, self._limits)
        fields, files = await form_fields(request, TranscriptionFields)
        fields.check()
        words = "word" in fields.timestamp_granularities
        model = self._fleet.pick("asr", fields.model)
        request.state.meant.name = model.name
        if fields.language is not None:
            self._fleet.check_language(fields.language, param="language")
        if fields.prompt is not None:
            check_text_length(len(fields.prompt), self._limits, param="prompt")
        options = TranscribeOptions(
            language=fields.language,
            word_timestamps=words or fields.response_format in SUBTITLES,
            prompt=fields.prompt,
            temperature=fields.temperature or None,
        )
        self._pipeline.admit([self._fleet.pick("vad"), model], context)
        audio = await self._pipeline.decode(files.pop(), context)  # the file is not kept
        transcript = await self._pipeline.transcribe(audio, options, context, model)
        rendered = await self._pipeline.off_loop(
            lambda: _transcription(fields, transcript, audio, context.warnings), context.deadline
        )
        return timed(naming_ignored(rendered, fields), context)

    async def speak(self, request: Request) -> Response:
        context = context_of(request, self._limits)
        fields = await json_fields(request, SpeechFields, self._limits)
        check_text_length(len(fields.input), self._limits, param="input")
        usage.read(len(fields.input))
        speaking = self._speaking(fields)
        request.state.meant.name = speaking.model.name
        parts = normalisation.sentences(fields.input, speaking.voice.language)
        streams = fields.stream_format == "sse" or len(parts) > 1
        if fields.stream_format == "none" or not streams:
            answer = await self._speak_whole(fields, speaking, context)
        else:
            answer = await self._speak_in_turn(request, fields, parts, speaking, context)
        return naming_ignored(answer, fields)

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
        parts: Sequence[str],
        speaking: Speaking,
        context: Context,
    ) -> Response:
        """Each sentence leaves once it is spoken; ``Server-Timing`` is of the way to the first."""
        pieces = self._pieces(fields, parts, speaking, context)
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
        parts: Sequence[str],
        speaking: Speaking,
        context: Context,
    ) -> AsyncGenerator[bytes]:
        """The file in pieces, at least one. Raises InvalidRequest: there is nothing to speak."""
        spoken = self._pipeline.speak_in_turn(parts, speaking, context)
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


def _not_there(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=param)


def _nothing_to_speak() -> InvalidRequest:
    return InvalidRequest("input has nothing that can be spoken", param="input")


def _usage(text: str) -> dict[str, int]:
    """In OpenAI's fields. Our voices count characters, and make no tokens."""
    return {"input_tokens": len(text), "output_tokens": 0, "total_tokens": len(text)}


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
