"""The protocol's codec: bodies and what they mean, each lie and what is said about it."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from ml_dtypes import bfloat16
from numpy.typing import NDArray
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult

from deployments.http.triton.compression import compressed, decompressed
from deployments.http.triton.infer_request import parse
from deployments.http.triton.infer_response import render
from deployments.inference.signature import TensorSpec
from deployments.inference.tensors import (
    DTYPES,
    HEADER_LENGTH,
    MAX_STRINGS,
    InferRequest,
    RequestedOutput,
    Tensor,
)
from models.errors import InvalidRequest, TooLarge, UnsupportedEncoding

AUDIO = TensorSpec("AUDIO", "FP32", (-1,))
TEXT = TensorSpec("TEXT", "BYTES", (1,))


def objects(*values: bytes) -> NDArray[Any]:
    """An object array of shape [rows, 1]."""
    array = np.empty((len(values), 1), object)
    array[:, 0] = values
    return array


# One tensor of each datatype, as it is computed with.
TENSORS = {
    "BOOL": np.array([[True, False]]),
    **{
        name: np.array([[np.iinfo(dtype).min, np.iinfo(dtype).max]], dtype)
        for name, dtype in DTYPES.items()
        if "INT" in name
    },
    "FP16": np.array([[-1.5, 65504]], np.float16),
    "FP32": np.array([[-0.1, 3e38]], np.float32),
    "FP64": np.array([[-0.1, 1e308]]),
    "BF16": np.array([[1.0, -2.5]], np.float32),
    "BYTES": objects(b"", "olá\0".encode()),
}


def entry(name: str = "X", **fields: Any) -> dict[str, Any]:
    """An input of two numbers in JSON, but for what is said."""
    return {"name": name, "datatype": "FP32", "shape": [1, 2], "data": [0.5, 1.5], **fields}


def binary(size: Any, name: str = "X", **fields: Any) -> dict[str, Any]:
    """An input of two numbers behind the JSON, but for what is said."""
    parameters = {"binary_data_size": size}
    return {"name": name, "datatype": "FP32", "shape": [1, 2], "parameters": parameters, **fields}


def request_of(document: Any, blobs: bytes = b"", header_length: str | None = None) -> InferRequest:
    """What a document and the tensors behind it say."""
    head = json.dumps(document).encode()
    return parse(head + blobs, header_length or str(len(head)), "m", None)


def refusal(document: Any, blobs: bytes = b"") -> str:
    with pytest.raises(InvalidRequest) as caught:
        request_of(document, blobs)
    return caught.value.message


# ---- requests --------------------------------------------------------------------------


@pytest.mark.parametrize("datatype", TENSORS)
def test_tritons_own_client_is_understood(datatype: str) -> None:
    array = TENSORS[datatype]
    sent = InferInput("X", array.shape, datatype)
    sent.set_data_from_numpy(array.astype(bfloat16) if datatype == "BF16" else array)
    body, head = InferenceServerClient.generate_request_body([sent], request_id="7")
    request = parse(body, None if head is None else str(head), "m", None)
    tensor = request.inputs["X"]
    assert (request.id, tensor.datatype, tensor.array.dtype) == ("7", datatype, array.dtype)
    np.testing.assert_array_equal(tensor.array, array)


@pytest.mark.parametrize("datatype", sorted(TENSORS.keys() - {"FP16", "BF16"}))
def test_tritons_own_client_is_understood_in_json(datatype: str) -> None:
    array = TENSORS[datatype]
    sent = InferInput("X", array.shape, datatype)
    sent.set_data_from_numpy(array, binary_data=False)
    body, _ = InferenceServerClient.generate_request_body([sent])
    tensor = parse(body, None, "m", None).inputs["X"]
    np.testing.assert_array_equal(tensor.array, array)


def test_tritons_own_client_says_which_outputs_it_wants() -> None:
    sent = InferInput("X", (1, 1), "INT32")
    sent.set_data_from_numpy(np.zeros((1, 1), np.int32))
    outputs = [InferRequestedOutput("A"), InferRequestedOutput("B", binary_data=False)]
    body, head = InferenceServerClient.generate_request_body([sent], outputs=outputs)
    request = parse(body, str(head), "m", None)
    assert request.outputs == (RequestedOutput("A", True), RequestedOutput("B", False))


@dataclass(frozen=True)
class Nested:
    id: str
    shape: list[int]
    data: Any


@pytest.mark.parametrize(
    "case",
    [
        Nested("flat", [2, 2], [1, 2, 3, 4]),
        Nested("nested", [2, 2], [[1, 2], [3, 4]]),
        Nested("deeper", [2, 1, 2], [[[1, 2]], [[3, 4]]]),
        Nested("nothing", [0, 2], []),
        Nested("rows of nothing", [2, 0], [[], []]),
    ],
    ids=lambda case: case.id,
)
def test_json_may_be_nested_or_flat(case: Nested) -> None:
    tensor = request_of({"inputs": [entry(shape=case.shape, data=case.data)]}).inputs["X"]
    expected = np.array(case.data, np.float32).reshape(case.shape)
    np.testing.assert_array_equal(tensor.array, expected)


def test_binary_numbers_are_a_view_of_the_body() -> None:
    head = json.dumps({"inputs": [binary(8)]}).encode()
    head += b" " * (-len(head) % 4)
    body = head + struct.pack("<2f", 0.5, 1.5)
    array = parse(body, str(len(head)), "m", None).inputs["X"].array
    assert np.shares_memory(array, np.frombuffer(body, np.uint8))


@pytest.mark.parametrize("spaces", range(4))
def test_binary_numbers_are_aligned_wherever_they_lie(spaces: int) -> None:
    head = json.dumps({"inputs": [binary(8)]}).encode() + b" " * spaces
    array = parse(head + struct.pack("<2f", 0.5, 1.5), str(len(head)), "m", None).inputs["X"].array
    assert array.flags.aligned
    assert array.tolist() == [[0.5, 1.5]]


def test_a_memoryview_is_as_good_as_bytes() -> None:
    document = {"inputs": [binary(9, datatype="BYTES", shape=[1, 1])]}
    head = json.dumps(document).encode()
    view = memoryview(head + b"\5\0\0\0hello")
    assert parse(view, str(len(head)), "m", None).inputs["X"].array.tolist() == [[b"hello"]]


def test_binary_tensors_follow_in_the_order_of_inputs() -> None:
    document = {"inputs": [binary(8, "A"), entry("B"), binary(8, "C")]}
    inputs = request_of(document, struct.pack("<4f", 1, 2, 3, 4)).inputs
    assert {name: tensor.array.tolist() for name, tensor in inputs.items()} == {
        "A": [[1, 2]],
        "B": [[0.5, 1.5]],
        "C": [[3, 4]],
    }


def test_no_outputs_in_the_list_are_all() -> None:
    assert request_of({"inputs": [entry()], "outputs": []}).outputs is None


def test_an_output_without_a_word_goes_as_the_request_says() -> None:
    document = {
        "inputs": [entry()],
        "outputs": [{"name": "A"}, {"name": "B", "parameters": {"binary_data": False}}],
        "parameters": {"binary_data_output": True, "timeout": 5},
    }
    request = request_of(document)
    assert request.outputs == (RequestedOutput("A", True), RequestedOutput("B", False))
    assert request.parameters["timeout"] == 5


def test_a_raw_body_is_one_row_of_the_only_input() -> None:
    request = parse(struct.pack("<3f", 1, 2, 3), "0", "m", AUDIO)
    assert request.inputs["AUDIO"].array.tolist() == [[1, 2, 3]]
    assert request.binary_data_output


def test_a_raw_body_of_text_is_one_string() -> None:
    assert parse(b"hello", "0", "m", TEXT).inputs["TEXT"].array.tolist() == [[b"hello"]]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param(None, "only have 1 input", id="several inputs"),
        pytest.param(AUDIO, "Expected a multiple of 4, got 5", id="half a number"),
        pytest.param(TensorSpec("X", "FP32", (2,)), "multiple of 8, got 5", id="fixed length"),
        pytest.param(TensorSpec("X", "BYTES", (-1,)), "input shape [1]", id="many strings"),
    ],
)
def test_a_raw_body_that_is_none(spec: TensorSpec | None, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(b"hello", "0", "m", spec)
    assert says in caught.value.message


@pytest.mark.parametrize(
    "value", ["-1", "abc", "", "1.0", "0x1", "+1", "²", "21", str(2**31), "9" * 5000]
)
def test_a_header_length_that_lies(value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(bytes(20), value, "m", None)
    assert "inference header size should be in range (0, 20), got: " in caught.value.message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(b"", "Expecting value", id="nothing"),
        pytest.param(b"{", "Expecting property name", id="cut short"),
        pytest.param(b"{} {}", "Extra data", id="two documents"),
        pytest.param(b'{"id": "\xff"}', "not valid UTF-8", id="not UTF-8"),
        pytest.param(b'{"id": "\\ud800"}', "not valid UTF-8", id="half a surrogate pair"),
        pytest.param(b'{"x": NaN}', "NaN is no JSON number", id="NaN"),
        pytest.param(b'{"x": -Infinity}', "-Infinity is no JSON number", id="infinity"),
        pytest.param(b'{"x": %b}' % (b"1" * 5000), "too many digits", id="a long number"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(b"[]", "must be an object", id="a list"),
        pytest.param(b"{}", "inputs is required", id="no inputs"),
    ],
)
def test_a_body_that_is_no_request(body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(body, None, "m", None)
    assert says in caught.value.message


INPUT_ERRORS = {
    "no list": ({"inputs": {}}, "inputs must be a list of objects"),
    "no object": ({"inputs": [5]}, "inputs must be a list of objects"),
    "no name": ({"inputs": [{}]}, "inputs[0].name must be a string of 1 to 128 characters"),
    "endless name": ({"inputs": [entry("x" * 129)]}, "inputs[0].name must be a string"),
    "twice": ({"inputs": [entry(), entry()]}, "input 'X' is given twice"),
    "unknown datatype": ({"inputs": [entry(datatype="FLOAT")]}, "datatype of input 'X' must be"),
    "datatype of no name": ({"inputs": [entry(datatype=[])]}, "datatype of input 'X' must be"),
    "negative shape": ({"inputs": [entry(shape=[-1, -2])]}, "each 0 or more"),
    "shape of truths": ({"inputs": [entry(shape=[True, 2])]}, "whole numbers"),
    "shape of fractions": ({"inputs": [entry(shape=[1.0, 2])]}, "whole numbers"),
    "huge shape": ({"inputs": [entry(shape=[2**62, 2**62])]}, "at most 2147483647 elements"),
    "huge empty shape": ({"inputs": [entry(shape=[0, 2**62])]}, "at most 2147483647 elements"),
    "too many dimensions": ({"inputs": [entry(shape=[1] * 17)]}, "at most 16"),
    "too many strings": (
        {"inputs": [entry(datatype="BYTES", shape=[MAX_STRINGS + 1, 1])]},
        "at most 65536 elements of BYTES",
    ),
    "no data": ({"inputs": [binary(8, parameters={})]}, "must have data, or binary_data_size"),
    "data twice": ({"inputs": [binary(8, data=[1, 2])]}, "not both"),
    "data of no list": ({"inputs": [entry(data="ab")]}, "data of input 'X' must be a list"),
    "one too many": ({"inputs": [entry(data=[1, 2, 3])]}, "shape [3] does not match"),
    "nested otherwise": ({"inputs": [entry(data=[[1], [2]])]}, "shape [2, 1] does not match"),
    "nested deeper": ({"inputs": [entry(data=[[[1, 2]]])]}, "shape [1, 1, 2] does not match"),
    "ragged": ({"inputs": [entry(data=[[1, 2], [3]])]}, "must not be ragged"),
    "half ragged": ({"inputs": [entry(data=[[1, 2], 3])]}, "must not be ragged"),
    "a list for a number": ({"inputs": [entry(data=[1, [2]])]}, "must hold numbers only"),
    "text for numbers": ({"inputs": [entry(data=["1", "2"])]}, "must hold numbers only, as FP32"),
    "truth for numbers": ({"inputs": [entry(data=[True, 2])]}, "must hold numbers only, as FP32"),
    "beyond FP32": ({"inputs": [entry(data=[1e39, 2])]}, "must be in the range of FP32"),
    "beyond FP64": (
        {"inputs": [entry(datatype="FP64", data=[10**400, 2])]},
        "must be in the range of FP64",
    ),
    "half precision": ({"inputs": [entry(datatype="FP16")]}, "receiving FP16 data via JSON"),
    "binary size of no number": ({"inputs": [binary("8")]}, "binary_data_size of input 'X' must"),
    "binary size of truth": ({"inputs": [binary(True)]}, "binary_data_size of input 'X' must"),
    "binary size too small": (
        {"inputs": [binary(7)]},
        "input byte size mismatch for input 'X' for model 'm'. Expected 8, got 7",
    ),
    "no bytes behind": (
        {"inputs": [binary(8)]},
        "unexpected size for input 'X', expecting 8 additional bytes for model 'm'",
    ),
    "parameters of no object": ({"inputs": [entry()], "parameters": []}, "parameters must be"),
    "parameters of lists": ({"inputs": [entry()], "parameters": {"x": []}}, "must hold strings"),
    "no flag": ({"inputs": [entry()], "parameters": {"binary_data_output": 1}}, "true or false"),
    "id of no string": ({"inputs": [entry()], "id": 5}, "id must be a string"),
    "outputs of no list": ({"inputs": [entry()], "outputs": "X"}, "outputs must be a list"),
    "output twice": (
        {"inputs": [entry()], "outputs": [{"name": "A"}, {"name": "A"}]},
        "output 'A' is asked for twice",
    ),
    "classification": (
        {"inputs": [entry()], "outputs": [{"name": "A", "parameters": {"classification": 1}}]},
        "classification of output 'A' is not supported",
    ),
}


@pytest.mark.parametrize(("document", "says"), INPUT_ERRORS.values(), ids=INPUT_ERRORS)
def test_what_is_wrong_in_a_request_is_said(document: Any, says: str) -> None:
    assert says in refusal(document)


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        *(
            pytest.param(name, int(bound) + step, id=f"{name} {'above' if step > 0 else 'below'}")
            for name, dtype in DTYPES.items()
            if "INT" in name
            for bound, step in ((np.iinfo(dtype).max, 1), (np.iinfo(dtype).min, -1))
        ),
    ],
)
def test_an_integer_never_wraps(datatype: str, value: int) -> None:
    says = refusal({"inputs": [entry(datatype=datatype, data=[0, value])]})
    assert f"in the range of {datatype}" in says


def test_a_fraction_is_no_integer() -> None:
    assert "whole numbers" in refusal({"inputs": [entry(datatype="INT32", data=[1, 2.0])]})


def test_bytes_behind_the_last_tensor_are_told() -> None:
    says = refusal({"inputs": [binary(8)]}, bytes(9))
    assert says == "unexpected additional input data for model 'm'"


def test_a_bool_is_zero_or_one() -> None:
    assert "0 and 1 only" in refusal({"inputs": [binary(2, datatype="BOOL")]}, b"\0\2")


@pytest.mark.parametrize(
    ("blob", "says"),
    [
        pytest.param(b"\1\0\0", "4 bytes of a string's length, but only 3", id="half a length"),
        pytest.param(b"\2\0\0\0a", "string of length 2 but only 1", id="cut short"),
        pytest.param(b"\xff\xff\xff\xffa", "string of length 4294967295", id="huge length"),
        pytest.param(b"\1\0\0\0a" * 2, "expecting 1 string elements, but more", id="one too many"),
        pytest.param(b"", "expecting 1 string elements, got 0", id="none"),
    ],
)
def test_a_string_that_lies_about_itself(blob: bytes, says: str) -> None:
    document = {"inputs": [binary(len(blob), datatype="BYTES", shape=[1, 1])]}
    assert says in refusal(document, blob)


# ---- responses -------------------------------------------------------------------------


def asked(*outputs: RequestedOutput, name: str = "", all_binary: bool = False) -> InferRequest:
    return InferRequest(name, {}, {}, outputs or None, all_binary)


def answer(request: InferRequest, *outputs: Tensor) -> dict[str, Any]:
    """The JSON of an answer."""
    headers, body = render("m", "1", request, outputs)
    head = int(headers.get(HEADER_LENGTH, len(body)))
    found: dict[str, Any] = json.loads(body[:head])
    return found


@pytest.mark.parametrize("datatype", TENSORS)
def test_tritons_own_client_reads_an_answer(datatype: str) -> None:
    array = TENSORS[datatype]
    headers, body = render("m", "1", asked(all_binary=True), [Tensor("Y", datatype, array)])
    assert headers["content-type"] == "application/octet-stream"
    found = InferResult.from_response_body(body, header_length=int(headers[HEADER_LENGTH]))
    np.testing.assert_array_equal(found.as_numpy("Y"), array)


@pytest.mark.parametrize("datatype", sorted(TENSORS.keys() - {"FP16", "BF16", "BYTES"}))
def test_tritons_own_client_reads_an_answer_in_json(datatype: str) -> None:
    array = TENSORS[datatype]
    headers, body = render("m", "1", asked(), [Tensor("Y", datatype, array)])
    assert headers == {"content-type": "application/json"}
    np.testing.assert_array_equal(InferResult.from_response_body(body).as_numpy("Y"), array)


def test_text_stands_in_json_as_it_is() -> None:
    found = answer(asked(), Tensor("Y", "BYTES", objects("olá".encode(), b"")))
    assert found == {
        "model_name": "m",
        "model_version": "1",
        "outputs": [{"name": "Y", "datatype": "BYTES", "shape": [2, 1], "data": ["olá", ""]}],
    }


@pytest.mark.parametrize(("name", "echoed"), [("", False), ("7", True)], ids=["empty", "given"])
def test_an_id_is_echoed_if_there_is_one(name: str, echoed: bool) -> None:
    assert (answer(asked(name=name)).get("id") == name) is echoed


def test_outputs_come_in_the_order_asked_for() -> None:
    outputs = [Tensor(name, "INT32", np.zeros((1, 1), np.int32)) for name in "ABC"]
    found = answer(asked(RequestedOutput("C", True), RequestedOutput("A", False)), *outputs)
    assert [output["name"] for output in found["outputs"]] == ["C", "A"]


def test_only_binary_outputs_carry_parameters() -> None:
    outputs = [Tensor(name, "INT32", np.zeros((1, 1), np.int32)) for name in "AB"]
    found = answer(asked(RequestedOutput("A", True), RequestedOutput("B", False)), *outputs)
    assert found["outputs"] == [
        {"name": "A", "datatype": "INT32", "shape": [1, 1], "parameters": {"binary_data_size": 4}},
        {"name": "B", "datatype": "INT32", "shape": [1, 1], "data": [0]},
    ]


def test_binary_outputs_lie_in_their_order() -> None:
    outputs = [Tensor(name, "UINT8", np.full((1, 1), n, np.uint8)) for n, name in enumerate("ABC")]
    want = (RequestedOutput("C", True), RequestedOutput("B", False), RequestedOutput("A", True))
    headers, body = render("m", "1", asked(*want), outputs)
    assert body[int(headers[HEADER_LENGTH]) :] == b"\2\0"


def test_a_transposed_output_is_sent_row_by_row() -> None:
    array = np.arange(6, dtype=np.int8).reshape(2, 3).T
    headers, body = render("m", "1", asked(all_binary=True), [Tensor("Y", "INT8", array)])
    assert body[int(headers[HEADER_LENGTH]) :] == bytes([0, 3, 1, 4, 2, 5])


@pytest.mark.parametrize(
    ("value", "bits"),
    [
        pytest.param(1.0, 0x3F80, id="exact"),
        pytest.param(1.00390625, 0x3F80, id="half to even, down"),
        pytest.param(1.01171875, 0x3F82, id="half to even, up"),
        pytest.param(3.4e38, 0x7F80, id="beyond the range"),
        pytest.param(-np.inf, 0xFF80, id="infinity"),
    ],
)
def test_bf16_is_rounded_to_the_nearest(value: float, bits: int) -> None:
    tensor = Tensor("Y", "BF16", np.array([[value]], np.float32))
    _, body = render("m", "1", asked(all_binary=True), [tensor])
    assert int.from_bytes(body[-2:], "little") == bits


def test_nan_stays_nan_in_bf16() -> None:
    signals = np.array([[0x7F800001, 0xFFFFFFFF]], np.uint32).view(np.float32)
    _, body = render("m", "1", asked(all_binary=True), [Tensor("Y", "BF16", signals)])
    halves = np.frombuffer(body[-4:], "<u2").astype(np.uint32) << 16
    assert np.isnan(halves.view(np.float32)).all()


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        pytest.param(Tensor("Y", "FP16", TENSORS["FP16"]), "FP16 data via JSON", id="FP16"),
        pytest.param(Tensor("Y", "BF16", TENSORS["BF16"]), "BF16 data via JSON", id="BF16"),
        pytest.param(Tensor("Y", "FP32", np.array([[np.nan]], np.float32)), "NaN", id="NaN"),
        pytest.param(Tensor("Y", "BYTES", objects(b"\xff")), "not UTF-8", id="no text"),
    ],
)
def test_what_json_cannot_hold_is_refused(tensor: Tensor, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        render("m", "1", asked(), [tensor])
    assert says in caught.value.message
    assert "binary data format for output 'Y'" in caught.value.message


# ---- compression -----------------------------------------------------------------------

DATA = b"dragoman " * 1000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(DATA, None, id="none"),
        pytest.param(DATA, "identity", id="identity"),
        pytest.param(gzip.compress(DATA), "gzip", id="gzip"),
        pytest.param(gzip.compress(DATA), " GZip ", id="gzip in capitals"),
        pytest.param(zlib.compress(DATA), "deflate", id="deflate"),
        pytest.param(raw_deflate(DATA), "deflate", id="deflate without zlib's header"),
    ],
)
def test_a_body_is_unpacked_up_to_its_limit(body: bytes, encoding: str | None) -> None:
    assert decompressed(body, encoding, len(DATA)) == DATA
    with pytest.raises(TooLarge):
        decompressed(body, encoding, len(DATA) - 1)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_another_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding):
        decompressed(DATA, encoding, 1 << 20)


@pytest.mark.parametrize(
    ("encoding", "body", "says"),
    [
        pytest.param("gzip", DATA, "not valid gzip", id="no gzip"),
        pytest.param("gzip", b"", "cut short", id="empty gzip"),
        pytest.param("gzip", gzip.compress(DATA)[:-1], "cut short", id="gzip cut short"),
        pytest.param("gzip", gzip.compress(DATA) + b"x", "goes on", id="more behind gzip"),
        pytest.param("gzip", gzip.compress(DATA)[:-8] + bytes(8), "not valid", id="bad checksum"),
        pytest.param("deflate", gzip.compress(DATA), "not valid deflate", id="gzip as deflate"),
        pytest.param("deflate", zlib.compress(DATA)[:-1], "cut short", id="deflate cut short"),
        pytest.param("deflate", raw_deflate(DATA) + b"x", "goes on", id="more behind deflate"),
    ],
)
def test_a_body_that_is_not_what_its_encoding_says(encoding: str, body: bytes, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decompressed(body, encoding, 1 << 20)
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("br", None),
        ("gzip;q=0", None),
        ("gzip;q=2", None),
        ("gzip;q=much", None),
        ("gzip;q=nan", None),
        ("gzip;q=0.5, identity", None),
        ("gzip", "gzip"),
        ("deflate, GZIP", "gzip"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("gzip ; q=0, *", "deflate"),
        ("*", "gzip"),
        ("deflate", "deflate"),
    ],
)
def test_an_answer_is_packed_as_the_client_likes_it(
    accepts: str | None, encoding: str | None
) -> None:
    body, used = compressed(DATA, accepts)
    assert used == encoding
    assert decompressed(body, used, len(DATA)) == DATA
