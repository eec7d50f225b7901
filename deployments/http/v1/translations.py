"""Dragoman's own endpoints: speech and text translation, speaker embeddings, voices."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.catalogue.selection import pivot
from deployments.config.names import GRAPH
from deployments.config.schema import Limits
from deployments.graph.pipeline import (
    Context,
    Pipeline,
    SpeechTranslation,
    TextOptions,
    TranslateOptions,
)
from deployments.http.failed_requests import counted
from deployments.http.parsing import (
    MAX_BEAM_SIZE,
    DetectedLanguage,
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
    warnings_json,
)
from deployments.telemetry import usage
from models.audio.encode import MEDIA_TYPES
from models.audio.subtitles import Cue, Phrase, lay_out, lay_out_pairs, srt, vtt
from models.errors import InvalidRequest, TooLarge
from models.types import SOURCE_VOICE

# A proxy's buffer holds all headers of an answer (HAProxy's: 16 kB), so each text is cut there.
MAX_HEADER_TEXT_CHARS = 4000
# RFC 8187: what may stand unencoded in an ext-value, beside letters and digits.
ATTR_CHARS = "!#$&+-.^_`|~"

SpokenFormat = Literal["wav", "mp3", "opus", "flac"]
SubtitleFormat = Literal["srt", "vtt", "bilingual_srt", "bilingual_vtt"]


class SpeechTranslationFields(Fields):
    target_language: Language
    source_language: DetectedLanguage = None
    voice: str | None = None
    speed: Speed = 1.0
    response_format: Literal["json"] | SpokenFormat | SubtitleFormat = "json"
    audio_format: SpokenFormat | Literal["none"] = "wav"
    include: Annotated[tuple[Literal["embedding"], ...], Field(alias="include[]")] = ()

    @property
    def speaks(self) -> bool:
        if self.response_format == "json":
            return self.audio_format != "none"
        return self.response_format in MEDIA_TYPES


class TextTranslationFields(Fields):
    text: Text | list[Text]
    source_language: Language
    target_language: Language
    beam_size: Annotated[int, Field(ge=1, le=MAX_BEAM_SIZE)] = 1
    length_penalty: Annotated[float, Field(ge=0, le=2)] = 1.0
    max_tokens: Annotated[int, Field(ge=1, le=1024)] | None = None


class SpeechRoutes:
    """The handlers, over one pipeline."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._fleet = pipeline.fleet
        self._limits = limits

    def routes(self) -> list[Route]:
        return [
            Route(
                "/v1/speech/translations",
                counted(self._fleet, GRAPH, self.translate_speech),
                methods=["POST"],
            ),
            Route(
                "/v1/text/translations",
                counted(self._fleet, "nmt", self.translate_text),
                methods=["POST"],
            ),
            Route("/v1/voices", self.voices, methods=["GET"]),
        ]

    async def translate_speech(self, request: Request) -> Response:
        context = context_of(request, self._limits)
        fields, files = await form_fields(request, SpeechTranslationFields)
        options = TranslateOptions(
            target_language=fields.target_language,
            source_language=fields.source_language,
            voice=fields.voice,
            speed=fields.speed,
            speak=fields.speaks,
            embed="embedding" in fields.include,
        )
        self._pipeline.admit_translation(options, context)
        audio = await self._pipeline.decode(files.pop(), context)  # the file is not kept
        with blaming("text", "target_language"):  # what cannot be spoken is the translation
            row = self._pipeline.translate_speech(audio, options, context)
            (answer,) = await self._pipeline.graph([row], audio.duration_s, context)
        if fields.response_format == "json":
            return await self._as_json(request, fields, answer, context)
        if fields.speaks:
            return await self._as_audio(fields, answer, context)
        rendered = await self._pipeline.off_loop(
            lambda: _as_subtitles(fields, answer), context.deadline
        )
        return timed(rendered, context)

    async def _as_json(
        self,
        request: Request,
        fields: SpeechTranslationFields,
        answer: SpeechTranslation,
        context: Context,
    ) -> Response:
        spoken = None
        if answer.audio is not None:
            audio_format = fields.audio_format
            assert audio_format != "none"
            data = await self._pipeline.encode(answer.audio, audio_format, context)
            base64_data = await self._pipeline.off_loop(
                lambda: base64.b64encode(data).decode(), context.deadline
            )
            spoken = {
                "data": base64_data,
                "format": audio_format,
                "sample_rate_hz": answer.audio.sample_rate_hz,
                "duration_s": round(answer.audio.duration_s, 3),
            }
        body: dict[str, Any] = {
            "id": request.headers["x-request-id"],
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
            "segments": [
                {
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
                for number, sentence in enumerate(answer.sentences)
            ],
            "voice": answer.voice.id if answer.voice else None,
            "voice_similarity": _rounded(answer.voice_similarity),
            "audio": spoken,
        }
        if "embedding" in fields.include:
            found = answer.heard_voice
            body["embedding"] = found.voiceprint.embedding.tolist() if found else None
            body["speech_s"] = found.rounded_speech_s if found else 0.0
        body["warnings"] = warnings_json(context.warnings)
        body["timings"] = context.timings.as_json()
        rendered = await self._pipeline.off_loop(lambda: JSONResponse(body), context.deadline)
        return timed(rendered, context)

    async def _as_audio(
        self, fields: SpeechTranslationFields, answer: SpeechTranslation, context: Context
    ) -> Response:
        headers = _text_headers(fields, answer)
        if answer.audio is None or not len(answer.audio.samples):
            return timed(Response(status_code=204, headers=headers), context)
        audio_format: Any = fields.response_format
        data = await self._pipeline.encode(answer.audio, audio_format, context)
        media_type = MEDIA_TYPES[audio_format]
        return timed(Response(data, headers=headers, media_type=media_type), context)

    async def translate_text(self, request: Request) -> Response:
        context = context_of(request, self._limits)
        fields = await json_fields(request, TextTranslationFields, self._limits)
        originals = [fields.text] if isinstance(fields.text, str) else fields.text
        if not originals:
            raise InvalidRequest("text must hold at least one text", param="text")
        if len(originals) > self._limits.max_texts:
            raise TooLarge(f"text must hold at most {self._limits.max_texts} texts", param="text")
        length_chars = sum(map(len, originals))
        check_text_length(length_chars, self._limits, param="text")
        usage.read(length_chars)
        source, target = fields.source_language, fields.target_language
        route = self._fleet.route(source, target)
        request.state.meant.name = route[0].model.name
        options = TextOptions(fields.beam_size, fields.length_penalty, fields.max_tokens)
        translated = await self._pipeline.translate(originals, route, context, options)
        languages = {"source_language": source, "target_language": target}
        rows = [
            {
                "text": each.text,
                **languages,
                "pivot": pivot(route),
                "warnings": warnings_json(each.warnings),
            }
            for each in translated
        ]
        body = {"translations": rows, "timings": context.timings.as_json()}
        return timed(JSONResponse(body), context)

    async def voices(self, request: Request) -> Response:
        rows = [
            {
                "id": voice.id,
                "language": voice.language,
                "engine": voice.engine,
                "model": model.name,
                "sample_rate_hz": voice.sample_rate_hz,
            }
            for model, voice in self._fleet.voices()
        ]
        return JSONResponse({"object": "list", "data": rows, "cloning": self._cloning()})

    def _cloning(self) -> list[dict[str, Any]]:
        """Which models speak in the voice of a recording: no voice of a text, which has none."""
        models = {model.name: model for model, _ in self._fleet.voices()}
        return [
            {
                "voice": SOURCE_VOICE,
                "use": "the speaker's own voice, in POST /v1/speech/translations alone",
                "model": model.name,
                "languages": model.spec.cloning_languages,
            }
            for model in models.values()
            if model.spec.cloning_languages
        ]


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


def subtitle_response(subtitle_format: str, cues: list[Cue]) -> Response:
    """Subtitles as a file of their own media type."""
    if subtitle_format == "vtt":
        return Response(vtt(cues), media_type="text/vtt")
    return Response(srt(cues), media_type="application/x-subrip")


def _text_headers(fields: SpeechTranslationFields, answer: SpeechTranslation) -> Mapping[str, str]:
    """The answer's texts beside its audio, as RFC 8187 ext-values."""
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
    """``UTF-8''`` and the text, percent-encoded; cut at a character where it is too long."""
    while not _fits_header(text):
        text = text[: len(text) * 3 // 4]
    return f"UTF-8''{quote(text, safe=ATTR_CHARS)}"
