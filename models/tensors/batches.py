"""Run rows through anybody's network: equal shapes together, and each row's own error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.devices.device import is_out_of_memory
from models.errors import DragomanError, InvalidRequest, Unprocessable, WeightsError
from models.runtime import ItemError, TensorInfo
from models.tensors.comparing import APART, close, distance
from models.tensors.signature import DTYPES, fits, made_row, wrong_row
from models.types import TensorsItem, TensorsResult

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
MADE_ROWS = 3  # of a warm-up
TOLD_CHARACTERS = 300  # of a library's message
# Parts of errors, in lower case, after which nothing more runs on the GPU in this process.
GPU_LOST = ("cuda error", "cuda failure", "cudnn failure", "cublas failure", "device-side assert")

_logger = logging.getLogger("dragoman")


class WrongOutput(Exception):
    """Say which output of a network is not what its signature says."""


class RowBatches:
    """The rows of batches, and a network that takes equal ones together.

    Args:
        name: of the model.
        inputs, outputs: its signature.
        forward: runs arrays [rows, ...] by name.
        alone: whether it takes one row at a time.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        forward: Callable[[Arrays], Arrays],
        *,
        alone: bool,
    ) -> None:
        self._name, self._inputs, self._outputs = name, inputs, outputs
        self._forward, self._is_alone = forward, alone

    def run(self, batch: Sequence[TensorsItem]) -> list[TensorsResult | ItemError]:
        """Answer each row.

        A row that does not fit the signature gets ``ItemError(InvalidRequest)``, and one that the
        network fails on ``ItemError(Unprocessable)``; its neighbours are run without it.
        """
        answers: list[TensorsResult | ItemError] = []
        together: dict[Any, list[int]] = {}  # of each shape, the rows that have it
        for index, item in enumerate(batch):
            if wrong := wrong_row(item, self._inputs):
                answers.append(ItemError(InvalidRequest(wrong[1], param=wrong[0])))
                continue
            together.setdefault(index if self._is_alone else item.shapes, []).append(index)
            answers.append(TensorsResult({}))
        for indices in together.values():
            found = self._part([batch[index] for index in indices])
            for index, answer in zip(indices, found, strict=True):
                answers[index] = answer
        return answers

    def _part(self, items: Sequence[TensorsItem]) -> list[TensorsResult | ItemError]:
        try:
            return [*self._together(items)]
        except Exception as error:
            if is_out_of_memory(error) or is_gpu_lost(error):
                raise
            if len(items) == 1:
                return [ItemError(self._refusal(error))]
        return [answer for item in items for answer in self._part([item])]

    def _refusal(self, error: Exception) -> DragomanError:
        if isinstance(error, DragomanError):
            return error
        if isinstance(error, WrongOutput):
            return Unprocessable(str(error))
        # What a library says may tell of files and code of this machine.
        _logger.warning("model %r failed on a row: %s", self._name, told(error))
        return Unprocessable(
            f"model {self._name!r} cannot compute this row: its network failed on these inputs; "
            "the server's log says why"
        )

    def _together(self, items: Sequence[TensorsItem]) -> list[TensorsResult]:
        stacked = {
            info.name: np.stack([item.inputs[info.name] for item in items]) for info in self._inputs
        }
        found = self._forward(stacked)
        for info in self._outputs:
            self._check(info, found, len(items))
        return [
            TensorsResult({info.name: found[info.name][row, ...] for info in self._outputs})
            for row in range(len(items))
        ]

    def _check(self, info: TensorInfo, found: Arrays, rows: int) -> None:
        """Raise WrongOutput: an output is missing, or has another type or shape."""
        where, array = f"model {self._name!r}: output {info.name!r}", found.get(info.name)
        if array is None:
            raise WrongOutput(f"{where} is missing; there are {', '.join(found)}")
        if array.dtype != DTYPES[info.datatype]:
            raise WrongOutput(f"{where} is {array.dtype}, not {info.datatype}")
        if array.ndim == 0 or array.shape[0] != rows:
            raise WrongOutput(
                f"{where} has the shape {list(array.shape)} for {_counted(rows)}: its first "
                "dimension must be that of the rows"
            )
        if not fits(info.dims, array.shape[1:]):
            wanted, got = [-1, *info.dims], list(array.shape)
            raise WrongOutput(f"{where} has the shape {got}, not {wanted}")

    # ---- warm-up ---------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Run made rows alone and together, and compare their answers.

        Raises:
            WeightsError: an output is not what the signature says, or rows change each other.
        """
        rows = [made_row(self._inputs, number) for number in range(MADE_ROWS)]
        try:
            alone = [self._together([row])[0].outputs for row in rows]
            again = self._together(rows[:1])[0].outputs
        except WrongOutput as error:
            raise WeightsError(str(error)) from error
        except Exception as error:
            if is_out_of_memory(error) or is_gpu_lost(error):
                raise
            self._tell(
                "no warm-up, as it fails on made inputs; where it wants longer ones, set "
                f"options.any_length: {told(error)}"
            )
            return
        if not self._is_alone:
            self._compare(alone, again, self._made_together(rows))

    def _made_together(self, rows: Sequence[TensorsItem]) -> list[Arrays]:
        try:
            return [result.outputs for result in self._together(rows)]
        except Exception as error:
            if is_out_of_memory(error) or is_gpu_lost(error):
                raise
            what = str(error) if isinstance(error, WrongOutput) else told(error)
            raise self._not_together(
                f"it takes a row alone, but not {len(rows)}: {what}"
            ) from error

    def _compare(self, alone: Sequence[Arrays], again: Arrays, together: Sequence[Arrays]) -> None:
        once = distance(alone[0], again)
        for info in self._outputs:
            name, limit = info.name, close(info.datatype)
            if once[name] > limit:
                self._tell(
                    f"output {name!r} differs from run to run, so nobody can tell whether rows "
                    "change each other"
                )
                continue
            apart = max(distance(a, b)[name] for a, b in zip(alone, together, strict=True))
            if apart > APART:
                raise self._not_together(
                    f"output {name!r} of a row is another beside other rows than alone"
                )
            if apart > limit:
                self._tell(f"output {name!r} of a row changes by {apart:.1%} beside other rows")

    def _not_together(self, what: str) -> WeightsError:
        return WeightsError(
            f"model {self._name!r}: {what}. Export it so that its first dimension is that of "
            "independent rows, or let it run them one by one (options: {rows: alone})"
        )

    def _tell(self, what: str) -> None:
        _logger.warning("model %r: %s", self._name, what)


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"


def is_gpu_lost(error: BaseException) -> bool:
    """Tell whether nothing more will run on the GPU in this process."""
    said = str(error).lower()
    return any(text in said for text in GPU_LOST)


def told(error: BaseException) -> str:
    """Return the beginning of what a library says, in one line."""
    said = " ".join(str(error).split())
    # TorchScript says first where in the code it was, and last what went wrong.
    return said if len(said) <= TOLD_CHARACTERS else f"... {said[-TOLD_CHARACTERS:]}"
