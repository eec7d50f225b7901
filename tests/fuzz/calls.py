"""What is sent over gRPC: malformed calls, to the whole service on fakes."""

from __future__ import annotations

import asyncio
from functools import cache

import grpc
from hypothesis import strategies as st

from tests.support.grpc_server import Served, serving
from tests.support.malformed_grpc import Row, malformed_calls
from tests.support.triton_grpc import bare

FAULTS = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE}


def calls() -> st.SearchStrategy[Row]:
    return st.integers(0, 2**32).map(lambda seed: next(malformed_calls(seed, 1)))


class Service:
    """The service on fakes, and a channel to it, on an event loop of their own."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._serving = serving()  # as long as the process runs
        self._channel, self._served = self._runner.run(self._connected())

    async def _connected(self) -> tuple[grpc.aio.Channel, Served]:
        served = await self._serving.__aenter__()
        return grpc.aio.insecure_channel(served.address), served

    def send(self, row: Row) -> grpc.StatusCode:
        asking = bare(self._served.address, row.method, row.message, channel=self._channel)
        return self._runner.run(asking)[0]


@cache
def service() -> Service:
    """One for all that is sent by this process."""
    return Service()


def send(row: Row) -> bool:
    """Whether it was answered with a result; else as bad input."""
    code = service().send(row)
    assert code not in FAULTS, f"{code.name} of {row.id}"
    return code is grpc.StatusCode.OK
