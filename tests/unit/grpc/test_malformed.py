"""Malformed requests are refused as bad input: some of those that ``make fuzz`` tries."""

from __future__ import annotations

import asyncio

import grpc

from deployments.grpc.messages import SERVICE, message
from tests.support.grpc_server import Served
from tests.support.malformed_grpc import Row, malformed_calls
from tests.support.triton_grpc import bare

FAULTS = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE}
SOME, AT_ONCE = 300, 16


async def statuses(address: str, rows: list[Row]) -> list[tuple[Row, grpc.StatusCode, str]]:
    gate = asyncio.Semaphore(AT_ONCE)
    async with grpc.aio.insecure_channel(address) as channel:

        async def one(row: Row) -> tuple[Row, grpc.StatusCode, str]:
            async with gate:
                code, details, *_ = await bare(address, row.method, row.message, channel=channel)
            return row, code, details

        return await asyncio.gather(*map(one, rows))


async def test_none_is_a_fault(served: Served) -> None:
    found = await statuses(served.address, list(malformed_calls(7, SOME)))
    faults = [(row.id, code.name, why) for row, code, why in found if code in FAULTS]
    taken = [row.id for row, code, _ in found if code is grpc.StatusCode.OK and not row.damaged]
    assert (faults, taken) == ([], [])


async def refused(served: Served, **fields: object) -> str:
    """Why a request to the speaker model is refused."""
    request = message("ModelInferRequest")(model_name="speaker")
    shape = fields.pop("shape", [1, 2])
    each = request.inputs.add(name="AUDIO", datatype=fields.pop("datatype", "FP32"), shape=shape)
    raw = fields.pop("raw", None)
    for name, values in fields.items():
        getattr(each.contents, name).extend(values)
    request.raw_input_contents.extend(raw or [])
    data = request.SerializeToString()
    code, details, *_ = await bare(served.address, f"{SERVICE}/ModelInfer", data)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    return details


async def test_raw_and_typed_contents_exclude_each_other(served: Served) -> None:
    why = await refused(served, fp32_contents=[0.1, 0.2], raw=[b"\0" * 8])
    assert why == "contents must not be given beside raw_input_contents (input 'AUDIO')"


async def test_every_input_has_raw_contents_or_none(served: Served) -> None:
    why = await refused(served, raw=[b"\0" * 8] * 2)
    assert why == ("expected 1 raw_input_contents, one of each input, for model 'speaker', got 2")


async def test_typed_contents_are_those_of_the_datatype(served: Served) -> None:
    why = await refused(served, int_contents=[1, 2])
    assert why == "input 'AUDIO' must have 2 values in fp32_contents, got int_contents"


async def test_typed_contents_are_in_the_range_of_the_datatype(served: Served) -> None:
    why = await refused(served, datatype="INT16", int_contents=[1, 40_000])
    assert why == "contents of input 'AUDIO' must be in the range of INT16"


async def test_half_precision_comes_raw_alone(served: Served) -> None:
    why = await refused(served, datatype="FP16", fp32_contents=[1, 2])
    assert why == "input 'AUDIO' of FP16 must be given as raw_input_contents"
