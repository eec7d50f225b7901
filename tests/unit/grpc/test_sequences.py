"""A live session as a sequence of a stream: samples in, texts and speech out, and its ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc.aio import InferenceServerClient

from deployments.config.live import Live
from tests.support.grpc_server import Served, Setting, serving
from tests.support.local import fake_config
from tests.support.triton_grpc import STREAM, audio, parameters_of, texts, words

LOUD, QUIET = np.full(16_000, 700, np.int16), np.zeros(16_000, np.int16)


def piece(samples: Any = LOUD, sequence: Any = 7, *, start: bool = False, **more: Any) -> Any:
    """One request of a sequence."""
    own = texts(TARGET_LANGUAGE="pt") if start else []
    return {
        "model_name": "speech_translation",
        "inputs": [*audio(samples), *own],
        "sequence_id": sequence,
        "sequence_start": start,
        **more,
    }


def spoken(sequence: Any = 7) -> list[Any]:
    """A sequence of two seconds of speech and two of silence."""
    return [
        piece(sequence=sequence, start=True, request_id="first"),
        *(piece(each, sequence) for each in (LOUD, QUIET)),
        piece(QUIET, sequence, sequence_end=True),
    ]


async def told(address: str, requests: list[Any]) -> list[Any]:
    """All answers, up to the last one of a sequence."""

    async def each() -> AsyncIterator[Any]:
        for request in requests:
            yield request

    found = []
    async with asyncio.timeout(30), InferenceServerClient(address) as client:
        async for result, error in client.stream_infer(each()):
            found.append(error or result)
    return found


def of_kind(answers: list[Any], kind: str) -> list[Any]:
    return [each for each in answers if parameters_of(each)["event"] == kind]


async def test_it_is_heard_translated_and_spoken(served: Served) -> None:
    answers = await told(served.address, spoken())
    heard = "".join(words(each, "TRANSCRIPT") for each in of_kind(answers, "transcript"))
    translated = "".join(words(each, "TRANSLATION") for each in of_kind(answers, "translation"))
    assert heard.startswith("There are")
    assert translated.startswith("pt: There are")
    speech = of_kind(answers, "speech")
    assert all(each.as_numpy("AUDIO").size for each in speech)
    assert {parameters_of(each)["language"] for each in speech} == {"pt"}


async def test_every_answer_names_its_sequence_and_the_last_one_says_so(served: Served) -> None:
    answers = await told(served.address, spoken("my-talk"))
    assert {each.get_response().id for each in answers} == {"first"}
    assert {parameters_of(each)["sequence_id"] for each in answers} == {"my-talk"}
    marks = [parameters_of(each)["triton_final_response"] for each in answers]
    assert marks == [False] * (len(answers) - 1) + [True]
    assert parameters_of(answers[-1])["event"] == "closed"


async def test_a_stream_that_ends_flushes_its_sequence(served: Served) -> None:
    answers = await told(served.address, spoken()[:-1])
    assert of_kind(answers, "translation")
    assert parameters_of(answers[-1])["event"] == "closed"
    assert not len(served.sessions)


async def test_two_sequences_share_a_stream(served: Served) -> None:
    mixed = [each for pair in zip(spoken(1), spoken(2), strict=True) for each in pair]
    answers = await told(served.address, mixed)
    closed = of_kind(answers, "closed")
    assert sorted(parameters_of(each)["sequence_id"] for each in closed) == [1, 2]


async def test_a_transcript_needs_no_target(served: Served) -> None:
    first = {**piece(), "sequence_start": True}
    first["inputs"] = [*audio(LOUD), *texts(TASK="transcribe")]
    answers = await told(served.address, [first, *spoken()[1:]])
    assert of_kind(answers, "transcript")
    assert not of_kind(answers, "translation")


async def test_other_requests_go_on_beside_it(served: Served) -> None:
    nmt = {
        "model_name": "nmt",
        "inputs": texts(TEXT="Hello.", SOURCE_LANGUAGE="en", TARGET_LANGUAGE="pt"),
        "request_id": "beside",
    }
    answers = await told(served.address, [spoken()[0], nmt, *spoken()[1:]])
    assert "beside" in {each.get_response().id for each in answers}


async def test_a_caller_who_leaves_ends_the_session(served: Served) -> None:
    async def begun() -> AsyncIterator[Any]:
        yield piece(start=True)
        await asyncio.Event().wait()

    async with InferenceServerClient(served.address) as client:
        answers = client.stream_infer(begun()).__aiter__()
        await anext(answers)
        assert len(served.sessions) == 1
        answers.cancel()
    async with asyncio.timeout(10):
        while len(served.sessions) or served.admission._coming:
            await asyncio.sleep(0.01)


async def test_a_drain_flushes_it_with_its_reason(served: Served) -> None:
    async def begun() -> AsyncIterator[Any]:
        yield piece(start=True)
        await asyncio.Event().wait()

    async with InferenceServerClient(served.address) as client:
        answers = client.stream_infer(begun()).__aiter__()
        await anext(answers)
        draining = asyncio.create_task(served.admission.drain(10))
        errors: list[Any] = []
        with pytest.raises(Exception, match="the server is stopping"):
            await _all_of(answers, errors)
        assert await draining
    assert errors[-1].message() == "the server is stopping"


async def _all_of(answers: Any, errors: list[Any]) -> None:
    async for _, error in answers:
        errors.append(error)


async def test_no_more_are_open_than_may() -> None:
    config = fake_config().model_copy(update={"live": Live(max_sessions=1)})
    async with serving(Setting(config)) as served:
        requests = [piece(sequence=n, start=True) for n in (1, 2)]
        answers = await told(served.address, requests)
    errors = [each for each in answers if isinstance(each, Exception)]
    assert [str(error) for error in errors] == ["1 live sessions are open, the most here"]


WRONG = {
    "never-begun": (
        [piece()],
        "inference request for sequence 7 to model 'speech_translation' must specify the START "
        "flag on the first request of the sequence",
    ),
    "begun-twice": (
        [piece(start=True), piece(start=True), piece(sequence_end=True)],
        "sequence 7 is open already",
    ),
    "another-model": (
        [{**piece(), "model_name": "vad", "sequence_start": True}],
        "model 'vad' takes no sequences; speech_translation does",
    ),
    "no-target": (
        [{**piece(), "sequence_start": True}],
        "input 'TARGET_LANGUAGE' must not be empty",
    ),
    "wrong-delay": (
        [piece(start=True, parameters={"delay": "none"})],
        "parameter 'delay' must be one of minimal, low, medium, high, xhigh",
    ),
}


@pytest.mark.parametrize(("requests", "why"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_said(served: Served, requests: list[Any], why: str) -> None:
    answers = await told(served.address, requests)
    assert why in [str(each) for each in answers if isinstance(each, Exception)]


async def test_a_stream_by_either_client(served: Served) -> None:
    answers = await STREAM["sync"](served.address, spoken()[:1], 1)
    assert parameters_of(answers[0])["event"] == "speech_started"
