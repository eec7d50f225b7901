"""One stream of many requests: its order, its errors, answers in parts, its bounds and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc.aio import InferenceServerClient

from deployments.grpc.messages import SERVICE
from tests.support.grpc_server import Served, Setting, serving
from tests.support.triton_grpc import STREAM, audio, parameters_of, stream_sync, texts, words

SECOND = np.full(16_000, 700, np.int16)
NMT = {"SOURCE_LANGUAGE": "en", "TARGET_LANGUAGE": "pt"}
COLOURS = pytest.mark.parametrize("colour", sorted(STREAM))
FINAL = "triton_final_response"


def translate(text: str, **more: Any) -> dict[str, Any]:
    return {"model_name": "nmt", "inputs": texts(TEXT=text, **NMT), **more}


def speak(text: str, **more: Any) -> dict[str, Any]:
    return {"model_name": "tts", "inputs": texts(TEXT=text, LANGUAGE="en"), **more}


def told(answers: list[Any]) -> list[tuple[str, bool]]:
    """The id and the mark of the end of each answer."""
    return [(each.get_response().id, parameters_of(each)[FINAL]) for each in answers]


@COLOURS
async def test_answers_come_in_the_order_of_requests(served: Served, colour: str) -> None:
    requests = [translate(f"{n}.", request_id=str(n)) for n in range(20)]
    answers = await STREAM[colour](served.address, requests, 20)
    assert told(answers) == [(str(n), True) for n in range(20)]
    assert [words(each, "TRANSLATION") for each in answers] == [f"pt: {n}." for n in range(20)]


async def test_a_request_waits_for_the_answer_before_it(served: Served) -> None:
    gate = asyncio.Event()
    served.remotes["nmt"].hold_all(gate)
    requests = [
        translate("One.", request_id="slow"),
        {"model_name": "asr", "inputs": audio(SECOND), "request_id": "quick"},
    ]
    asking = asyncio.create_task(STREAM["asyncio"](served.address, requests, 2))
    async with asyncio.timeout(10):
        while not served.remotes["asr"].batches:
            await asyncio.sleep(0.01)
    gate.set()
    assert [each.get_response().id for each in await asking] == ["slow", "quick"]


@COLOURS
async def test_an_error_is_told_of_its_request_and_the_stream_goes_on(
    served: Served, colour: str
) -> None:
    requests = [
        translate("One."),
        {"model_name": "nothing", "inputs": audio(SECOND)},
        {"model_name": "nmt", "inputs": audio(SECOND)},
        translate("Two."),
    ]
    answers = await STREAM[colour](served.address, requests, 4)
    assert [words(answers[n], "TRANSLATION") for n in (0, 3)] == ["pt: One.", "pt: Two."]
    assert answers[1].message() == "Request for unknown model: 'nothing' is not found"
    assert "unexpected inference input 'AUDIO'" in answers[2].message()


# ---- answers in parts ----------------------------------------------------------------------

SENTENCES = "Hello one. Two there. Three."


@COLOURS
async def test_speech_comes_sentence_by_sentence(served: Served, colour: str) -> None:
    answers = await STREAM[colour](served.address, [speak(SENTENCES, request_id="a")], 3)
    assert told(answers) == [("a", False), ("a", False), ("a", True)]
    lengths = [each.as_numpy("AUDIO").shape[1] for each in answers]
    assert all(each > 0 for each in lengths)


async def test_an_empty_answer_ends_it_where_that_is_asked_for(served: Served) -> None:
    request = speak(SENTENCES, request_id="a", enable_empty_final_response=True)
    answers = await stream_sync(served.address, [request], 4)
    assert told(answers) == [("a", False)] * 3 + [("a", True)]
    assert answers[-1].as_numpy("AUDIO") is None


async def test_parts_are_the_whole(served: Served) -> None:
    answers = await STREAM["asyncio"](served.address, [speak(SENTENCES)], 3)
    async with InferenceServerClient(served.address) as client:
        whole = await client.infer("tts", speak(SENTENCES)["inputs"])
    parts = np.concatenate([each.as_numpy("AUDIO")[0] for each in answers])
    np.testing.assert_array_equal(parts, whole.as_numpy("AUDIO")[0])


async def test_the_graph_comes_sentence_by_sentence(served: Served) -> None:
    inputs = [*audio(SECOND), *texts(TARGET_LANGUAGE="pt")]
    request = {"model_name": "speech_translation", "inputs": inputs}
    answers = await STREAM["asyncio"](served.address, [request], 2)
    assert [words(each, "TRANSLATION") for each in answers] == [
        "pt: There are 16000 samples.",
        "pt: The loudest is 700.",
    ]
    assert [mark for _, mark in told(answers)] == [False, True]
    assert {words(each, "VOICE") for each in answers} == {"fake-pt"}


async def test_a_silent_recording_has_one_empty_answer(served: Served) -> None:
    inputs = [*audio(SECOND * 0), *texts(TARGET_LANGUAGE="pt")]
    request = {"model_name": "speech_translation", "inputs": inputs}
    (answer,) = await STREAM["asyncio"](served.address, [request], 1)
    assert (words(answer, "TRANSCRIPT"), parameters_of(answer)[FINAL]) == ("", True)


async def test_what_cannot_be_spoken_is_an_error(served: Served) -> None:
    (error,) = await STREAM["asyncio"](served.address, [speak(" ")], 1)
    assert error.message() == "input 'TEXT' must not be empty"


# ---- bounds and the end --------------------------------------------------------------------


async def test_requests_of_a_stream_need_places() -> None:
    async with serving(Setting(places=1)) as served:
        with served.admission:
            (error,) = await STREAM["asyncio"](served.address, [translate("One.")], 1)
    assert "as many requests as this server takes at once" in error.message()


async def test_streams_are_counted() -> None:
    async with (
        serving(Setting(grpc={"max_streams": 1})) as served,
        grpc.aio.insecure_channel(served.address) as channel,
    ):
        method = channel.stream_stream(f"/{SERVICE}/ModelStreamInfer")
        first = method()
        await first.write(b"")
        await first.read()
        assert await method().code() is grpc.StatusCode.UNAVAILABLE
        first.cancel()


async def test_no_more_is_read_than_a_stream_may_have_in_flight() -> None:
    async with serving(Setting(grpc={"max_in_flight_per_stream": 2})) as served:
        gate = asyncio.Event()
        served.remotes["nmt"].hold_all(gate)
        requests = [translate(f"{n}.") for n in range(6)]
        asking = asyncio.create_task(STREAM["asyncio"](served.address, requests, 6))
        async with asyncio.timeout(10):
            while served.admission._running < 2:
                await asyncio.sleep(0.01)
        assert served.admission._running == 2
        gate.set()
        assert len(await asking) == 6


async def test_a_drain_ends_a_stream_behind_what_runs(served: Served) -> None:
    gate = asyncio.Event()
    served.remotes["nmt"].hold_all(gate)
    async with InferenceServerClient(served.address) as client:

        async def one_and_wait() -> AsyncIterator[dict[str, Any]]:
            yield translate("One.")
            await asyncio.Event().wait()

        answers = client.stream_infer(one_and_wait()).__aiter__()
        asking = asyncio.ensure_future(anext(answers))
        async with asyncio.timeout(10):
            while not served.admission._running:
                await asyncio.sleep(0.01)
        draining = asyncio.create_task(served.admission.drain(10))
        await served.admission.stopping.wait()
        gate.set()
        result, error = await asking
        assert (words(result, "TRANSLATION"), error) == ("pt: One.", None)
        assert await draining
        with pytest.raises(Exception, match="the server is stopping"):
            await anext(answers)


async def test_a_caller_who_leaves_ends_all_of_its_stream(served: Served) -> None:
    gate = asyncio.Event()
    served.remotes["nmt"].hold_all(gate)
    asking = asyncio.create_task(
        STREAM["asyncio"](served.address, [translate("One."), translate("Two.")], 2)
    )
    async with asyncio.timeout(10):
        while served.admission._running < 2:
            await asyncio.sleep(0.01)
        asking.cancel()
        while served.admission._running or served.admission._coming:
            await asyncio.sleep(0.01)
    assert served.bodies.held_bytes == 0
    gate.set()
