"""Rows through a network: equal shapes together, each its own error, none changed by others."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models.errors import InvalidRequest, Unprocessable, WeightsError
from models.runtime import ItemError, TensorInfo
from models.tensors.batches import Arrays, RowBatches
from models.types import TensorsItem, TensorsResult

X = TensorInfo("x", "FP32", (-1,), any_length=3)
Y = TensorInfo("y", "FP32", (-1,))
BAD = 7.0  # a value that networks here fail on


class Network:
    """Doubles its input, and remembers the shapes that it was run with."""

    def __init__(self, change: Callable[[Any], Any] = lambda x: x * 2) -> None:
        self.change = change
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, arrays: Arrays) -> Arrays:
        self.shapes.append(arrays["x"].shape)
        if BAD in arrays["x"]:
            raise RuntimeError(f"secret.py, line 1:\n index {BAD} is out of range")
        return {"y": self.change(arrays["x"])}


def batches(network: Network, *, alone: bool = False, output: TensorInfo = Y) -> RowBatches:
    return RowBatches("m", [X], [output], network, alone=alone)


def row(*values: float) -> TensorsItem:
    return TensorsItem({"x": np.array(values, np.float32)})


def answers(found: list[TensorsResult | ItemError]) -> list[Any]:
    return [
        type(each.error) if isinstance(each, ItemError) else each.outputs["y"].tolist()
        for each in found
    ]


def test_rows_of_one_shape_go_together() -> None:
    network = Network()
    found = batches(network).run([row(1), row(1, 2), row(3), row(4, 5)])
    assert answers(found) == [[2], [2, 4], [6], [8, 10]]
    assert network.shapes == [(2, 1), (2, 2)]


def test_a_model_of_one_row_runs_them_one_by_one() -> None:
    network = Network()
    assert answers(batches(network, alone=True).run([row(1), row(2)])) == [[2], [4]]
    assert network.shapes == [(1, 1), (1, 1)]


def test_no_rows_have_no_answers() -> None:
    assert batches(Network()).run([]) == []


def test_a_row_that_does_not_fit_is_refused_alone() -> None:
    found = batches(Network()).run([row(1), TensorsItem({}), row(2)])
    assert answers(found) == [[2], InvalidRequest, [4]]


def test_a_row_that_the_network_fails_on_is_refused_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = batches(Network()).run([row(1), row(BAD), row(2)])
    assert answers(found) == [[2], Unprocessable, [4]]
    refused = found[1]
    assert isinstance(refused, ItemError)
    assert "secret" not in refused.error.message  # whose text is for the log
    assert "secret.py" in caplog.text


@pytest.mark.parametrize(
    "message", ["CUDA out of memory", "CUDA error: device-side assert triggered"]
)
def test_what_concerns_the_whole_replica_fails_the_batch(message: str) -> None:
    def fail(x: Any) -> Any:
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="CUDA"):
        batches(Network(fail)).run([row(1)])


WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no rows": (lambda x: x.sum(), "output 'y' has the shape"),
    "rows summed up": (lambda x: x.sum(0, keepdims=True), "output 'y' has the shape"),
    "rows behind": (lambda x: x.T, "output 'y' has the shape"),
    "another type": (lambda x: x.astype(np.float64), "output 'y' is float64, not FP32"),
    "another rank": (lambda x: x[..., None], "output 'y' has the shape"),
    "a row of the others": (lambda x: x - x.mean(0), "beside other rows than alone"),
    "the row before": (lambda x: np.roll(x, 1, 0), "beside other rows than alone"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_a_warm_up_refuses(change: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        batches(Network(change)).warm_up()


def test_labels_that_other_rows_change_are_refused() -> None:
    labels = TensorInfo("y", "INT64", ())
    network = Network(lambda x: np.arange(len(x)))
    with pytest.raises(WeightsError, match="rows: alone"):
        batches(network, output=labels).warm_up()
    batches(network, output=labels, alone=True).warm_up()


TOLD: dict[str, tuple[Callable[[Any], Any], str]] = {
    "small changes": (lambda x: x * (1 + 0.01 * (len(x) > 1)), "changes by 1.0% beside"),
    "chance": (
        lambda x: np.random.default_rng().random(x.shape, np.float32),
        "differs from run to run",
    ),
}


@pytest.mark.parametrize(("change", "message"), TOLD.values(), ids=TOLD)
def test_a_warm_up_tells(
    change: Callable[[Any], Any], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dragoman"):
        batches(Network(lambda x: change(x).astype(np.float32))).warm_up()
    assert message in caplog.text


def test_a_network_that_takes_no_made_rows_is_not_warmed_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def picky(x: Any) -> Any:
        raise RuntimeError("values must be primes")

    batches(Network(picky)).warm_up()
    assert "values must be primes" in caplog.text


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_pass(value: float) -> None:
    network = Network(lambda x: np.full_like(x, value))
    batches(network).warm_up()
    assert str(answers(batches(network).run([row(1)]))) == f"[[{value}]]"


def test_an_output_that_is_missing_is_named() -> None:
    (found,) = batches(Network(), output=TensorInfo("z", "FP32", (-1,))).run([row(1)])
    assert isinstance(found, ItemError)
    assert "output 'z' is missing; there are y" in found.error.message
