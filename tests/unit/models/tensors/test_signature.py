"""Named tensors in the configuration, and rows that fit them or do not."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from deployments.config.options import checked_options
from deployments.inference.tensors import DTYPES as OF_PROTOCOL
from models.runtime import TensorInfo
from models.tensors.signature import DTYPES, DataType, TensorOption, made_row, wrong_row
from models.types import TensorsItem

X = {"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 3]}
Y = {"name": "y", "data_type": "TYPE_INT64", "dims": []}
INFO = (TensorInfo("x", "FP32", (-1, 3)), TensorInfo("s", "BYTES", (1,)))
TEXT = np.array([b"t"], object)


def test_every_datatype_of_the_protocol_can_be_named() -> None:
    named = {TensorOption("x", each, ()).datatype for each in get_args(DataType)}
    assert named == set(DTYPES) == set(OF_PROTOCOL)


def test_tensors_are_named_in_triton_s_words() -> None:
    options = checked_options("torchscript", {"inputs": [X], "outputs": [Y]})
    (named,) = options.inputs
    assert named.info(7) == TensorInfo("x", "FP32", (-1, 3), any_length=7)


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown type": ("onnx", {"inputs": [X | {"data_type": "FP32"}]}, "inputs.0.data_type"),
    "an unknown key": ("onnx", {"inputs": [X | {"shape": [1]}]}, "inputs.0.shape"),
    "dims of 0": ("onnx", {"outputs": [X | {"dims": [0]}]}, "dims: at most 15, each above 0"),
    "too many dims": ("onnx", {"outputs": [X | {"dims": [1] * 16}]}, "dims: at most 15"),
    "an empty name": ("onnx", {"outputs": [X | {"name": ""}]}, "name: 1 to 128"),
    "a name twice": ("onnx", {"inputs": [X, X]}, "inputs: 'x' is there twice"),
    "no length": ("onnx", {"any_length": 0}, "any_length: at least 1"),
    "no inputs": ("torchscript", {"inputs": [], "outputs": [Y]}, "inputs: at least one"),
    "no outputs named": ("torchscript", {"inputs": [X]}, "outputs"),
    "strings": (
        "torchscript",
        {"inputs": [X | {"data_type": "TYPE_STRING"}], "outputs": [Y]},
        "inputs: TYPE_STRING is for onnx alone",
    ),
    "places and names": (
        "torchscript",
        {"inputs": [X, Y | {"name": "INPUT__1"}], "outputs": [Y]},
        "inputs: all names end with a place",
    ),
    "a place left out": (
        "torchscript",
        {"inputs": [X | {"name": "INPUT__1"}], "outputs": [Y]},
        "inputs: the places in their names must be __0",
    ),
}


@pytest.mark.parametrize(("engine", "options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_tensors_are_refused(engine: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        checked_options(engine, options)
    places = [".".join(map(str, error["loc"])) for error in refused.value.errors()]
    assert message in f"{places} {refused.value}"


ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "another input": ({"x": np.zeros((2, 3), np.float32), "s": TEXT, "z": TEXT}, "z"),
    "an input less": ({"x": np.zeros((2, 3), np.float32)}, "s"),
    "another type": ({"x": np.zeros((2, 3)), "s": TEXT}, "x"),
    "another shape": ({"x": np.zeros((2, 4), np.float32), "s": TEXT}, "x"),
    "a dimension less": ({"x": np.zeros(3, np.float32), "s": TEXT}, "x"),
}


@pytest.mark.parametrize(("row", "name"), ROWS.values(), ids=ROWS)
def test_a_row_that_does_not_fit_names_its_input(row: dict[str, Any], name: str) -> None:
    wrong = wrong_row(TensorsItem(row), INFO)
    assert wrong is not None
    assert (wrong[0], repr(name) in wrong[1]) == (name, True)


@pytest.mark.parametrize("datatype", DTYPES)
def test_made_rows_fit(datatype: str) -> None:
    inputs = [TensorInfo("x", datatype, (-1, 3), any_length=4)]
    rows = [made_row(inputs, number) for number in range(2)]
    assert [wrong_row(row, inputs) for row in rows] == [None, None]
    one, other = (row.inputs["x"] for row in rows)
    assert (one.shape, bool((one == other).all())) == ((4, 3), False)


def test_rows_of_one_shape_are_alike_and_equally_long() -> None:
    rows = [made_row(INFO, number) for number in range(2)]
    assert rows[0].shapes == rows[1].shapes
    assert rows[0].length == rows[1].length == 4
