"""Whatever is sent, the codec has a value or a 4xx for it; and what fits comes back whole."""

from __future__ import annotations

import contextlib
import json
import re
from random import Random
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from ml_dtypes import bfloat16
from numpy.typing import NDArray

from deployments.http.errors import row_of
from deployments.http.triton.compression import compressed, decompressed
from deployments.http.triton.infer_request import parse
from deployments.http.triton.infer_response import render
from deployments.inference.signature import Signature, TensorSpec, check
from deployments.inference.tensors import (
    BINARY_ONLY,
    DTYPES,
    HEADER_LENGTH,
    InferRequest,
    Tensor,
)
from models.errors import DragomanError, InvalidRequest, TooLarge, UnsupportedEncoding
from tests.support.malformed_oip import MUTATIONS, malformed_requests
from tests.support.malformed_oip.valid import SIGNATURES, Malformed, valid_draft

MAX_ROWS = 64
BODY_LIMIT = 8 << 20
INFER = re.compile(r"/v2/models/([^/]+)(?:/versions/1)?/infer")
EXAMPLES = settings(derandomize=True)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)


@st.composite
def tensors(draw: st.DrawFn, *, datatypes: tuple[str, ...], finite: bool, name: str) -> Tensor:
    """Any tensor of one of these datatypes."""
    datatype = draw(st.sampled_from(datatypes))
    shape = draw(SHAPES)
    if datatype == "BYTES":
        texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5).map(str.encode)
        elements = texts if finite else st.binary(max_size=5)
        array: NDArray[Any] = np.empty(shape, object)
        for index in np.ndindex(shape):
            array[index] = draw(elements)
        return Tensor(name, datatype, array)
    if datatype == "BF16":
        halves = draw(hnp.arrays(np.uint32, shape, elements=st.integers(0, 0xFFFF)))
        return Tensor(name, datatype, (halves << 16).view(np.float32))
    dtype = np.dtype(bool) if datatype == "BOOL" else DTYPES[datatype]
    elements = hnp.from_dtype(dtype, allow_nan=not finite, allow_infinity=not finite)
    return Tensor(name, datatype, draw(hnp.arrays(dtype, shape, elements=elements)))


def several(*, datatypes: tuple[str, ...], finite: bool) -> st.SearchStrategy[list[Tensor]]:
    return st.integers(1, 3).flatmap(
        lambda count: st.tuples(
            *(tensors(datatypes=datatypes, finite=finite, name=f"T{n}") for n in range(count))
        ).map(list)
    )


def sent(outputs: list[Tensor], *, binary: bool) -> tuple[bytes, str | None]:
    """An answer with these outputs, as if they were the inputs of a request; and its header."""
    headers, body = render("m", "1", InferRequest("", {}, {}, None, binary), outputs)
    head = int(headers.get(HEADER_LENGTH, len(body)))
    document = json.dumps({"inputs": json.loads(body[:head])["outputs"]}).encode()
    return document + body[head:], str(len(document)) if binary else None


def assert_comes_back(outputs: list[Tensor], *, binary: bool) -> None:
    body, header_length = sent(outputs, binary=binary)
    back = list(parse(body, header_length, "m", None).inputs.values())
    assert [tensor.datatype for tensor in back] == [tensor.datatype for tensor in outputs]
    for one, other in zip(outputs, back, strict=True):
        assert one.array.dtype == other.array.dtype
        np.testing.assert_array_equal(one.array, other.array)
    assert sent(back, binary=binary) == (body, header_length)


@EXAMPLES
@given(several(datatypes=tuple(DTYPES), finite=False))
def test_binary_tensors_come_back_whole(outputs: list[Tensor]) -> None:
    assert_comes_back(outputs, binary=True)


@EXAMPLES
@given(several(datatypes=tuple(DTYPES.keys() - set(BINARY_ONLY)), finite=True))
def test_json_tensors_come_back_whole(outputs: list[Tensor]) -> None:
    assert_comes_back(outputs, binary=False)


@EXAMPLES
@given(hnp.arrays(np.float32, (1, 8)))
def test_bf16_is_rounded_as_ml_dtypes_rounds(array: NDArray[np.float32]) -> None:
    request = InferRequest("", {}, {}, None, True)
    headers, body = render("m", "1", request, [Tensor("Y", "BF16", array)])
    blob = body[int(headers[HEADER_LENGTH]) :]
    with np.errstate(over="ignore", invalid="ignore"):
        expected = array.astype(bfloat16)
    rounded = np.frombuffer(blob, bfloat16).reshape(1, 8)
    np.testing.assert_array_equal(rounded.astype(np.float32), expected.astype(np.float32))


# ---- lies ------------------------------------------------------------------------------

SPECS = [
    None,
    TensorSpec("X", "FP32", (-1,)),
    TensorSpec("X", "BYTES", (1,)),
    TensorSpec("X", "BOOL", (2, -1)),
    TensorSpec("X", "BF16", (-1, -1)),
]
LENGTHS = st.none() | st.integers(-5, 200).map(str) | st.text(max_size=5)


SIGNATURE = Signature(
    tuple(TensorSpec(name, "FP32", (-1,), name != "X", tuple(DTYPES)) for name in "XYZ"), ()
)


def parsed(body: bytes, header_length: str | None, spec: TensorSpec | None = None) -> None:
    """Parse and check it; a refusal is as good as a value, any other exception is not."""
    try:
        request = parse(body, header_length, "m", spec)
        for tensor in request.inputs.values():
            assert tensor.array.copy().shape == tensor.array.shape
        assert 1 <= check(request, "m", SIGNATURE, MAX_ROWS) <= MAX_ROWS
    except InvalidRequest as error:
        error.message.encode()


@EXAMPLES
@given(st.binary(max_size=100), LENGTHS, st.sampled_from(SPECS))
def test_any_bytes_are_parsed_or_refused(
    body: bytes, header_length: str | None, spec: TensorSpec | None
) -> None:
    parsed(body, header_length, spec)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**65), 2**65)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([*DTYPES, "X", "Y"])
)
KEYS = st.sampled_from(
    ["id", "inputs", "outputs", "parameters", "name", "datatype", "shape", "data",
     "binary_data", "binary_data_size", "binary_data_output", "classification", "x"]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)
SIZES = st.lists(st.integers(0, 4) | st.sampled_from([-1, 2**31, 2**63, 2**64]), max_size=4)
INPUTS = st.fixed_dictionaries(
    {"name": st.sampled_from("XYZ"), "datatype": st.sampled_from(sorted(DTYPES)), "shape": SIZES},
    optional={
        "data": VALUES,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 40)}),
    },
)


@EXAMPLES
@given(VALUES | st.fixed_dictionaries({"inputs": VALUES}, optional={"outputs": VALUES}))
def test_any_json_is_parsed_or_refused(document: Any) -> None:
    parsed(json.dumps(document).encode(), None)


@EXAMPLES
@given(st.lists(INPUTS, max_size=3), st.binary(max_size=60), st.integers(-3, 3))
def test_inputs_that_lie_are_parsed_or_refused(
    inputs: list[dict[str, Any]], blobs: bytes, off_by: int
) -> None:
    head = json.dumps({"inputs": inputs}).encode()
    parsed(head + blobs, str(len(head) + off_by))


@EXAMPLES
@given(
    several(datatypes=tuple(DTYPES), finite=False),
    st.randoms(use_true_random=False),
    st.sampled_from(["swap", "flip", "cut", "grow"]),
)
def test_damaged_bodies_are_parsed_or_refused(
    outputs: list[Tensor], rng: Random, damage: str
) -> None:
    body, header_length = sent(outputs, binary=True)
    head = int(header_length or 0)
    if damage == "swap":  # the other byte order
        body = body[:head] + body[head:][::-1]
    elif damage == "flip":
        at = rng.randrange(len(body))
        body = body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :]
    elif damage == "cut":
        body = body[: rng.randrange(len(body))]
    else:
        body += rng.randbytes(3)
    parsed(body, header_length)


# ---- compression -----------------------------------------------------------------------


@EXAMPLES
@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "identity", "br", None]))
def test_any_bytes_are_unpacked_or_refused(body: bytes, encoding: str | None) -> None:
    with contextlib.suppress(InvalidRequest, TooLarge, UnsupportedEncoding):
        assert len(decompressed(body, encoding, 100)) <= 100


@EXAMPLES
@given(
    st.binary(max_size=50).map(lambda piece: piece * 20),
    st.sampled_from(["gzip", "deflate"]),
    st.integers(0, 1000),
)
def test_what_is_packed_is_unpacked_up_to_the_limit(data: bytes, encoding: str, limit: int) -> None:
    body, used = compressed(data, encoding)
    if len(data) <= limit:
        assert decompressed(body, used, limit) == data
    else:
        with pytest.raises(TooLarge):
            decompressed(body, used, limit)


@EXAMPLES
@given(st.text(max_size=30) | st.text("gzipdeflate*;q=01., -e", max_size=30))
def test_any_accept_encoding_has_an_answer(accepts: str) -> None:
    body, used = compressed(b"dragoman", accepts)
    assert decompressed(body, used, 100) == b"dragoman"


# ---- the generator of malformed requests -----------------------------------------------


def refusal(request: Malformed) -> DragomanError | None:
    """What the codec and the signature say against it."""
    match = INFER.fullmatch(request.path)
    assert match is not None
    model = match[1]
    try:
        body = decompressed(request.body, request.headers.get("Content-Encoding"), BODY_LIMIT)
        signature = SIGNATURES[model]
        length = request.headers.get(HEADER_LENGTH)
        check(parse(body, length, model, signature.raw_input), model, signature, MAX_ROWS)
    except DragomanError as error:
        return error
    return None


def is_inference(request: Malformed) -> bool:
    match = INFER.fullmatch(request.path)
    return request.method == "POST" and match is not None and match[1] in SIGNATURES


SAMPLE = 2_000


def test_every_malformed_request_is_refused_where_it_should_be() -> None:
    requests = [request for request in malformed_requests(7, SAMPLE) if is_inference(request)]
    refused = [(request, refusal(request)) for request in requests]
    wrong = [request.id for request, error in refused if (error is None) is not request.semantic]
    assert wrong == []
    assert {row_of(type(error)).status for _, error in refused if error} <= {400, 413, 415}


def test_what_is_not_malformed_is_not_refused() -> None:
    rng = Random(7)
    drafts = [valid_draft(rng).finished(str(number)) for number in range(200)]
    assert [error.message for error in map(refusal, drafts) if error] == []


def test_a_seed_gives_the_same_requests_of_every_kind() -> None:
    requests = list(malformed_requests(7, SAMPLE))
    assert requests == list(malformed_requests(7, SAMPLE))
    assert {request.id.split(" ", 2)[2] for request in requests} == set(MUTATIONS)


def test_an_http_client_sends_them_as_they_are() -> None:
    for request in malformed_requests(7, SAMPLE):
        url = httpx.URL(f"http://server{request.path}")
        sent = httpx.Request(
            request.method, url, headers=request.headers, content=request.body or None
        )
        assert sent.url.raw_path.decode() == request.path
        assert sent.headers.items() >= httpx.Headers(request.headers).items()
        assert sent.read() == request.body
