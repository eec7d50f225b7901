"""Translate texts of any length, sentence by sentence, by every hop of a route."""

from __future__ import annotations

from collections.abc import Sequence

from deployments.batching.concurrency import all_of
from deployments.catalogue.language_pairs import Route
from deployments.graph.context import Context
from deployments.graph.stages import StageRunner
from deployments.graph.text_options import GREEDY, TextOptions
from deployments.graph.text_terms import hops_with_terms, whole_passages
from models.text.doubts import joined, terms_unused
from models.text.sentences import split
from models.types import AnswerWarning, NmtItem, Translation


class TextTranslator:
    """Translates with the models of a route; sentences of all texts share batches."""

    def __init__(self, stages: StageRunner) -> None:
        self._stages = stages

    async def translate(
        self,
        originals: Sequence[str],
        route: Route,
        context: Context,
        options: TextOptions = GREEDY,
    ) -> list[Translation]:
        """Return each text's translation, with what is doubtful in any of its sentences."""

        async def one(original: str) -> Translation:
            pieces = split(
                original, route.source, whole=whole_passages(original, route, options.glossary)
            )
            translated = await all_of(
                self.translate_sentence(sentence, route, context, options)
                for sentence in pieces.sentences
            )
            text = pieces.join([each.text for each in translated], route.target)
            warnings = joined(each.warnings for each in translated)
            return Translation(text, route.source, route.target, warnings)

        translations = await all_of(map(one, originals))
        context.warnings.extend(joined(each.warnings for each in translations))
        return translations

    async def translate_sentence(
        self, text: str, route: Route, context: Context, options: TextOptions = GREEDY
    ) -> Translation:
        """Translate by every hop of a route; what is doubtful in any hop is so in the last."""
        warnings: list[tuple[AnswerWarning, ...]] = []
        for hop, terms in hops_with_terms(text, route, options.glossary):
            if terms and not hop.model.spec.takes_terms:
                warnings.append((terms_unused(hop.model.name),))
                terms = ()
            item = NmtItem(
                text,
                hop.source,
                hop.target,
                options.beam_size,
                options.length_penalty,
                options.max_tokens,
                terms=terms,
            )
            translation: Translation = await self._stages.run("nmt", hop.model, item, context)
            text = translation.text
            warnings.append(translation.warnings)
        return Translation(text, route.source, route.target, joined(warnings))
