"""NVIDIA's Triton client over gRPC, in both of its colours, and the tensors that its tests send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, TypeAlias

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient import grpc as triton
from tritonclient.grpc import InferInput
from tritonclient.grpc import aio as triton_aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

Request: TypeAlias = Mapping[str, Any]  # the arguments of one infer request
Ask: TypeAlias = Callable[..., Any]
WITHIN_S = 30.0


def tensor(name: str, values: Any, datatype: str | None = None) -> InferInput:
    """An input of the values' own shape; texts become BYTES."""
    array = np.asarray(values)
    if array.dtype.kind in "US":
        array = array.astype(object)
    made = InferInput(name, list(array.shape), datatype or np_to_triton_dtype(array.dtype))
    return made.set_data_from_numpy(array)


def audio(samples: NDArray[Any]) -> list[InferInput]:
    """One row of audio."""
    return [tensor("AUDIO", samples[None])]


def texts(**values: str) -> list[InferInput]:
    """Inputs of one row of one text each."""
    return [tensor(name, [[value]]) for name, value in values.items()]


def parameters_of(answer: Any) -> dict[str, Any]:
    """The parameters of an answer as plain values."""
    found = answer.get_response().parameters
    return {
        name: getattr(value, value.WhichOneof("parameter_choice")) for name, value in found.items()
    }


def words(answer: Any, output: str) -> str:
    """The one text of an output."""
    (value,) = answer.as_numpy(output).reshape(-1)
    return str(value.decode())


# ---- asking ----------------------------------------------------------------------------


async def ask_sync(address: str, call: str, *args: Any, **kwargs: Any) -> Any:
    """Make one call of the synchronous client, on a thread beside the server's event loop."""

    def once() -> Any:
        with triton.InferenceServerClient(address) as client:
            return getattr(client, call)(*args, **kwargs)

    return await asyncio.to_thread(once)


async def ask_aio(address: str, call: str, *args: Any, **kwargs: Any) -> Any:
    """Make one call of the asynchronous client."""
    async with triton_aio.InferenceServerClient(address) as client:
        return await getattr(client, call)(*args, **kwargs)


ASK: dict[str, Ask] = {"sync": ask_sync, "asyncio": ask_aio}


async def stream_sync(address: str, requests: Sequence[Request], answers: int) -> list[Any]:
    """Send requests on one stream; return so many answers, or errors, in their order."""

    def talk() -> list[Any]:
        found: SimpleQueue[Any] = SimpleQueue()
        with triton.InferenceServerClient(address) as client:
            client.start_stream(lambda result, error: found.put(error or result))
            for request in requests:
                client.async_stream_infer(**request)
            return [found.get(timeout=WITHIN_S) for _ in range(answers)]

    return await asyncio.to_thread(talk)


async def stream_aio(address: str, requests: Sequence[Request], answers: int) -> list[Any]:
    """Do the same with the asynchronous client."""

    async def each() -> AsyncIterator[Request]:
        for request in requests:
            yield request

    found = []
    async with asyncio.timeout(WITHIN_S), triton_aio.InferenceServerClient(address) as client:
        async for result, error in client.stream_infer(each()):
            found.append(error or result)
            if len(found) == answers:
                break
    return found


STREAM: dict[str, Callable[..., Any]] = {"sync": stream_sync, "asyncio": stream_aio}


async def refusal(asking: Any) -> InferenceServerException:
    """The error that a call ends with."""
    try:
        await asking
    except InferenceServerException as error:
        return error
    raise AssertionError("it was answered")


# ---- bare calls ------------------------------------------------------------------------


async def bare(
    address: str,
    method: str,
    message: bytes,
    *,
    timeout_s: float | None = None,
    channel: Any = None,
    **metadata: str,
) -> tuple[grpc.StatusCode, str, dict[str, str], bytes]:
    """Send bytes to a method; the status, its message, the trailers and the answer."""
    own = grpc.aio.insecure_channel(address) if channel is None else channel
    sent = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
    call = own.unary_unary(f"/{method}")(message, timeout=timeout_s, metadata=sent)
    try:
        answer = await call
    except grpc.aio.AioRpcError:
        answer = b""
    code, details = await call.code(), await call.details()
    trailers = {key: str(value) for key, value in await call.trailing_metadata()}
    if channel is None:
        await own.close()
    return code, details or "", trailers, answer
