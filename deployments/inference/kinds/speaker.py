"""A speaker model as ``/v2`` serves it: clips in, embeddings of their voices out."""

from __future__ import annotations

from functools import cache

import numpy as np

from deployments.graph.context import Context
from deployments.inference.kinds.base import AUDIO_INPUTS, Served, Wanted
from deployments.inference.rows import Rows
from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import Tensor
from models.types import SpeakerItem


class Speaker(Served):
    """Embeds clips as they are."""

    kind = "speaker"

    @property
    def signature(self) -> Signature:  # type: ignore[override]
        names = (self.name,) if self.name in self._config.models else self.steps
        known = self._fleet.follower.known(names[0])
        return _of_embeddings((known and known.spec.embedding_size) or -1)

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        model = self.model
        items = [SpeakerItem(each.samples) for each in await self._at_16_khz(rows, context)]
        prints = await self._pipeline.stages.run_all("speaker", model, items, context)
        rows_of = [each.embedding for each in prints]
        array = rows_of[0][np.newaxis] if len(rows_of) == 1 else np.stack(rows_of)
        return [Tensor("EMBEDDING", "FP32", array)]


@cache
def _of_embeddings(size: int) -> Signature:
    return Signature(AUDIO_INPUTS, (TensorSpec("EMBEDDING", "FP32", (size,)),))
