"""``POST /v1/text/translations``: texts of a named language, or of any, to texts in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.graph.bounds import MAX_BEAM_SIZE, check_text_length
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import Translating
from deployments.graph.text_detection import DetectingTranslator, TextDetector
from deployments.graph.text_options import TextOptions
from deployments.http.failed_requests import counted
from deployments.http.glossary_fields import AskedGlossary, Glossaries
from deployments.http.parsing import (
    DetectedLanguage,
    Fields,
    Language,
    Text,
    context_of,
    json_fields,
    timed,
    warnings_json,
)
from deployments.telemetry import usage
from models.errors import InvalidRequest, TooLarge
from models.text.detection import Language as DetectedTextLanguage


class TextTranslationFields(Fields):
    text: Text | list[Text]
    source_language: DetectedLanguage = None  # None: as each text is
    target_language: Language
    beam_size: Annotated[int, Field(ge=1, le=MAX_BEAM_SIZE)] = 1
    length_penalty: Annotated[float, Field(ge=0, le=2)] = 1.0
    max_tokens: Annotated[int, Field(ge=1, le=1024)] | None = None
    glossary: AskedGlossary | None = None


class TextTranslationEndpoint:
    """Translates texts over one pipeline."""

    def __init__(
        self, pipeline: Pipeline, limits: Limits, glossaries: Glossaries | None = None
    ) -> None:
        self._pipeline = pipeline
        self._limits = limits
        self._glossaries = glossaries or Glossaries(None)
        self._detecting = DetectingTranslator(TextDetector(pipeline.codecs), pipeline.texts)

    def route(self) -> Route:
        """Return the endpoint's path, whose refusals count for a translation model."""
        handler = counted(self._pipeline.fleet, "nmt", self.translate)
        return Route("/v1/text/translations", handler, methods=["POST"])

    async def translate(self, request: Request) -> Response:
        """Answer with one translation for each text."""
        context = context_of(request, self._limits)
        fields = await json_fields(request, TextTranslationFields, self._limits)
        originals = texts_of(fields.text, self._limits)
        glossary = await self._glossaries.find(request.scope, fields.glossary)
        options = TextOptions(fields.beam_size, fields.length_penalty, fields.max_tokens, glossary)
        if fields.source_language is None:
            rows = await self._detected(originals, fields.target_language, options, context)
        else:
            rows = await self._named(originals, fields, options, context, request)
        body = {"translations": rows, "timings": context.timings.as_json()}
        return timed(JSONResponse(body), context)

    async def _named(
        self,
        originals: Sequence[str],
        fields: TextTranslationFields,
        options: TextOptions,
        context: Context,
        request: Request,
    ) -> list[dict[str, Any]]:
        """Translate texts from the language that the request names."""
        source, target = str(fields.source_language), fields.target_language
        route = self._pipeline.planner.text_translation(source, target)
        request.state.meant.name = route.hops[0].model.name
        translated = await self._pipeline.texts.translate(originals, route, context, options)
        return [
            {
                "text": each.text,
                "source_language": source,
                "target_language": target,
                "pivot": route.pivot,
                "warnings": warnings_json(each.warnings),
            }
            for each in translated
        ]

    async def _detected(
        self, originals: Sequence[str], target: str, options: TextOptions, context: Context
    ) -> list[dict[str, Any]]:
        """Translate texts, each from the language that it is found to be in."""
        plan = Translating(target, self._pipeline.fleet.routes_to(target))
        translated = await self._detecting.translate(originals, plan, context, options)
        return [
            {
                "text": each.text,
                "source_language": each.source and each.source.code,
                "source_language_probability": probability_json(each.source),
                "target_language": target,
                "pivot": each.pivot,
                "warnings": warnings_json(each.warnings),
            }
            for each in translated
        ]


def texts_of(text: str | list[str], limits: Limits) -> list[str]:
    """Return the texts of a request, once they are known to be few and short enough."""
    originals = [text] if isinstance(text, str) else text
    if not originals:
        raise InvalidRequest("text must hold at least one text", param="text")
    if len(originals) > limits.max_texts:
        raise TooLarge(f"text must hold at most {limits.max_texts} texts", param="text")
    length_chars = sum(map(len, originals))
    check_text_length(length_chars, limits, param="text")
    usage.read(length_chars)
    return originals


def probability_json(language: DetectedTextLanguage | None) -> float:
    """Show the probability of a language; that of none is 0."""
    return 0.0 if language is None else round(language.probability, 4)
