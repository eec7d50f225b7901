"""Tensors in shared memory over gRPC, by both of NVIDIA's clients and on streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import InferInput, InferRequestedOutput

from deployments.config.shared_memory import SharedMemory
from tests.support.grpc_server import Served, Setting, serving
from tests.support.local import fake_config
from tests.support.shared_memory import PREFIX, Memory, memory
from tests.support.triton_grpc import ASK, STREAM, Ask, refusal, texts

CLIP = np.full((1, 16_000), 7, np.int16)
EMBEDDING_BYTES = 192 * 4
OUT = CLIP.nbytes  # where the answer lies, behind the clip
NAME = "region"


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    config = fake_config().model_copy(update={"shared_memory": SharedMemory(prefix=PREFIX)})
    async with serving(Setting(config)) as served:
        yield served


@pytest.fixture
def clip() -> Iterator[Memory]:
    with memory(OUT + EMBEDDING_BYTES) as made:
        made.put(CLIP.tobytes())
        yield made


@pytest.fixture(params=sorted(ASK))
async def ask(request: pytest.FixtureRequest, served: Served, clip: Memory) -> Ask:
    """A client that has registered the clip's memory."""
    asking = ASK[request.param]
    size = OUT + EMBEDDING_BYTES
    await asking(served.address, "register_system_shared_memory", NAME, clip.key, size)
    return lambda call, *args, **kwargs: asking(served.address, call, *args, **kwargs)


def request(size: int = CLIP.nbytes, offset: int = 0, room: int = EMBEDDING_BYTES) -> Any:
    """A request whose input and output lie in the region."""
    audio = InferInput("AUDIO", list(CLIP.shape), "INT16")
    audio.set_shared_memory(NAME, size, offset)
    output = InferRequestedOutput("EMBEDDING")
    output.set_shared_memory(NAME, room, OUT)
    return {"model_name": "speaker", "inputs": [audio], "outputs": [output]}


def embedded(clip: Memory) -> int:
    """Where the embedding in the memory has its one."""
    return int(np.frombuffer(clip.get(OUT, EMBEDDING_BYTES), np.float32).argmax())


async def test_tensors_go_both_ways(ask: Ask, clip: Memory) -> None:
    answer = await ask("infer", **request())
    assert embedded(clip) == 7
    assert list(answer.get_response().raw_output_contents) == [b""]
    assert list(answer.get_response().outputs[0].shape) == [1, 192]


async def test_regions_are_listed_and_forgotten(ask: Ask, clip: Memory) -> None:
    (found,) = (await ask("get_system_shared_memory_status", NAME)).regions.values()
    assert (found.name, found.key, found.offset) == (NAME, clip.key, 0)
    await ask("unregister_system_shared_memory", NAME)
    assert not (await ask("get_system_shared_memory_status")).regions
    error = await refusal(ask("get_system_shared_memory_status", NAME))
    assert error.status() == str(grpc.StatusCode.NOT_FOUND)


WRONG = {
    "beyond-its-end": request(offset=OUT + EMBEDDING_BYTES - 8),
    "of-another-size": request(size=CLIP.nbytes - 2),
    "no-room-for-the-output": request(room=8),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_what_does_not_fit_is_refused(ask: Ask, wrong: Any) -> None:
    error = await refusal(ask("infer", **wrong))
    assert error.status() == str(grpc.StatusCode.INVALID_ARGUMENT)


async def test_memory_that_was_cut_is_refused(ask: Ask, clip: Memory) -> None:
    clip.cut(100)
    error = await refusal(ask("infer", **request()))
    assert error.status() == str(grpc.StatusCode.INVALID_ARGUMENT)


async def test_an_unknown_region_is_refused(ask: Ask) -> None:
    await ask("unregister_system_shared_memory")
    error = await refusal(ask("infer", **request()))
    assert error.message() == f"Unable to find shared memory region: '{NAME}'"


async def test_a_stream_takes_regions(ask: Ask, served: Served, clip: Memory) -> None:
    await STREAM["asyncio"](served.address, [request()], 1)
    assert embedded(clip) == 7


async def test_parts_have_no_place_in_a_region(ask: Ask, served: Served) -> None:
    output = InferRequestedOutput("AUDIO")
    output.set_shared_memory(NAME, EMBEDDING_BYTES)
    inputs = texts(TEXT="Hello.", LANGUAGE="en")
    spoken = {"model_name": "tts", "inputs": inputs, "outputs": [output]}
    (error,) = await STREAM["asyncio"](served.address, [spoken], 1)
    assert error.message() == "outputs that come in parts cannot lie in shared memory"
