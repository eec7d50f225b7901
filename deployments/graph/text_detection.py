"""Tell the languages of texts, and translate texts whose language nobody named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock

from deployments.batching.concurrency import all_of
from deployments.catalogue.language_pairs import Route
from deployments.graph.codecs import Codecs
from deployments.graph.context import Context
from deployments.graph.plan import Translating
from deployments.graph.text_options import GREEDY, TextOptions
from deployments.graph.text_translation import TextTranslator
from deployments.telemetry.log import logger
from models.errors import Unavailable, WeightsError
from models.text.detection import Language, LanguageDetector, Source, source_among
from models.types import AnswerWarning, Translation

LOADING = Lock()  # one model serves a process
UNSURE, UNTRANSLATED = "unsure_language", "untranslated"


@dataclass(frozen=True, slots=True)
class DetectedTranslation:
    """A text's translation from a detected language. ``source``: None: it is in no language."""

    text: str
    source: Language | None
    pivot: str | None = None
    warnings: tuple[AnswerWarning, ...] = ()


class TextDetector:
    """Tells the languages of texts. The model is loaded with the first request that needs it."""

    def __init__(self, codecs: Codecs) -> None:
        self._codecs = codecs

    async def languages(self, texts: Sequence[str], context: Context) -> list[tuple[Language, ...]]:
        """List for each text the languages that it may be in, the likeliest first.

        Raises:
            Unavailable: the model is not installed.
        """

        def detect() -> list[tuple[Language, ...]]:
            with LOADING:
                detector = _detector()
            return [detector.languages(text) for text in texts]

        with context.timings.stage("detect"):
            return await self._codecs.run(detect, context.deadline, context.caller)


@cache
def _detector() -> LanguageDetector:
    try:
        return LanguageDetector()
    except (ImportError, WeightsError) as error:
        logger.error("the languages of texts cannot be told: %s", error)
        message = "the languages of texts cannot be told here: name source_language"
        raise Unavailable(message) from error


class DetectingTranslator:
    """Translates texts, each from its own language."""

    def __init__(self, detector: TextDetector, translator: TextTranslator) -> None:
        self._detector = detector
        self._translator = translator

    async def translate(
        self,
        originals: Sequence[str],
        translating: Translating,
        context: Context,
        options: TextOptions = GREEDY,
    ) -> list[DetectedTranslation]:
        """Return each text's translation. What no model translates is passed on, and says so.

        Raises:
            UnsupportedPair: no model translates any of the texts.
            Unavailable: a model is missing that might.
        """
        target = translating.target
        candidates = translating.routes.sources(target)
        found = await self._detector.languages(originals, context)
        sources = [source_among(languages, candidates, target) for languages in found]
        routes = [_route(source, translating) for source in sources]
        foreign = [each.language.code for each in sources if each is not None and each.is_foreign]
        if foreign and len(foreign) == sum(source is not None for source in sources):
            raise translating.routes.unsupported(foreign[0], target)

        async def one(
            original: str, source: Source | None, route: Route | None
        ) -> DetectedTranslation:
            if route is None or source is None:
                return _passed_on(original, source, target)
            (translated,) = await self._translator.translate([original], route, context, options)
            return _from_detected(translated, source, route.pivot)

        rows = await all_of(map(one, originals, sources, routes))
        context.warnings.extend(dict.fromkeys(w for row in rows for w in row.warnings))
        return rows


def _route(source: Source | None, translating: Translating) -> Route | None:
    return None if source is None else translating.route_from(source.language.code)


def _passed_on(original: str, source: Source | None, target: str) -> DetectedTranslation:
    warnings: tuple[AnswerWarning, ...]
    if source is None:
        why = "this has no letters, so it is in no language; it is passed on as it is"
        warnings = (AnswerWarning(UNTRANSLATED, why),) if original.strip() else ()
        return DetectedTranslation(original, None, warnings=warnings)
    code = source.language.code
    why = f"this is in {code}, which no model here translates to {target}"
    if code == target:
        why = f"this is in {target} already"
    warnings = (AnswerWarning(UNTRANSLATED, f"{why}; it is passed on as it is"), *_doubts(source))
    return DetectedTranslation(original, source.language, warnings=warnings)


def _from_detected(
    translated: Translation, source: Source, pivot: str | None
) -> DetectedTranslation:
    warnings = (*_doubts(source), *translated.warnings)
    return DetectedTranslation(translated.text, source.language, pivot, warnings)


def _doubts(source: Source) -> tuple[AnswerWarning, ...]:
    if source.maybe is None:
        return ()
    code = source.language.code
    message = f"this was taken for {code}, and may be in {source.maybe}: name source_language"
    return (AnswerWarning(UNSURE, message),)
