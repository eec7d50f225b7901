"""NVIDIA's Triton client, in both of its colours, and the tensors that its tests send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from tritonclient import http as triton
from tritonclient.http import InferInput
from tritonclient.http import aio as triton_aio
from tritonclient.utils import np_to_triton_dtype

TIMEOUT_S = 120.0
Ask: TypeAlias = Callable[..., Any]  # a call's name, then its arguments
CLIENTS = {"sync": triton.InferenceServerClient, "asyncio": triton_aio.InferenceServerClient}
COVERED: dict[str, set[str]] = {colour: set() for colour in CLIENTS}  # the calls that were made


def sync_client(url: str) -> triton.InferenceServerClient:
    return triton.InferenceServerClient(
        urlsplit(url).netloc, concurrency=8, network_timeout=TIMEOUT_S
    )


def aio_client(url: str) -> triton_aio.InferenceServerClient:
    return triton_aio.InferenceServerClient(urlsplit(url).netloc, conn_timeout=TIMEOUT_S)


def asking(url: str, colour: str) -> Ask:
    """A function that makes one call; the event loop of the asynchronous client is its own."""

    def of_sync(call: str, *args: Any, **kwargs: Any) -> Any:
        with sync_client(url) as client:
            return getattr(client, call)(*args, **kwargs)

    def of_asyncio(call: str, *args: Any, **kwargs: Any) -> Any:
        async def once() -> Any:
            async with aio_client(url) as client:
                return await getattr(client, call)(*args, **kwargs)

        return asyncio.run(once())

    def ask(call: str, *args: Any, **kwargs: Any) -> Any:
        COVERED[colour].add(call)
        return (of_sync if colour == "sync" else of_asyncio)(call, *args, **kwargs)

    return ask


# ---- tensors ---------------------------------------------------------------------------


def tensor(name: str, values: Any, *, binary: bool = True) -> InferInput:
    """An input of the values' own shape; texts become BYTES."""
    array = np.asarray(values)
    if array.dtype.kind == "U":
        array = array.astype(object)
    made = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return made.set_data_from_numpy(array, binary_data=binary)


def int32(name: str, values: Any, *, binary: bool = True) -> InferInput:
    return tensor(name, np.array(values, np.int32), binary=binary)


def audio(*rows: NDArray[Any], binary: bool = True) -> list[InferInput]:
    """AUDIO, each row padded to the longest, and AUDIO_LENGTH."""
    longest = max(map(len, rows))
    padded = np.stack([np.pad(row, (0, longest - len(row))) for row in rows])
    lengths = [[len(row)] for row in rows]
    return [
        tensor("AUDIO", padded, binary=binary),
        int32("AUDIO_LENGTH", lengths, binary=binary),
    ]


def texts(result: triton.InferResult, name: str) -> list[str]:
    """The rows of a BYTES output of one element a row."""
    rows = result.as_numpy(name).reshape(-1)
    return [row.decode() if isinstance(row, bytes) else str(row) for row in rows]


def translation_inputs(
    *rows: str, source: str = "en", target: str = "pt", binary: bool = True
) -> list[InferInput]:
    return [
        tensor("TEXT", [[row] for row in rows], binary=binary),
        tensor("SOURCE_LANGUAGE", [[source]] * len(rows), binary=binary),
        tensor("TARGET_LANGUAGE", [[target]] * len(rows), binary=binary),
    ]
