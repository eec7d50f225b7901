"""Every call of NVIDIA's client, in both of its colours, against the service on fakes."""

from __future__ import annotations

import asyncio
import json
from queue import SimpleQueue
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient import grpc as triton
from tritonclient.grpc import InferRequestedOutput

from tests.support.grpc_server import Served
from tests.support.triton_grpc import (
    ASK,
    STREAM,
    WITHIN_S,
    Ask,
    audio,
    refusal,
    tensor,
    texts,
    words,
)

SECOND = np.full(16_000, 700, np.int16)
COLOURS = pytest.mark.parametrize("colour", sorted(ASK))
NMT = {"TEXT": "Hello.", "SOURCE_LANGUAGE": "en", "TARGET_LANGUAGE": "pt"}


@pytest.fixture(params=sorted(ASK))
def ask(request: pytest.FixtureRequest, served: Served) -> Ask:
    asking = ASK[request.param]
    return lambda call, *args, **kwargs: asking(served.address, call, *args, **kwargs)


# ---- the server --------------------------------------------------------------------------


async def test_the_server_is_live_and_ready(ask: Ask) -> None:
    assert [await ask("is_server_live"), await ask("is_server_ready")] == [True, True]


async def test_the_server_names_itself(ask: Ask) -> None:
    found = await ask("get_server_metadata", as_json=True)
    assert found["name"] == "dragoman"
    assert {"statistics", "model_repository", "sequence"} <= set(found["extensions"])


async def test_a_server_that_drains_is_live_and_not_ready(ask: Ask, served: Served) -> None:
    served.admission.draining = True
    assert [await ask("is_server_live"), await ask("is_server_ready")] == [True, False]


# ---- a model -----------------------------------------------------------------------------


async def test_a_model_is_ready(ask: Ask) -> None:
    assert await ask("is_model_ready", "asr")
    assert await ask("is_model_ready", "asr", "1")


async def test_metadata_lists_tensors(ask: Ask) -> None:
    found = await ask("get_model_metadata", "speaker")
    tensors = [(each.name, each.datatype, list(each.shape)) for each in found.outputs]
    assert tensors == [("EMBEDDING", "FP32", [-1, 192])]
    assert list(found.versions) == ["1"]


async def test_configuration_is_that_of_http(ask: Ask) -> None:
    config = (await ask("get_model_config", "speaker")).config
    assert (config.max_batch_size, config.backend) == (4, "tests.support.fakes:SleepSpeaker")
    assert config.dynamic_batching.default_queue_policy.allow_timeout_override


@pytest.mark.parametrize(
    ("model", "decoupled"), [("asr", False), ("tts", True), ("speech_translation", True)]
)
async def test_configuration_says_who_answers_in_parts(
    ask: Ask, model: str, decoupled: bool
) -> None:
    config = (await ask("get_model_config", model)).config
    assert config.model_transaction_policy.decoupled is decoupled


async def test_statistics_count_requests(ask: Ask) -> None:
    await ask("infer", "nmt", texts(**NMT))
    (of_one,) = (await ask("get_inference_statistics", "nmt")).model_stats
    of_all = (await ask("get_inference_statistics")).model_stats
    assert (of_one.inference_stats.success.count, of_one.inference_count) == (1, 1)
    assert of_one.batch_stats[0].batch_size == 1
    assert of_one in list(of_all)


# ---- the repository ----------------------------------------------------------------------


async def test_the_index_lists_models(ask: Ask) -> None:
    models = (await ask("get_model_repository_index")).models
    states = {each.name: each.state for each in models}
    assert states["asr"] == states["speech_translation"] == "READY"


async def test_a_model_is_unloaded_and_loaded(ask: Ask) -> None:
    await ask("unload_model", "nmt")
    assert not await ask("is_model_ready", "nmt")
    await ask("load_model", "nmt")
    assert await ask("is_model_ready", "nmt")


async def test_a_model_is_loaded_with_a_configuration(ask: Ask) -> None:
    await ask("load_model", "nmt", config=json.dumps({"max_batch_size": 3}))
    assert (await ask("get_model_config", "nmt")).config.max_batch_size == 3


async def test_files_of_a_model_are_refused(ask: Ask) -> None:
    files = {"file:1/model.onnx": b"weights"}
    error = await refusal(ask("load_model", "nmt", config="{}", files=files))
    assert "parameter 'file:1/model.onnx' of load is not supported" in error.message()


# ---- inference ---------------------------------------------------------------------------


async def test_infer_echoes_the_id(ask: Ask) -> None:
    answer = await ask("infer", "asr", audio(SECOND), request_id="my-1")
    assert answer.get_response().id == "my-1"
    assert words(answer, "TEXT") == "There are 16000 samples. The loudest is 700."


async def test_infer_answers_the_outputs_that_are_asked_for(ask: Ask) -> None:
    outputs = [InferRequestedOutput("LANGUAGE"), InferRequestedOutput("TEXT")]
    answer = await ask("infer", "asr", audio(SECOND), outputs=outputs)
    assert [each.name for each in answer.get_response().outputs] == ["LANGUAGE", "TEXT"]


async def test_infer_of_rows(ask: Ask) -> None:
    rows = np.stack([np.full(16_000, level, np.int16) for level in (3, 5)])
    answer = await ask("infer", "speaker", [tensor("AUDIO", rows)], model_version="1")
    assert answer.as_numpy("EMBEDDING").argmax(axis=1).tolist() == [3, 5]


async def test_infer_with_scheduling(ask: Ask) -> None:
    inputs = texts(**NMT)
    answer = await ask("infer", "nmt", inputs, priority=2, timeout=5_000_000, client_timeout=20)
    assert words(answer, "TRANSLATION") == "pt: Hello."


async def test_classification_is_refused(ask: Ask) -> None:
    outputs = [InferRequestedOutput("EMBEDDING", class_count=3)]
    error = await refusal(ask("infer", "speaker", audio(SECOND), outputs=outputs))
    assert (error.status(), error.message()) == (
        "StatusCode.INVALID_ARGUMENT",
        "classification of output 'EMBEDDING' is not supported",
    )


async def test_async_infer(served: Served) -> None:
    def asking() -> Any:
        found: SimpleQueue[Any] = SimpleQueue()
        with triton.InferenceServerClient(served.address) as client:
            client.async_infer("asr", audio(SECOND), lambda result, error: found.put(result))
            return found.get(timeout=WITHIN_S)

    assert words(await asyncio.to_thread(asking), "LANGUAGE") == "en"


@COLOURS
async def test_a_stream(served: Served, colour: str) -> None:
    request = {"model_name": "nmt", "inputs": texts(**NMT)}
    answers = await STREAM[colour](served.address, [request, request], 2)
    assert [words(each, "TRANSLATION") for each in answers] == ["pt: Hello."] * 2


# ---- what is not there -------------------------------------------------------------------

ABSENT: dict[str, tuple[Any, ...]] = {
    "get_trace_settings": (),
    "update_trace_settings": (),
    "get_log_settings": (),
    "update_log_settings": ({"log_info": True},),
}


@pytest.mark.parametrize("call", ABSENT)
async def test_what_is_not_there_says_so(ask: Ask, call: str) -> None:
    error = await refusal(ask(call, *ABSENT[call]))
    assert error.status() == str(grpc.StatusCode.UNIMPLEMENTED)


async def test_memory_of_a_gpu_is_refused(ask: Ask) -> None:
    handle = b"aGFuZGxl"
    error = await refusal(ask("register_cuda_shared_memory", "region", handle, 0, 64))
    assert error.message().startswith("CUDA shared memory is not supported")
    assert not (await ask("get_cuda_shared_memory_status")).regions
    await ask("unregister_cuda_shared_memory")


async def test_shared_memory_that_is_off_is_refused_in_words(ask: Ask) -> None:
    error = await refusal(ask("register_system_shared_memory", "region", "/key", 64))
    assert "shared_memory.prefix is not set" in error.message()
