"""Tensors of every datatype in messages: raw and typed in, raw out, as NVIDIA's client has them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tritonclient.grpc import InferInput, InferResult, service_pb2

from deployments.grpc.infer_request import CONTENTS, cut, head_of, request_of
from deployments.grpc.infer_response import render
from deployments.grpc.messages import message
from deployments.inference.tensors import DTYPES, InferRequest, Tensor
from models.errors import InvalidRequest, TooLarge

MAX_BYTES = 1 << 20
VALUES: dict[str, Any] = {
    **{name: [0, 1, 2, 127] for name in DTYPES},
    "BOOL": [True, False, True, True],
    "BYTES": [b"", b"a", "é".encode(), b"\xff\0"],
    **{name: [0.0, 1.0, -2.5, 256.0] for name in ("FP16", "BF16", "FP32", "FP64")},
}
DATATYPES = pytest.mark.parametrize("datatype", DTYPES)


def array_of(datatype: str) -> Any:
    """Two rows of values, as a model computes with them."""
    if datatype == "BYTES":
        return np.array(VALUES[datatype], object).reshape(2, 2)
    kinds = {"BOOL": np.dtype(bool), "BF16": np.dtype(np.float32)}
    return np.array(VALUES[datatype], kinds.get(datatype, DTYPES[datatype])).reshape(2, 2)


def read(data: bytes) -> InferRequest:
    parts = cut(data)
    return request_of(parts, head_of(parts, MAX_BYTES))


def typed(datatype: str, values: Any, **fields: Any) -> bytes:
    request = message("ModelInferRequest")(**fields)
    each = request.inputs.add(name="X", datatype=datatype, shape=[2, 2])
    getattr(each.contents, CONTENTS[datatype]).extend(values)
    data: bytes = request.SerializeToString()
    return data


@DATATYPES
def test_raw_values_are_read(datatype: str) -> None:
    values = array_of(datatype)
    if datatype == "BF16":
        values = values.astype(ml_dtypes.bfloat16)
    sent = InferInput("X", [2, 2], datatype).set_data_from_numpy(values)
    request = message("ModelInferRequest")()
    request.inputs.add(name="X", datatype=datatype, shape=[2, 2])
    request.raw_input_contents.append(sent._get_content())
    found = read(request.SerializeToString()).inputs["X"]
    np.testing.assert_array_equal(found.array, array_of(datatype))


@pytest.mark.parametrize("datatype", CONTENTS)
def test_typed_values_are_read(datatype: str) -> None:
    found = read(typed(datatype, VALUES[datatype])).inputs["X"]
    np.testing.assert_array_equal(found.array, array_of(datatype))


@DATATYPES
def test_outputs_are_what_the_client_reads(datatype: str) -> None:
    request = InferRequest("my-1", {}, {}, None, binary_data_output=True)
    pieces = render("model", request, [Tensor("Y", datatype, array_of(datatype))])
    answer = service_pb2.ModelInferResponse.FromString(b"".join(pieces))
    assert (answer.id, answer.model_name, answer.model_version) == ("my-1", "model", "1")
    np.testing.assert_array_equal(InferResult(answer).as_numpy("Y"), array_of(datatype))


def test_the_same_head_keeps_each_request_s_id_and_values() -> None:
    requests = [read(_raw(number, str(number))) for number in range(3)]
    assert [each.id for each in requests] == ["0", "1", "2"]
    assert [each.inputs["X"].array[0, 0] for each in requests] == [0, 1, 2]


def _raw(value: int, id_: str) -> bytes:
    request = message("ModelInferRequest")(model_name="m", id=id_)
    request.inputs.add(name="X", datatype="INT32", shape=[1, 1])
    request.raw_input_contents.append(np.int32(value).tobytes())
    data: bytes = request.SerializeToString()
    return data


def test_fields_of_a_later_protocol_are_passed_over() -> None:
    data = b"\x98\x06\x01" + _raw(7, "later") + b"\x7a\x01a"
    found = read(data)
    assert (found.id, found.inputs["X"].array.item()) == ("later", 7)


def test_typed_contents_are_bounded() -> None:
    parts = cut(typed("FP32", [0.5] * 1000))
    with pytest.raises(TooLarge, match="typed contents must have at most 100 bytes"):
        head_of(parts, 100)


CUT = {"in-a-field": 15, "in-a-length": 2, "in-the-raw-contents": -1}


@pytest.mark.parametrize("end", CUT.values(), ids=CUT)
def test_a_message_that_is_cut_is_refused(end: int) -> None:
    with pytest.raises(InvalidRequest):
        read(_raw(7, "cut")[:end])
