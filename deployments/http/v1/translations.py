"""``POST /v1/speech/translations``: speech in one language to text and speech in another."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.names import GRAPH
from deployments.config.schema import Limits
from deployments.graph.admission import admit
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline, SpeechTranslation
from deployments.graph.plan import Plan, TranslateOptions
from deployments.graph.sentences import Sentence
from deployments.http.failed_requests import counted
from deployments.http.parsing import (
    DetectedLanguage,
    Fields,
    Language,
    Speed,
    blaming,
    context_of,
    form_fields,
    timed,
    warnings_json,
)
from deployments.http.streaming import DONE, EVENTS, StreamedResponse, events
from deployments.http.v1.subtitles import subtitle_response
from deployments.http.v1.transcript_parts import usage_json
from deployments.http.v1.translation_events import translation_bodies
from models.audio.encode import MEDIA_TYPES, PCM_RATE_HZ
from models.audio.subtitles import Phrase, lay_out, lay_out_pairs
from models.errors import InvalidRequest
from models.types import Audio

# A proxy's buffer holds all headers of an answer (HAProxy's: 16 kB), so each text is cut there.
MAX_HEADER_TEXT_CHARS = 4000
# RFC 8187: what may stand unencoded in an ext-value, beside letters and digits.
ATTR_CHARS = "!#$&+-.^_`|~"

SpokenFormat = Literal["wav", "mp3", "opus", "flac"]
InlineFormat = SpokenFormat | Literal["pcm"]  # in JSON, where the rate stands beside it
SubtitleFormat = Literal["srt", "vtt", "bilingual_srt", "bilingual_vtt"]


class SpeechTranslationFields(Fields):
    target_language: Language
    source_language: DetectedLanguage = None
    voice: str | None = None
    speed: Speed = 1.0
    response_format: Literal["json"] | SpokenFormat | SubtitleFormat = "json"
    audio_format: InlineFormat | Literal["none"] = "wav"
    include: Annotated[tuple[Literal["embedding"], ...], Field(alias="include[]")] = ()
    stream: bool = False

    def check(self) -> None:
        """Refuse a stream of what cannot be sent in events. Raises InvalidRequest."""
        if self.stream and self.response_format != "json":
            message = f"stream goes with response_format json, not {self.response_format}"
            raise InvalidRequest(f"{message}; audio_format says how it is spoken", param="stream")

    @property
    def speaks(self) -> bool:
        """Tell whether the answer holds audio."""
        if self.response_format == "json":
            return self.audio_format != "none"
        return self.response_format in MEDIA_TYPES

    @property
    def options(self) -> TranslateOptions:
        """Return what is asked of the graph."""
        return TranslateOptions(
            target_language=self.target_language,
            source_language=self.source_language,
            voice=self.voice,
            speed=self.speed,
            speak=self.speaks,
            embed="embedding" in self.include,
        )


class SpeechTranslationEndpoint:
    """Translates speech over one pipeline."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._limits = limits

    def route(self) -> Route:
        """Return the endpoint's path, whose refusals count for the graph."""
        handler = counted(self._pipeline.fleet, GRAPH, self.translate)
        return Route("/v1/speech/translations", handler, methods=["POST"])

    async def translate(self, request: Request) -> Response:
        """Answer with a recording's translation, in the format that the request names."""
        context = context_of(request, self._limits)
        fields, files = await form_fields(request, SpeechTranslationFields)
        fields.check()
        plan = self._pipeline.planner.speech_translation(fields.options)
        admit(plan.models, context, self._pipeline.fleet.graph)
        audio = await self._pipeline.files.decode(files.pop(), context)  # the file is not kept
        if fields.stream:
            return timed(await self._in_turn(request, fields, plan, audio, context), context)
        with blaming("text", "target_language"):  # what cannot be spoken is the translation
            (answer,) = await self._pipeline.run([audio], [plan], context)
        return await self.answer(request.headers["x-request-id"], fields, answer, context)

    async def answer(
        self,
        request_id: str,
        fields: SpeechTranslationFields,
        answer: SpeechTranslation,
        context: Context,
    ) -> Response:
        """Show a translation in the format that the request names."""
        if fields.response_format == "json":
            return await self._as_json(request_id, fields, answer, context)
        if fields.speaks:
            return await self._as_audio(fields, answer, context)
        rendered = await self._pipeline.codecs.run(
            lambda: _as_subtitles(fields, answer), context.deadline
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
            return await self._spoken(fields, spoken, context)

        bodies = translation_bodies(
            self._pipeline.run_in_turn(audio, plan, context),
            self._pipeline.synthesiser.gap_s(fields.speed),
            _segment,
            audio_json,
            done,
        )
        told = events(bodies, request_id, end=DONE)
        return StreamedResponse(await anext(told), told, EVENTS)

    async def _as_json(
        self,
        request_id: str,
        fields: SpeechTranslationFields,
        answer: SpeechTranslation,
        context: Context,
    ) -> Response:
        spoken = await self._spoken(fields, answer.audio, context)
        body = {
            **_whole(request_id, fields, answer, context),
            "segments": [_segment(*each) for each in enumerate(answer.sentences)],
            "audio": spoken,
        }
        rendered = await self._pipeline.codecs.run(lambda: JSONResponse(body), context.deadline)
        return timed(rendered, context)

    async def _spoken(
        self, fields: SpeechTranslationFields, audio: Audio | None, context: Context
    ) -> dict[str, Any] | None:
        """Encode audio to stand in JSON."""
        if audio is None:
            return None
        audio_format = fields.audio_format
        assert audio_format != "none"
        data = await self._pipeline.files.encode(audio, audio_format, context)
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
        headers = _text_headers(fields, answer)
        if answer.audio is None or not len(answer.audio.samples):
            return timed(Response(status_code=204, headers=headers), context)
        audio_format: Any = fields.response_format
        data = await self._pipeline.files.encode(answer.audio, audio_format, context)
        media_type = MEDIA_TYPES[audio_format]
        return timed(Response(data, headers=headers, media_type=media_type), context)


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
    if "embedding" in fields.include:
        found = answer.heard_voice
        body["embedding"] = found.voiceprint.embedding.tolist() if found else None
        body["speech_s"] = found.rounded_speech_s if found else 0.0
    return body


def _segment(number: int, sentence: Sentence) -> dict[str, Any]:
    return {
        "id": number,
        "start_s": sentence.start_s,
        "end_s": sentence.end_s,
        "text": sentence.text,
        "translation": sentence.translation,
        "language": sentence.language,
        "avg_logprob": round(sentence.avg_logprob, 4),
        "no_speech_prob": round(sentence.no_speech_prob, 4),
        "warnings": warnings_json(sentence.warnings),
    }


def _as_subtitles(fields: SpeechTranslationFields, answer: SpeechTranslation) -> Response:
    pairs = [
        (
            Phrase(row.start_s, row.end_s, row.text, None, row.language),
            Phrase(row.start_s, row.end_s, row.translation, None, fields.target_language),
        )
        for row in answer.sentences
    ]
    if fields.response_format.startswith("bilingual_"):
        cues = lay_out_pairs(pairs)
    else:
        cues = lay_out([translation for _, translation in pairs])
    return subtitle_response(fields.response_format.removeprefix("bilingual_"), cues)


def _text_headers(fields: SpeechTranslationFields, answer: SpeechTranslation) -> Mapping[str, str]:
    """Put the answer's texts beside its audio, as RFC 8187 ext-values."""
    headers = {
        "x-transcript": _ext_value(answer.text),
        "x-translation": _ext_value(answer.translation),
        "x-target-language": fields.target_language,
    }
    if answer.language is not None:
        headers["x-source-language"] = answer.language
    if answer.voice is not None:
        headers["x-voice"] = answer.voice.id
    if answer.voice_similarity is not None:
        headers["x-voice-similarity"] = f"{answer.voice_similarity:.4f}"
    if answer.pivot is not None:
        headers["x-pivot-language"] = answer.pivot
    if not all(map(_fits_header, (answer.text, answer.translation))):
        headers["x-text-truncated"] = "true"
    return headers


def _rounded(cosine: float | None) -> float | None:
    return None if cosine is None else round(cosine, 4)


def _fits_header(text: str) -> bool:
    return len(quote(text, safe=ATTR_CHARS)) <= MAX_HEADER_TEXT_CHARS


def _ext_value(text: str) -> str:
    """Write ``UTF-8''`` and the text, percent-encoded; cut at a character where it is too long."""
    while not _fits_header(text):
        text = text[: len(text) * 3 // 4]
    return f"UTF-8''{quote(text, safe=ATTR_CHARS)}"
