"""The codec and shared memory: every datatype in and out, and what requests say wrongly of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_dtypes import bfloat16
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import serialize_byte_tensor, shared_memory

from deployments.config.schema import Limits
from deployments.config.shared_memory import SharedMemory
from deployments.http.triton.infer_request import parse
from deployments.http.triton.infer_response import render
from deployments.inference.regions import Regions, tensor_of
from deployments.inference.tensors import InferRequest, RegionSlice, RequestedOutput, Tensor
from models.errors import InvalidRequest
from tests.support.shared_memory import PREFIX
from tests.unit.http.triton.test_tensors import TENSORS, entry

SIZE = 256


@contextmanager
def client_memory() -> Iterator[tuple[Any, str]]:
    """Shared memory that Triton's own client has made, and its key."""
    key = f"{PREFIX}{secrets.token_hex(8)}"
    handle = shared_memory.create_shared_memory_region("r", key, SIZE, create_only=True)
    try:
        yield handle, key
    finally:
        shared_memory.destroy_shared_memory_region(handle)


@pytest.fixture
async def handle(tmp_path: Path, regions: Regions) -> Any:
    with client_memory() as (made, key):
        await regions.register("r", key, 0, SIZE)
        yield made


@pytest.fixture
def regions(tmp_path: Path) -> Regions:
    return Regions(SharedMemory(prefix=PREFIX), Limits(), tmp_path / "records")


def serialized(datatype: str, array: NDArray[Any]) -> NDArray[Any]:
    """What Triton's client puts into shared memory for an array."""
    if datatype == "BYTES":
        return serialize_byte_tensor(array)
    return array.astype(bfloat16) if datatype == "BF16" else array


def size_of(put: NDArray[Any]) -> int:
    return len(put.item()) if put.dtype == np.object_ else put.nbytes


@pytest.mark.parametrize("datatype", TENSORS)
async def test_every_datatype_is_read(handle: Any, regions: Regions, datatype: str) -> None:
    array = TENSORS[datatype]
    put = serialized(datatype, array)
    shared_memory.set_shared_memory_region(handle, [put], offset=8)
    sent = InferInput("X", array.shape, datatype).set_shared_memory("r", size_of(put), offset=8)
    body, head = InferenceServerClient.generate_request_body([sent])
    request = parse(body, None if head is None else str(head), "m", None)
    opened = await regions.open_inputs(request.in_regions)
    (found,) = [tensor_of(each, opened["X"], "m") for each in request.in_regions]
    assert (found.name, found.datatype, found.array.dtype) == ("X", datatype, array.dtype)
    np.testing.assert_array_equal(found.array, array)


@pytest.mark.parametrize("datatype", TENSORS)
async def test_every_datatype_is_written(handle: Any, regions: Regions, datatype: str) -> None:
    array = TENSORS[datatype]
    asked = RequestedOutput("Y", False, RegionSlice("r", 8, 64))
    request = InferRequest("", {}, {}, (asked,), binary_data_output=False)
    opened = await regions.open_outputs(request.outputs)
    headers, body = render("m", "1", request, [Tensor("Y", datatype, array)], opened)
    assert headers == {"content-type": "application/json"}
    (told,) = json.loads(body)["outputs"]
    assert told == {"name": "Y", "datatype": datatype, "shape": list(array.shape)}
    if datatype == "BYTES":
        found = shared_memory.get_contents_as_numpy(handle, np.object_, array.shape, offset=8)
    else:
        dtype = bfloat16 if datatype == "BF16" else array.dtype
        found = shared_memory.get_contents_as_numpy(handle, dtype, array.shape, offset=8)
    np.testing.assert_array_equal(found.astype(array.dtype), array)


async def test_outputs_lie_in_memory_in_json_and_behind_it(handle: Any, regions: Regions) -> None:
    outputs = [
        Tensor(name, "INT8", np.array([[index]], np.int8)) for index, name in enumerate("ABC")
    ]
    asked = (
        RequestedOutput("A", False),
        RequestedOutput("B", False, RegionSlice("r", 0, 1)),
        RequestedOutput("C", True),
    )
    request = InferRequest("", {}, {}, asked, binary_data_output=False)
    opened = await regions.open_outputs(asked)
    headers, body = render("m", "1", request, outputs, opened)
    head = int(headers["Inference-Header-Content-Length"])
    a, b, c = json.loads(body[:head])["outputs"]
    assert (a["data"], body[head:], c["parameters"]) == ([0], b"\2", {"binary_data_size": 1})
    assert b == {"name": "B", "datatype": "INT8", "shape": [1, 1]}
    assert shared_memory.get_contents_as_numpy(handle, np.int8, [1]).tolist() == [1]


async def test_nothing_is_written_where_one_output_has_no_room(
    handle: Any, regions: Regions
) -> None:
    outputs = [Tensor(name, "INT8", np.array([[7, 7]], np.int8)) for name in "AB"]
    parts = {"A": RegionSlice("r", 0, 2), "B": RegionSlice("r", 8, 1)}
    asked = tuple(RequestedOutput(name, False, part) for name, part in parts.items())
    request = InferRequest("", {}, {}, asked, binary_data_output=False)
    opened = await regions.open_outputs(asked)
    with pytest.raises(InvalidRequest, match=r"output 'B' \(1 bytes\) should be at least 2"):
        render("m", "1", request, outputs, opened)
    assert shared_memory.get_contents_as_numpy(handle, np.int8, [2]).tolist() == [0, 0]


def test_tritons_own_client_says_where_outputs_lie() -> None:
    sent = InferInput("X", [1, 1], "INT32").set_shared_memory("r", 4)
    output = InferRequestedOutput("Y", binary_data=True)
    output.set_shared_memory("r", 64, offset=8)
    body, _ = InferenceServerClient.generate_request_body([sent], outputs=[output])
    request = parse(body, None, "m", None)
    assert request.outputs == (RequestedOutput("Y", False, RegionSlice("r", 8, 64)),)


PART = {"shared_memory_region": "r", "shared_memory_byte_size": 8}


def document(parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A request with one input of those parameters."""
    return {
        "inputs": [
            {"name": "X", "datatype": "FP32", "shape": [1, 2], **fields, "parameters": parameters}
        ]
    }


def output(**parameters: Any) -> dict[str, Any]:
    return {"inputs": [entry()], "outputs": [{"name": "Y", "parameters": parameters}]}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no size": (document({"shared_memory_region": "r"}), "inputs[0].parameters must be a whole"),
    "data, too": (document(PART, data=[1, 2]), "or its values, not both"),
    "binary data, too": (document({**PART, "binary_data_size": 8}), "or its values, not both"),
    "a size of words": (document({**PART, "shared_memory_byte_size": "8"}), "a whole number"),
    "of the whole request": ({"inputs": [entry()], "parameters": PART}, "of an input or output"),
    "a binary output": (output(**PART, binary_data=True), "or binary_data, not both"),
    "an output without a size": (
        output(shared_memory_region="r"),
        "shared_memory_byte_size of outputs[0].parameters",
    ),
    "a name twice": (
        {"inputs": [*document(PART)["inputs"], entry()]},
        "input 'X' is given twice",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "says"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(content: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(json.dumps(content).encode(), None, "m", None)
    assert says in caught.value.message
