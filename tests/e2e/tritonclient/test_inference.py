"""NVIDIA's Triton client: what goes in, and what comes out, of one caller and of many."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferRequestedOutput

from tests.e2e.tritonclient.served import counted, heard, tone
from tests.support.server import Running
from tests.support.triton import (
    CLIENTS,
    COVERED,
    Ask,
    aio_client,
    asking,
    audio,
    sync_client,
    tensor,
    texts,
    translation_inputs,
)

# The asynchronous client leaves answers without a body unread.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")


WAYS = {"binary": True, "json": False}


@pytest.mark.parametrize("sent", WAYS)
@pytest.mark.parametrize("got", WAYS)
def test_numbers_go_both_ways_in_both_forms(ask: Ask, sent: str, got: str) -> None:
    output = InferRequestedOutput("EMBEDDING", binary_data=WAYS[got])
    result = ask("infer", "speaker", audio(tone(9), binary=WAYS[sent]), outputs=[output])
    embedding = result.as_numpy("EMBEDDING")
    assert (embedding.shape, embedding.dtype) == ((1, 192), np.float32)
    assert np.flatnonzero(embedding).tolist() == [9]
    assert ("data" in result.get_output("EMBEDDING")) is not WAYS[got]


@pytest.mark.parametrize("sent", WAYS)
@pytest.mark.parametrize("got", WAYS)
def test_texts_go_both_ways_in_both_forms(ask: Ask, sent: str, got: str) -> None:
    output = InferRequestedOutput("TRANSLATION", binary_data=WAYS[got])
    inputs = translation_inputs("Olá, 世界!", source="pt", target="en", binary=WAYS[sent])
    result = ask("infer", "nmt", inputs, outputs=[output])
    assert texts(result, "TRANSLATION") == ["en: Olá, 世界!"]


def test_forms_may_be_mixed(ask: Ask) -> None:
    inputs = [*audio(tone(12)), tensor("LANGUAGE", [["fr"]], binary=False)]
    outputs = [
        InferRequestedOutput("LANGUAGE", binary_data=False),
        InferRequestedOutput("TEXT", binary_data=True),
        InferRequestedOutput("LANGUAGE_PROBABILITY", binary_data=False),
    ]
    result = ask("infer", "asr", inputs, outputs=outputs)
    assert [output["name"] for output in result.get_response()["outputs"]] == [
        "LANGUAGE",
        "TEXT",
        "LANGUAGE_PROBABILITY",
    ]
    assert (texts(result, "TEXT"), texts(result, "LANGUAGE")) == ([heard(12)], ["fr"])


def test_without_outputs_all_come(ask: Ask) -> None:
    result = ask("infer", "vad", audio(tone(3)))
    names = {output["name"] for output in result.get_response()["outputs"]}
    assert names == {"SPANS", "SPAN_COUNT", "PROBABILITIES", "STATE"}
    assert result.as_numpy("SPANS")[0, 0].tolist() == [0.0, 0.5]


ALGORITHMS = ("gzip", "deflate")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_request_may_be_compressed(ask: Ask, algorithm: str) -> None:
    result = ask("infer", "asr", audio(tone(21)), request_compression_algorithm=algorithm)
    assert texts(result, "TEXT") == [heard(21)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_an_answer_may_be_compressed(ask: Ask, algorithm: str) -> None:
    result = ask("infer", "speaker", audio(tone(22)), response_compression_algorithm=algorithm)
    assert np.argmax(result.as_numpy("EMBEDDING")) == 22


@pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
def test_an_answer_is_compressed_only_on_request(
    fake_server: Running, capsys: pytest.CaptureFixture[str], algorithm: str | None
) -> None:
    address = urlsplit(fake_server.url).netloc
    with InferenceServerClient(address, verbose=True) as client:
        client.infer("speaker", audio(tone(22, 1_000)), response_compression_algorithm=algorithm)
    told = capsys.readouterr().out.lower()  # the answer's headers are among it
    assert [a for a in ALGORITHMS if f"'content-encoding': '{a}'" in told] == [algorithm][
        : algorithm is not None
    ]


def test_the_request_s_name_comes_back(ask: Ask) -> None:
    result = ask("infer", "asr", audio(tone(4)), request_id="a caller's own")
    assert result.get_response()["id"] == "a caller's own"


def test_a_request_without_a_name_has_none_in_its_answer(ask: Ask) -> None:
    assert "id" not in ask("infer", "asr", audio(tone(4))).get_response()


def test_every_row_has_its_own_answer(ask: Ask) -> None:
    lengths = {31: 4_000, 32: 16_000, 33: 9_000}
    rows = [tone(level, length) for level, length in lengths.items()]
    result = ask("infer", "asr", audio(*rows))
    assert texts(result, "TEXT") == [heard(level, n) for level, n in lengths.items()]


def test_the_graph_is_one_model(ask: Ask) -> None:
    inputs = [*audio(tone(4100), tone(4200)), tensor("TARGET_LANGUAGE", [["pt"], ["fr"]])]
    outputs = [InferRequestedOutput(name) for name in ("TRANSCRIPT", "TRANSLATION")]
    result = ask("infer", "speech_translation", inputs, outputs=outputs)
    assert texts(result, "TRANSCRIPT") == [heard(4100), heard(4200)]
    assert [text[:3] for text in texts(result, "TRANSLATION")] == ["pt:", "fr:"]


def test_a_body_may_be_made_and_read_apart_from_sending_it(
    fake_server: Running, colour: str
) -> None:
    client = CLIENTS[colour]
    COVERED[colour] |= {"generate_request_body", "parse_response_body"}
    body, json_size = client.generate_request_body(audio(tone(17)))
    header = {"Inference-Header-Content-Length": str(json_size)}
    answer = httpx.post(f"{fake_server.url}/v2/models/speaker/infer", content=body, headers=header)
    length = int(answer.headers["Inference-Header-Content-Length"])
    result = client.parse_response_body(answer.content, header_length=length)
    assert np.argmax(result.as_numpy("EMBEDDING")) == 17


# ---- many at once ----------------------------------------------------------------------


def test_requests_in_flight_of_one_client_each_have_their_answer(fake_server: Running) -> None:
    COVERED["sync"].add("async_infer")
    with sync_client(fake_server.url) as client:
        sent = [client.async_infer("speaker", audio(tone(level))) for level in range(24)]
        answers = [np.argmax(one.get_result().as_numpy("EMBEDDING")) for one in sent]
    assert answers == list(range(24))


def test_requests_of_one_event_loop_each_have_their_answer(fake_server: Running) -> None:
    async def all_at_once() -> list[int]:
        async with aio_client(fake_server.url) as client:
            sent = [client.infer("speaker", audio(tone(level))) for level in range(24)]
            return [
                int(np.argmax(result.as_numpy("EMBEDDING")))
                for result in await asyncio.gather(*sent)
            ]

    assert asyncio.run(all_at_once()) == list(range(24))


TURNS = range(2, 10)  # a level of 1 is noise to the fake recogniser


def test_users_share_batches_and_each_has_their_answer(fake_server: Running) -> None:
    ask = asking(fake_server.url, "sync")
    before = counted(ask, "speaker")["speaker"]

    def user(number: int) -> list[list[str]]:
        with sync_client(fake_server.url) as client:
            clips = [tone(100 * number + turn) for turn in TURNS]
            for turn, one in zip(TURNS, clips, strict=True):
                embedding = client.infer("speaker", audio(one)).as_numpy("EMBEDDING")
                assert np.argmax(embedding) == (100 * number + turn) % 192
            return [texts(client.infer("asr", audio(one)), "TEXT") for one in clips]

    with ThreadPoolExecutor(8) as users:
        answers = list(users.map(user, range(8)))
    after = counted(ask, "speaker")["speaker"]
    assert answers == [[[heard(100 * n + turn)] for turn in TURNS] for n in range(8)]
    rows, executions = (
        after[name] - before[name] for name in ("inference_count", "execution_count")
    )
    assert rows == 64
    assert rows / executions > 1
