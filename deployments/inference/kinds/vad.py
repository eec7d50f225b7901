"""A VAD model as ``/v2`` serves it: audio in, the spans of its speech out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deployments.graph.context import Context
from deployments.inference.kinds.base import AUDIO_INPUTS, Served, Wanted
from deployments.inference.rows import Rows, number_tensor, padded_tensor
from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import Tensor
from models.types import VadItem, VadResult


class Vad(Served):
    """Finds speech; a stream goes on from the state of the piece before."""

    kind = "vad"
    signature = Signature(
        inputs=(*AUDIO_INPUTS, TensorSpec("STATE", "FP32", (-1,), optional=True)),
        outputs=(
            TensorSpec("SPANS", "FP32", (-1, 2)),
            TensorSpec("SPAN_COUNT", "INT32", (1,)),
            TensorSpec("PROBABILITIES", "FP32", (-1,)),
            TensorSpec("STATE", "FP32", (-1,)),
        ),
    )

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        model, states = self.model, rows.vectors("STATE")
        audio = await self._at_16_khz(rows, context)
        items = [
            VadItem(each.samples, state=state) for each, state in zip(audio, states, strict=True)
        ]
        heard = await self._pipeline.stages.run_all("vad", model, items, context)
        spans = [[(span.start_s, span.end_s) for span in each.spans] for each in heard]
        return [
            padded_tensor("SPANS", [np.array(each, np.float32).reshape(-1, 2) for each in spans]),
            number_tensor("SPAN_COUNT", "INT32", [len(each) for each in spans]),
            padded_tensor("PROBABILITIES", [each.probabilities for each in heard]),
            padded_tensor("STATE", _states(heard)),
        ]


def _states(heard: Sequence[VadResult]) -> list[NDArray[np.float32]]:
    """Return the states to go on from; none at all where any row has ended its stream."""
    states = [each.state for each in heard]
    return states if all(map(len, states)) else [np.zeros(0, np.float32) for _ in states]
