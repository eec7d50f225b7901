"""A network that is no speech as ``/v2`` serves it: its own tensors in and out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from deployments.graph.context import Context
from deployments.inference.kinds.base import Served, Wanted
from deployments.inference.rows import Rows
from deployments.inference.signature import Signature, TensorSpec
from deployments.inference.tensors import Tensor
from models.errors import Unprocessable
from models.runtime import TensorInfo
from models.types import TensorsItem, TensorsResult

INLINE_BYTES = 1 << 18  # of outputs: few enough to copy on the event loop


class Tensors(Served):
    """Answers rows of the model's own signature, which is known once it has been loaded."""

    kind = "tensors"

    @property
    def signature(self) -> Signature:  # type: ignore[override]
        """Return what the model said when it was loaded last.

        Raises:
            NotReady, Unavailable: it was not loaded yet.
        """
        known = self._fleet.follower.known(self.name) or self.model
        return _signature(known.spec.inputs, known.spec.outputs)

    @property
    def is_known(self) -> bool:
        return self._fleet.follower.known(self.name) is not None

    async def _infer(self, rows: Rows, wanted: Wanted, context: Context) -> list[Tensor]:
        model = self.model
        items = [TensorsItem(row) for row in rows.arrays()]
        answers = await self._pipeline.stages.run_all("tensors", model, items, context)
        asked = [info for info in model.spec.outputs if wanted(info.name)]

        def work() -> list[Tensor]:
            return [_together(info, answers) for info in asked]

        size = sum([each.outputs[info.name].nbytes for each in answers for info in asked])
        if size <= INLINE_BYTES:
            return work()
        return await self._pipeline.codecs.run(work, context.deadline)


def _together(info: TensorInfo, answers: Sequence[TensorsResult]) -> Tensor:
    """Make one tensor of an output's rows. Raises Unprocessable: their shapes differ."""
    arrays = [answer.outputs[info.name] for answer in answers]
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        told = " and ".join(str(list(shape)) for shape in shapes[:2])
        raise Unprocessable(
            f"output '{info.name}' has rows of different shapes, such as {told}, which are no one "
            "tensor; send the rows one by one"
        )
    return Tensor(info.name, info.datatype, np.stack(arrays))


@cache
def _signature(inputs: tuple[TensorInfo, ...], outputs: tuple[TensorInfo, ...]) -> Signature:
    return Signature(_specs(inputs), _specs(outputs), is_finite=False)


def _specs(tensors: Sequence[TensorInfo]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(each.name, each.datatype, each.dims) for each in tensors)
