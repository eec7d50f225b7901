"""``POST /v1/text/detections``: the languages that texts are in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployments.config.schema import Limits
from deployments.graph.pipeline import Pipeline
from deployments.graph.sentences import UNSURE_LANGUAGE, UNSURE_PROBABILITY
from deployments.graph.text_detection import TextDetector
from deployments.http.parsing import Fields, Text, context_of, json_fields, timed, warnings_json
from deployments.http.v1.text import probability_json, texts_of
from models.text.detection import Language
from models.types import AnswerWarning

LISTED = 5  # languages of one text: the others are hardly likely
NO_LETTERS = AnswerWarning("no_letters", "this has no letters, so it is in no language")


class TextDetectionFields(Fields):
    text: Text | list[Text]


class TextDetectionEndpoint:
    """Tells the languages of texts over one pipeline."""

    def __init__(self, pipeline: Pipeline, limits: Limits) -> None:
        self._detector = TextDetector(pipeline.codecs)
        self._limits = limits

    def route(self) -> Route:
        """Return the endpoint's path."""
        return Route("/v1/text/detections", self.detect, methods=["POST"])

    async def detect(self, request: Request) -> Response:
        """Answer with the languages that each text may be in."""
        context = context_of(request, self._limits)
        fields = await json_fields(request, TextDetectionFields, self._limits)
        texts = texts_of(fields.text, self._limits)
        found = await self._detector.languages(texts, context)
        body = {"detections": list(map(_row, found)), "timings": context.timings.as_json()}
        return timed(JSONResponse(body), context)


def _row(languages: Sequence[Language]) -> dict[str, Any]:
    best = languages[0] if languages else None
    warnings = [NO_LETTERS] if best is None else []
    if best is not None and best.probability < UNSURE_PROBABILITY:
        warnings = [UNSURE_LANGUAGE]
    return {
        "language": best and best.code,
        "probability": probability_json(best),
        "languages": [
            {"language": each.code, "probability": probability_json(each)}
            for each in languages[:LISTED]
        ],
        "warnings": warnings_json(warnings),
    }
