"""``POST /v1/audio/translations``: OpenAI's endpoint, into English or a language that is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.catalogue.model import Model
from deployments.config.names import GRAPH
from deployments.config.schema import Limits
from deployments.graph.admission import admit
from deployments.graph.bounds import check_text_length
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline, SpeechTranslation
from deployments.graph.plan import Plan, TranscribeOptions, TranslateOptions
from deployments.http.failed_requests import counted
from deployments.http.parsing import (
    DetectedLanguage,
    ForgivingFields,
    Language,
    blaming,
    context_of,
    form_fields,
    naming_ignored,
    timed,
    warnings_json,
)
from deployments.http.v1.subtitles import SUBTITLES, subtitle_response
from deployments.http.v1.transcript_parts import languages_json, segment_json, usage_json
from models.asr.decoding import compression_ratio
from models.audio.subtitles import Phrase, SubtitleFormat, lay_out
from models.errors import InvalidRequest
from models.types import UNDETERMINED, AnswerWarning, Audio, Segment

ENGLISH = "en"
BY_HEADER = "x-translated-by"  # the models that translated


class AudioTranslationFields(ForgivingFields):
    model: str | None = None
    target_language: Language | None = None  # None: English, by the recogniser itself
    language: DetectedLanguage = None  # of the recording
    prompt: str | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    response_format: Literal["json", "text", SubtitleFormat, "verbose_json"] = "json"
    stream: bool = False

    def check(self) -> None:
        """Refuse what would change the answer and is elsewhere. Raises InvalidRequest."""
        if self.stream:
            message = "stream: /v1/speech/translations streams translations, this answers at once"
            raise InvalidRequest(message, param="stream")


@dataclass(frozen=True)
class Translated:
    """A recording's translation, whoever made it.

    Attributes:
        segments: their texts are translated, their languages those that were spoken.
        by: the models that translated.
        pivot: the language between the two, if any.
    """

    text: str
    language: str
    spoken: list[dict[str, str]]
    segments: Sequence[Segment]
    by: Sequence[str]
    pivot: str | None = None


class AudioTranslationEndpoint:
    """Translates recordings into text, over one pipeline."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._limits = limits

    def route(self) -> Route:
        """Return the endpoint's path, whose refusals count for an ASR model or for the graph."""
        handler = counted(self._pipeline.fleet, "asr", self.translate)
        return Route("/v1/audio/translations", handler, methods=["POST"])

    async def translate(self, request: Request) -> Response:
        """Answer with a recording's translation, in the format that the request names."""
        context = context_of(request, self._limits)
        fields, files = await form_fields(request, AudioTranslationFields)
        fields.check()
        asr = self._pipeline.planner.model("asr", fields.model)
        request.state.meant.name = asr.name if fields.target_language is None else GRAPH
        if fields.prompt is not None:
            check_text_length(len(fields.prompt), self._limits, param="prompt")
        by = self._by_recogniser if fields.target_language is None else self._by_graph
        audio, translated = await by(fields, files, asr, context)
        return await self._rendered(fields, translated, audio, context)

    async def _by_recogniser(
        self, fields: AudioTranslationFields, files: list[bytes], asr: Model, context: Context
    ) -> tuple[Audio, Translated]:
        """Translate into English, as the recogniser itself can."""
        options = TranscribeOptions(
            fields.language,
            task="translate",
            prompt=fields.prompt,
            temperature=fields.temperature or None,
        )
        hearing = self._pipeline.planner.transcription(options, asr)
        admit(hearing.models, context)
        audio = await self._pipeline.files.decode(files.pop(), context)  # the file is not kept
        heard = await self._pipeline.transcriber.transcribe(audio, hearing, context)
        languages = languages_json(heard)
        return audio, Translated(heard.text, ENGLISH, languages, heard.segments, [asr.name])

    async def _by_graph(
        self, fields: AudioTranslationFields, files: list[bytes], asr: Model, context: Context
    ) -> tuple[Audio, Translated]:
        """Translate what is recognised into the language that is named."""
        assert fields.target_language is not None
        options = TranslateOptions(
            fields.target_language,
            fields.language,
            speak=False,
            prompt=fields.prompt,
            temperature=fields.temperature or None,
        )
        with blaming("source_language", "language"):
            plan = self._pipeline.planner.speech_translation(options, asr)
        admit(plan.models, context, self._pipeline.fleet.graph)
        audio = await self._pipeline.files.decode(files.pop(), context)
        (answer,) = await self._pipeline.run([audio], [plan], context)
        return audio, _translated(answer, plan)

    async def _rendered(
        self,
        fields: AudioTranslationFields,
        translated: Translated,
        audio: Audio,
        context: Context,
    ) -> Response:
        response = await self._pipeline.codecs.run(
            lambda: _response(fields.response_format, translated, audio, context.warnings),
            context.deadline,
        )
        response.headers[BY_HEADER] = ", ".join(translated.by)
        if translated.pivot is not None:
            response.headers["x-pivot-language"] = translated.pivot
        return timed(naming_ignored(response, fields), context)


def _translated(answer: SpeechTranslation, plan: Plan) -> Translated:
    languages = dict.fromkeys(sentence.language for sentence in answer.sentences)
    spoken = [language for language in languages if language != UNDETERMINED]
    routes = [plan.translating.route_from(language) for language in spoken]
    hops = [hop.model.name for route in routes if route is not None for hop in route.hops]
    segments = [
        Segment(
            row.start_s,
            row.end_s,
            row.translation,
            (),
            0.0,
            row.avg_logprob,
            compression_ratio(row.translation) if row.translation else 0.0,
            row.no_speech_prob,
            language=row.language,
        )
        for row in answer.sentences
    ]
    return Translated(
        answer.translation,
        plan.translating.target,
        [{"code": language} for language in spoken],
        segments,
        list(dict.fromkeys(hops)),
        answer.pivot,
    )


def _response(
    response_format: Literal["json", "text", SubtitleFormat, "verbose_json"],
    translated: Translated,
    audio: Audio,
    warnings: list[AnswerWarning],
) -> Response:
    if response_format == "text":
        return PlainTextResponse(translated.text + "\n")
    if response_format in SUBTITLES:
        phrases = [
            Phrase(s.start_s, s.end_s, s.text, None, translated.language)
            for s in translated.segments
        ]
        return subtitle_response(response_format, lay_out(phrases), translated.language, warnings)
    body: dict[str, Any] = {"text": translated.text}
    if response_format == "verbose_json":
        body |= _verbose(translated, audio)
    body |= {
        "languages": translated.spoken,
        "translated_by": [*translated.by],
        "pivot": translated.pivot,
        "usage": usage_json(audio.duration_s),
    }
    if warnings:
        body["warnings"] = warnings_json(warnings)
    return JSONResponse(body)


def _verbose(translated: Translated, audio: Audio) -> Mapping[str, Any]:
    segments = [
        segment_json(number, segment, translated.language)
        for number, segment in enumerate(translated.segments)
    ]
    return {
        "task": "translate",
        "language": translated.language,
        "duration": round(audio.duration_s, 3),
        "segments": segments,
    }
