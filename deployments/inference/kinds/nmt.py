"""A translation model as ``/v2`` serves it: texts in, their translations out."""

from __future__ import annotations

from deployments.batching.concurrency import all_of
from deployments.catalogue.language_pairs import Route
from deployments.graph.bounds import MAX_BEAM_SIZE
from deployments.graph.context import Context
from deployments.graph.text_options import TextOptions
from deployments.inference.kinds.base import Served, Wanted, check_texts, required, text_spec
from deployments.inference.rows import Rows, text_tensor
from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import Tensor


class Nmt(Served):
    """Translates each row from and to languages of its own."""

    kind = "nmt"
    signature = Signature(
        inputs=(
            text_spec("TEXT"),
            text_spec("SOURCE_LANGUAGE"),
            text_spec("TARGET_LANGUAGE"),
            TensorSpec("BEAM_SIZE", "INT32", (1,), optional=True),
        ),
        outputs=(text_spec("TRANSLATION"),),
    )

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        texts = [text or "" for text in rows.texts("TEXT")]
        check_texts(texts, self._limits)
        beams = rows.numbers("BEAM_SIZE", 1, 1, MAX_BEAM_SIZE)
        routes = [
            self._route(required(source, "SOURCE_LANGUAGE"), required(target, "TARGET_LANGUAGE"))
            for source, target in zip(
                rows.languages("SOURCE_LANGUAGE"), rows.languages("TARGET_LANGUAGE"), strict=True
            )
        ]

        async def one(text: str, route: Route, beam: int) -> str:
            options = TextOptions(beam_size=beam)
            (translated,) = await self._pipeline.texts.translate([text], route, context, options)
            return translated.text

        models = (model for route in routes for model in route.models)
        with self._pipeline.stages.as_one(models, context):
            translated = await all_of(map(one, texts, routes, beams))
        return [text_tensor("TRANSLATION", translated)]

    def _route(self, source: str, target: str) -> Route:
        named = None if self.name == self.kind else self.name
        return self._pipeline.planner.text_translation(source, target, named)
