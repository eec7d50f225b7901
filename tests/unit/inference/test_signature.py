"""Whether a request fits its model, in Triton's words where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deployments.inference.signature import Signature, TensorSpec, check, config, metadata
from deployments.inference.tensors import InferRequest, RequestedOutput, Tensor
from models.errors import InvalidRequest

SIGNATURE = Signature(
    inputs=(
        TensorSpec("AUDIO", "FP32", (-1,), also=("INT16",)),
        TensorSpec("PAIR", "INT32", (2,), optional=True),
        TensorSpec("LANGUAGE", "BYTES", (1,), optional=True),
    ),
    outputs=(TensorSpec("SPANS", "FP32", (-1, 2)), TensorSpec("TEXT", "BYTES", (1,))),
)
TWO = Signature(
    (TensorSpec("A", "FP32", (1,)), TensorSpec("B", "FP32", (1,))), SIGNATURE.outputs
)  # both required


def tensor(name: str, datatype: str = "FP32", array: Any = None) -> Tensor:
    """By default two rows of three zeros."""
    return Tensor(name, datatype, np.zeros((2, 3), np.float32) if array is None else array)


def request_of(*inputs: Tensor, outputs: tuple[str, ...] = ()) -> InferRequest:
    wanted = tuple(RequestedOutput(name, True) for name in outputs) or None
    return InferRequest("", {}, {each.name: each for each in inputs}, wanted, False)


def rows_of(
    *inputs: Tensor, signature: Signature = SIGNATURE, outputs: tuple[str, ...] = ()
) -> int:
    return check(request_of(*inputs, outputs=outputs), "m", signature, 4)


AUDIO = tensor("AUDIO")
PAIR = tensor("PAIR", "INT32", np.zeros((2, 2), np.int32))


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param((AUDIO,), id="required only"),
        pytest.param((AUDIO, PAIR), id="optional, too"),
        pytest.param((tensor("AUDIO", "INT16", np.zeros((2, 0), np.int16)),), id="INT16, nothing"),
    ],
)
def test_the_rows_of_a_request_that_fits(inputs: tuple[Tensor, ...]) -> None:
    assert rows_of(*inputs, outputs=("TEXT",)) == 2


def test_as_many_rows_as_the_model_takes() -> None:
    assert rows_of(tensor("AUDIO", array=np.zeros((4, 1), np.float32))) == 4


NAN = np.array([[0, np.nan]], np.float32)
WRONG: dict[str, tuple[tuple[Tensor, ...], str]] = {
    "unexpected input": (
        (AUDIO, tensor("VIDEO")),
        "unexpected inference input 'VIDEO' for model 'm'; it has AUDIO, PAIR, LANGUAGE",
    ),
    "datatype": (
        (tensor("AUDIO", "FP64", np.zeros((1, 1))),),
        "inference input 'AUDIO' data-type is 'FP64', but model 'm' expects 'FP32'",
    ),
    "no rows in the shape": (
        (tensor("AUDIO", array=np.zeros(3, np.float32)),),
        "unexpected shape for input 'AUDIO' for model 'm'. Expected [-1,-1], got [3]",
    ),
    "no shape": (
        (tensor("AUDIO", array=np.zeros((), np.float32)),),
        "unexpected shape for input 'AUDIO' for model 'm'. Expected [-1,-1], got []",
    ),
    "fixed length": (
        (AUDIO, tensor("PAIR", "INT32", np.zeros((2, 3), np.int32))),
        "unexpected shape for input 'PAIR' for model 'm'. Expected [-1,2], got [2,3]",
    ),
    "rows that differ": (
        (AUDIO, tensor("PAIR", "INT32", np.zeros((1, 2), np.int32))),
        "input 'PAIR' batch size does not match other inputs for 'm': expected 2, got 1",
    ),
    "too many rows": (
        (tensor("AUDIO", array=np.zeros((5, 1), np.float32)),),
        "inference request batch-size must be <= 4 for 'm'",
    ),
    "no rows": (
        (tensor("AUDIO", array=np.zeros((0, 1), np.float32)),),
        "inference request batch-size must be >= 1 for 'm'",
    ),
    "NaN": (
        (tensor("AUDIO", array=NAN),),
        "input 'AUDIO' for model 'm' must be finite, got NaN or infinity",
    ),
    "infinity": (
        (tensor("AUDIO", array=np.full((1, 1), -np.inf, np.float32)),),
        "input 'AUDIO' for model 'm' must be finite, got NaN or infinity",
    ),
    "missing, others optional": (
        (PAIR,),
        "expected number of inputs between 1 and 3 but got 1 inputs for model 'm'. "
        "Got input(s) ['PAIR'], but missing required input(s) ['AUDIO']. "
        "Please provide all required input(s).",
    ),
}


@pytest.mark.parametrize(("inputs", "says"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_said_as_triton_says_it(inputs: tuple[Tensor, ...], says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rows_of(*inputs)
    assert caught.value.message == says


@pytest.mark.parametrize(
    ("inputs", "got", "missing"),
    [
        pytest.param((), "got 0 inputs for model 'm'. Got input(s) []", "['A','B']", id="all"),
        pytest.param(
            (tensor("B"),), "got 1 inputs for model 'm'. Got input(s) ['B']", "['A']", id="one"
        ),
    ],
)
def test_missing_inputs_are_listed(inputs: tuple[Tensor, ...], got: str, missing: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rows_of(*inputs, signature=TWO)
    assert caught.value.message == (
        f"expected 2 inputs but {got}, but missing required input(s) {missing}. "
        "Please provide all required input(s)."
    )


def test_an_unknown_output_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        rows_of(AUDIO, outputs=("TEXT", "IMAGE"))
    assert caught.value.message == (
        "unexpected inference output 'IMAGE' for model 'm'; it has SPANS, TEXT"
    )


@pytest.mark.parametrize(
    ("signature", "name"),
    [pytest.param(SIGNATURE, "AUDIO", id="one required"), pytest.param(TWO, None, id="two")],
)
def test_only_one_required_input_can_be_raw(signature: Signature, name: str | None) -> None:
    assert (signature.raw_input and signature.raw_input.name) == name


def test_metadata_has_the_rows_in_its_shapes() -> None:
    assert metadata(SIGNATURE.outputs) == [
        {"name": "SPANS", "datatype": "FP32", "shape": [-1, -1, 2]},
        {"name": "TEXT", "datatype": "BYTES", "shape": [-1, 1]},
    ]


def test_the_configuration_has_no_rows_in_its_dims() -> None:
    assert config(SIGNATURE.inputs) == [
        {"name": "AUDIO", "data_type": "TYPE_FP32", "dims": [-1]},
        {"name": "PAIR", "data_type": "TYPE_INT32", "dims": [2], "optional": True},
        {"name": "LANGUAGE", "data_type": "TYPE_STRING", "dims": [1], "optional": True},
    ]
