"""``POST /v1/text/translations``: texts in one language to texts in another."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import TextOptions
from deployments.http.failed_requests import counted
from deployments.http.parsing import (
    MAX_BEAM_SIZE,
    Fields,
    Language,
    Text,
    check_text_length,
    context_of,
    json_fields,
    timed,
    warnings_json,
)
from deployments.telemetry import usage
from models.errors import InvalidRequest, TooLarge


class TextTranslationFields(Fields):
    text: Text | list[Text]
    source_language: Language
    target_language: Language
    beam_size: Annotated[int, Field(ge=1, le=MAX_BEAM_SIZE)] = 1
    length_penalty: Annotated[float, Field(ge=0, le=2)] = 1.0
    max_tokens: Annotated[int, Field(ge=1, le=1024)] | None = None


class TextTranslationEndpoint:
    """Translates texts over one pipeline."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._pipeline = pipeline
        self._limits = limits

    def route(self) -> Route:
        """Return the endpoint's path, whose refusals count for a translation model."""
        handler = counted(self._pipeline.fleet, "nmt", self.translate)
        return Route("/v1/text/translations", handler, methods=["POST"])

    async def translate(self, request: Request) -> Response:
        """Answer with one translation for each text."""
        context = context_of(request, self._limits)
        fields = await json_fields(request, TextTranslationFields, self._limits)
        originals = self._originals(fields)
        source, target = fields.source_language, fields.target_language
        route = self._pipeline.planner.text_translation(source, target)
        request.state.meant.name = route.hops[0].model.name
        options = TextOptions(fields.beam_size, fields.length_penalty, fields.max_tokens)
        translated = await self._pipeline.texts.translate(originals, route, context, options)
        rows = [
            {
                "text": each.text,
                "source_language": source,
                "target_language": target,
                "pivot": route.pivot,
                "warnings": warnings_json(each.warnings),
            }
            for each in translated
        ]
        body = {"translations": rows, "timings": context.timings.as_json()}
        return timed(JSONResponse(body), context)

    def _originals(self, fields: TextTranslationFields) -> list[str]:
        """Return the texts of a request, once they are known to be few and short enough."""
        originals = [fields.text] if isinstance(fields.text, str) else fields.text
        if not originals:
            raise InvalidRequest("text must hold at least one text", param="text")
        if len(originals) > self._limits.max_texts:
            raise TooLarge(f"text must hold at most {self._limits.max_texts} texts", param="text")
        length_chars = sum(map(len, originals))
        check_text_length(length_chars, self._limits, param="text")
        usage.read(length_chars)
        return originals
