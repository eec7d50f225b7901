"""A fake network of named tensors: what the tests of its batching and of ``/v2`` ask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import Unprocessable
from models.runtime import Engine, RuntimeSpec, TensorInfo
from models.types import TensorsItem, TensorsResult
from tests.support.fakes import Fake, Options

FAKE_TENSORS = "tests.support.named_tensors:FakeTensors"
FORBIDDEN = -1.0  # a value that it fails on


class FakeTensors(Fake[TensorsItem, TensorsResult]):
    """Add up the values of a row, give its note back, and repeat its count so many times."""

    engine = Engine("tensors", Options, needs_weights=False)
    id = "fake-tensors"

    def spec(self) -> RuntimeSpec:
        return RuntimeSpec(
            "tensors",
            "fake-tensors",
            "none",
            "none",
            inputs=(
                TensorInfo("values", "FP32", (-1,)),
                TensorInfo("note", "BYTES", (1,)),
                TensorInfo("count", "INT64", ()),
            ),
            outputs=(
                TensorInfo("sum", "FP32", ()),
                TensorInfo("note", "BYTES", (1,)),
                TensorInfo("counted", "INT64", (-1,)),
            ),
        )

    def answer(self, item: TensorsItem) -> TensorsResult:
        values, count = item.inputs["values"], int(item.inputs["count"])
        if FORBIDDEN in values:
            raise Unprocessable("it cannot compute this row")
        return TensorsResult(
            {
                "sum": np.asarray(values.sum(), np.float32),
                "note": item.inputs["note"],
                "counted": np.full(count, count),
            }
        )


def strings(*values: bytes) -> NDArray[Any]:
    """An array of strings as a row has them."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
