"""``POST /v1/speech/translations``: speech in one language to text and speech in another."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.catalogue.voices import NamedVoice
from deployments.config.names import GRAPH
from deployments.config.schema import Limits
from deployments.graph.admission import admit
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline, SpeechTranslation
from deployments.graph.plan import Plan, TranslateOptions
from deployments.http.failed_requests import counted
from deployments.http.glossary_fields import AskedGlossary, Glossaries
from deployments.http.own_voices import OwnVoices
from deployments.http.parsing import (
    DetectedLanguage,
    Speed,
    blaming,
    context_of,
    form_fields,
    timed,
    warnings_json,
)
from deployments.http.streaming import DONE, EVENTS, StreamedResponse, events
from deployments.http.synthetic import synthetic
from deployments.http.v1.dubbing import DubbingFields, check_film, film_response, fitted
from deployments.http.v1.sentences import sentence_json
from deployments.http.v1.subtitles import cues_of, subtitle_response
from deployments.http.v1.text_headers import text_headers
from deployments.http.v1.transcript_parts import usage_json
from deployments.http.v1.translation_events import translation_bodies
from models.audio.encode import MEDIA_TYPES, PCM_RATE_HZ
from models.audio.film_source import VideoFormat
from models.audio.subtitles import SubtitleFormat
from models.errors import InvalidRequest
from models.runtime import Voice
from models.types import Audio

SpokenFormat = Literal["wav", "mp3", "opus", "flac"]
InlineFormat = SpokenFormat | Literal["pcm"]  # in JSON, where the rate stands beside it
BilingualFormat = Literal["bilingual_srt", "bilingual_vtt"]  # srt and vtt with ``bilingual``


class SpeechTranslationFields(DubbingFields):
    source_language: DetectedLanguage = None
    voice: str | None = None
    speed: Speed = 1.0
    response_format: Literal["json", SpokenFormat, SubtitleFormat, BilingualFormat, VideoFormat] = (
        "json"
    )
    audio_format: InlineFormat | Literal["none"] = "wav"
    include: Annotated[tuple[Literal["embedding"], ...], Field(alias="include[]")] = ()
    stream: bool = False
    glossary: AskedGlossary | None = None

    def check(self) -> None:
        """Refuse fields that do not go together. Raises InvalidRequest."""
        self.check_dubbing(speaks=self.speaks, stream=self.stream, speed=self.speed)
        if self.stream and self.response_format != "json":
            message = f"stream goes with response_format json, not {self.response_format}"
            raise InvalidRequest(f"{message}; audio_format says how it is spoken", param="stream")

    @property
    def speaks(self) -> bool:
        """Tell whether the answer holds audio."""
        if self.response_format == "json":
            return self.audio_format != "none"
        return self.film is not None or self.response_format in MEDIA_TYPES

    def options(self, voice: NamedVoice) -> TranslateOptions:
        """Return what is asked of the graph. ``voice``: what ``self.voice`` means here."""
        return TranslateOptions(
            target_language=self.target_language,
            source_language=self.source_language,
            voice=voice,
            speed=self.speed,
            speak=self.speaks,
            embed="embedding" in self.include,
            fit=self.fits,
        )


class SpeechTranslationEndpoint:
    """Translates speech over one pipeline."""

    def __init__(
        self, pipeline: Pipeline, limits: Limits, own: OwnVoices, glossaries: Glossaries
    ) -> None:
        self._pipeline = pipeline
        self._limits = limits
        self._own, self._glossaries = own, glossaries

    def route(self) -> Route:
        """Return the endpoint's path, whose refusals count for the graph."""
        handler = counted(self._pipeline.fleet, GRAPH, self.translate)
        return Route("/v1/speech/translations", handler, methods=["POST"])

    async def translate(self, request: Request) -> Response:
        """Answer with a recording's translation, in the format that the request names."""
        context = context_of(request, self._limits)
        fields, files = await form_fields(request, SpeechTranslationFields)
        fields.check()
        voice = await self._own.named(request.scope, fields.voice)
        glossary = await self._glossaries.find(request.scope, fields.glossary)
        options = replace(fields.options(voice), glossary=glossary)
        plan = self._pipeline.planner.speech_translation(options)
        admit(plan.models, context, self._pipeline.fleet.graph)
        data: bytes | None = files.pop()
        assert data is not None
        if fields.film is not None:
            await check_film(self._pipeline, data, fields.film, context)
        audio = await self._pipeline.files.decode(data, context)
        if fields.film is None and fields.background == "none":
            data = None  # the file is not kept
        if fields.stream:
            return timed(await self._in_turn(request, fields, plan, audio, context), context)
        with blaming("text", "target_language"):  # what cannot be spoken is the translation
            (answer,) = await self._pipeline.run([audio], [plan], context)
        if fields.fits:
            answer = await fitted(self._pipeline, fields, data, answer, context)
        request_id = request.headers["x-request-id"]
        return await self.answer(request_id, fields, answer, context, data)

    async def answer(
        self,
        request_id: str,
        fields: SpeechTranslationFields,
        answer: SpeechTranslation,
        context: Context,
        data: bytes | None = None,
    ) -> Response:
        """Show a translation in the format that the request names. ``data``: of a film."""
        if fields.response_format == "json":
            return await self._as_json(request_id, fields, answer, context)
        if fields.film is not None:
            assert data is not None
            headers = text_headers(fields.target_language, answer)
            dubbed = await film_response(self._pipeline, fields, data, answer, headers, context)
            return timed(dubbed, context)
        if fields.speaks:
            return await self._as_audio(fields, answer, context)
        rendered = await self._pipeline.codecs.run(
            lambda: _as_subtitles(fields, answer, context), context.deadline
        )
        return timed(rendered, context)

    async def _in_turn(
        self,
        request: Request,
        fields: SpeechTranslationFields,
        plan: Plan,
        audio: Audio,
        context: Context,
    ) -> Response:
        """Send each sentence once it and those before it are spoken."""
        request_id = request.headers["x-request-id"]

        def done(answer: SpeechTranslation) -> dict[str, Any]:
            whole = _whole(request_id, fields, answer, context)
            return {**whole, "usage": usage_json(answer.duration_s)}

        async def audio_json(spoken: Audio | None) -> dict[str, Any] | None:
            voice = plan.speaking.voice if plan.speaking else None
            return await self._spoken(fields, spoken, voice, context)

        bodies = translation_bodies(
            self._pipeline.run_in_turn(audio, plan, context),
            self._pipeline.synthesiser.gap_s(fields.speed),
            sentence_json,
            audio_json,
            done,
        )
        told = events(bodies, request_id, end=DONE)
        answer = StreamedResponse(await anext(told), told, EVENTS)
        return synthetic(answer) if fields.speaks else answer

    async def _as_json(
        self,
        request_id: str,
        fields: SpeechTranslationFields,
        answer: SpeechTranslation,
        context: Context,
    ) -> Response:
        spoken = await self._spoken(fields, answer.audio, answer.voice, context)
        body = {
            **_whole(request_id, fields, answer, context),
            "segments": [sentence_json(*each) for each in enumerate(answer.sentences)],
            "audio": spoken,
        }
        rendered = await self._pipeline.codecs.run(lambda: JSONResponse(body), context.deadline)
        return timed(rendered if spoken is None else synthetic(rendered), context)

    async def _spoken(
        self,
        fields: SpeechTranslationFields,
        audio: Audio | None,
        voice: Voice | None,
        context: Context,
    ) -> dict[str, Any] | None:
        """Encode audio to stand in JSON."""
        if audio is None or voice is None:
            return None
        audio_format = fields.audio_format
        assert audio_format != "none"
        data = await self._pipeline.files.encode(audio, audio_format, context, voice.id)
        base64_data = await self._pipeline.codecs.run(
            lambda: base64.b64encode(data).decode(), context.deadline
        )
        return {
            "data": base64_data,
            "format": audio_format,
            "sample_rate_hz": PCM_RATE_HZ if audio_format == "pcm" else audio.sample_rate_hz,
            "duration_s": round(audio.duration_s, 3),
        }

    async def _as_audio(
        self, fields: SpeechTranslationFields, answer: SpeechTranslation, context: Context
    ) -> Response:
        headers = text_headers(fields.target_language, answer)
        if answer.audio is None or answer.voice is None or not len(answer.audio.samples):
            return timed(Response(status_code=204, headers=headers), context)
        audio_format: Any = fields.response_format
        data = await self._pipeline.files.encode(
            answer.audio, audio_format, context, answer.voice.id
        )
        spoken = Response(data, headers=headers, media_type=MEDIA_TYPES[audio_format])
        return timed(synthetic(spoken), context)


def _whole(
    request_id: str, fields: SpeechTranslationFields, answer: SpeechTranslation, context: Context
) -> dict[str, Any]:
    """Show all of an answer but its sentences and its audio."""
    body: dict[str, Any] = {
        "id": request_id,
        "duration_s": round(answer.duration_s, 3),
        "transcript": {
            "text": answer.text,
            "language": answer.language,
            "language_probability": round(answer.language_probability, 4),
        },
        "translation": {
            "text": answer.translation,
            "language": fields.target_language,
            "pivot": answer.pivot,
        },
        "voice": answer.voice.id if answer.voice else None,
        "voice_similarity": _rounded(answer.voice_similarity),
        "warnings": warnings_json(context.warnings),
        "timings": context.timings.as_json(),
    }
    if answer.speakers:
        body["speakers"] = [
            {
                "speaker": each.speaker,
                "voice_similarity": _rounded(each.similarity),
                "seconds": each.seconds,
            }
            for each in answer.speakers
        ]
    if "embedding" in fields.include:
        found = answer.heard_voice
        body["embedding"] = found.voiceprint.embedding.tolist() if found else None
        body["speech_s"] = found.rounded_speech_s if found else 0.0
    return body


def _as_subtitles(
    fields: SpeechTranslationFields, answer: SpeechTranslation, context: Context
) -> Response:
    name: Any = fields.response_format.removeprefix("bilingual_")
    bilingual = fields.bilingual or name != fields.response_format
    cues = cues_of(answer.sentences, fields.target_language, bilingual=bilingual)
    return subtitle_response(name, cues, fields.target_language, context.warnings)


def _rounded(cosine: float | None) -> float | None:
    return None if cosine is None else round(cosine, 4)
