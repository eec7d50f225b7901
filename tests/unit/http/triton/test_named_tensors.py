"""A server whose only models are networks that are no speech: ``/v2`` by their own tensors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferRequestedOutput, InferResult

from deployments.catalogue.selection import Fleet
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.inference.tensors import HEADER_LENGTH
from tests.support.asgi import connect
from tests.support.local import LocalDirectory, fake_fleet
from tests.support.named_tensors import FAKE_TENSORS, FORBIDDEN
from tests.support.triton import tensor

MODEL = "/v2/models/sums"
CONFIG = AppConfig(
    models={"sums": ModelConfig(engine=FAKE_TENSORS), "other": ModelConfig(engine=FAKE_TENSORS)}
)


@dataclass
class Served:
    """The application, and the replicas behind it."""

    http: httpx.AsyncClient
    remotes: LocalDirectory

    async def post(self, inputs: Mapping[str, Any], outputs: Any = None) -> httpx.Response:
        """Send what NVIDIA's client would send."""
        sent = [tensor(name, values) for name, values in inputs.items()]
        body, head = InferenceServerClient.generate_request_body(sent, outputs=outputs)
        headers = {HEADER_LENGTH: str(head)}
        return await self.http.post(f"{MODEL}/infer", content=body, headers=headers)

    async def infer(self, inputs: Mapping[str, Any], outputs: Any = None) -> InferResult:
        """Read the answer as NVIDIA's client does."""
        answer = await self.post(inputs, outputs)
        assert answer.status_code == 200, answer.text
        length = answer.headers.get(HEADER_LENGTH.lower())
        return InferenceServerClient.parse_response_body(
            answer.content, header_length=None if length is None else int(length)
        )


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    remotes = LocalDirectory(CONFIG)
    fleet = await fake_fleet(CONFIG, remotes, sums=BatchPolicy(max_batch_size=4))
    async with connect(asgi_app(fleet, CONFIG, Admission(64))) as http:
        yield Served(http, remotes)


def rows(*values: list[float], count: int = 1) -> dict[str, Any]:
    return {
        "values": np.array(values, np.float32),
        "note": np.array([[f"n{number}".encode()] for number in range(len(values))], object),
        "count": np.full(len(values), count, np.int64),
    }


async def test_rows_are_answered_by_the_models_own_tensors(served: Served) -> None:
    found = await served.infer(rows([1, 2], [3, 4], count=3))
    assert found.as_numpy("sum").tolist() == [3, 7]
    assert found.as_numpy("note").tolist() == [[b"n0"], [b"n1"]]
    assert found.as_numpy("counted").tolist() == [[3, 3, 3], [3, 3, 3]]
    assert served.remotes["sums"].batches == [2]


async def test_the_outputs_that_are_asked_for_are_sent(served: Served) -> None:
    found = await served.infer(rows([1, 2]), [InferRequestedOutput("sum", binary_data=False)])
    assert [each["name"] for each in found.get_response()["outputs"]] == ["sum"]


async def test_rows_of_callers_share_a_batch_where_their_shapes_are_equal(served: Served) -> None:
    remote, lengths = served.remotes["sums"], list[list[int]]()
    run = remote.infer

    async def watched(items: Sequence[Any]) -> Any:
        lengths.append([item.inputs["values"].size for item in items])
        return await run(items)

    remote.infer = watched  # type: ignore[method-assign]
    asked = [[1.0], [2.0], [1.0, 1.0], [3.0], [2.0, 2.0]]
    found = await asyncio.gather(*(served.infer(rows(values)) for values in asked))
    assert [each.as_numpy("sum").tolist() for each in found] == [[sum(values)] for values in asked]
    assert all(len(set(batch)) == 1 for batch in lengths), lengths
    assert len(lengths) < len(asked)


async def test_numbers_that_are_none_pass_both_ways(served: Served) -> None:
    found = await served.infer(rows([np.nan], [np.inf]))
    assert str(found.as_numpy("sum").tolist()) == "[nan, inf]"


async def test_large_outputs_are_whole(served: Served) -> None:
    found = await served.infer(rows([1], count=100_000))
    assert found.as_numpy("counted").tolist() == [[100_000] * 100_000]


async def test_json_is_understood(served: Served) -> None:
    inputs = [
        {"name": "values", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]},
        {"name": "note", "datatype": "BYTES", "shape": [1, 1], "data": ["é"]},
        {"name": "count", "datatype": "INT64", "shape": [1], "data": [2]},
    ]
    answer = (await served.http.post(f"{MODEL}/infer", json={"inputs": inputs})).json()
    assert {each["name"]: each["data"] for each in answer["outputs"]} == {
        "sum": [3.0],
        "note": ["é"],
        "counted": [2, 2],
    }


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "an input less": ({"values": np.ones((1, 1), np.float32)}, 400, "missing required input"),
    "another type": (rows([1]) | {"count": np.ones(1, np.int32)}, 400, "expects 'INT64'"),
    "another rank": (rows([1]) | {"count": np.ones((1, 1), np.int64)}, 400, "unexpected shape"),
    "an unknown input": (rows([1]) | {"more": np.ones(1, np.int64)}, 400, "unexpected inference"),
    "other rows": (rows([1]) | {"count": np.ones(2, np.int64)}, 400, "batch size does not match"),
    "no rows": (
        {
            "values": np.ones((0, 1), np.float32),
            "note": np.ones((0, 1), object),
            "count": np.ones(0, np.int64),
        },
        400,
        "batch-size must be >= 1",
    ),
    "too many rows": (rows(*[[1.0]] * 5), 400, "batch-size must be <= 4"),
    "what it cannot compute": (rows([FORBIDDEN]), 422, "it cannot compute this row"),
    "rows of different answers": (
        rows([1], [2]) | {"count": np.array([1, 2])},
        422,
        "output 'counted' has rows of different shapes, such as [1] and [2]",
    ),
}


@pytest.mark.parametrize(("inputs", "status", "message"), BAD.values(), ids=BAD)
async def test_bad_rows_are_refused_in_words(
    served: Served, inputs: dict[str, Any], status: int, message: str
) -> None:
    answer = await served.post(inputs)
    assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text


async def test_metadata_and_configuration_come_from_the_model(served: Served) -> None:
    metadata = (await served.http.get(MODEL)).json()
    config = (await served.http.get(f"{MODEL}/config")).json()
    assert metadata["inputs"] == [
        {"name": "values", "datatype": "FP32", "shape": [-1, -1]},
        {"name": "note", "datatype": "BYTES", "shape": [-1, 1]},
        {"name": "count", "datatype": "INT64", "shape": [-1]},
    ]
    assert config["input"][1] == {"name": "note", "data_type": "TYPE_STRING", "dims": [1]}
    assert (config["max_batch_size"], metadata["platform"]) == (4, f"dragoman_{FAKE_TENSORS}")


async def test_the_index_has_the_models_and_no_name_of_their_kind(served: Served) -> None:
    listed = (await served.http.post("/v2/repository/index")).json()
    assert {row["name"]: row["state"] for row in listed} == {"sums": "READY", "other": "READY"}
    for path in ("/v2/models/tensors", "/v1/models/tensors"):
        assert (await served.http.get(path)).status_code == 404


async def test_the_models_are_listed_and_counted(served: Served) -> None:
    await served.infer(rows([1], [2]))
    listed = (await served.http.get("/v1/models")).json()["data"]
    assert [(row["id"], row["kind"]) for row in listed] == [
        ("sums", "tensors"),
        ("other", "tensors"),
    ]
    stats = (await served.http.get(f"{MODEL}/stats")).json()["model_stats"][0]
    assert (stats["inference_count"], stats["execution_count"]) == (2, 1)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/config"), ("GET", "/ready"), ("POST", "/infer")],
)
async def test_a_model_that_was_never_loaded_is_not_ready(method: str, path: str) -> None:
    remotes = LocalDirectory(CONFIG)
    remotes["sums"].is_loading = True
    fleet_config = CONFIG.model_copy(update={"models": {"sums": CONFIG.models["sums"]}})
    remotes.pop("other")
    fleet = Fleet(fleet_config, remotes)
    fleet.start()
    async with connect(asgi_app(fleet, fleet_config, Admission(8))) as http:
        answer = await http.request(method, f"{MODEL}{path}", json={"inputs": []})
        live = await http.get("/v2/health/live")
    assert (answer.status_code, live.status_code) == (503, 200), answer.text


async def test_an_unloaded_model_keeps_its_signature_and_comes_back(served: Served) -> None:
    assert (await served.http.post("/v2/repository/models/sums/unload")).status_code == 200
    assert (await served.http.get(MODEL)).status_code == 200
    assert (await served.post(rows([1]))).status_code == 503
    asked = {"parameters": {"config": '{"max_batch_size": 2}'}}
    loaded = await served.http.post("/v2/repository/models/sums/load", json=asked)
    assert loaded.status_code == 200, loaded.text
    assert (await served.infer(rows([1, 2]))).as_numpy("sum").tolist() == [3]
    assert (await served.post(rows([1], [2], [3]))).status_code == 400


async def test_a_kept_answer_is_that_of_the_same_rows() -> None:
    remotes = LocalDirectory(CONFIG)
    policy = BatchPolicy(response_cache=True)
    fleet = await fake_fleet(CONFIG, remotes, sums=policy)
    async with connect(asgi_app(fleet, CONFIG, Admission(64))) as http:
        served = Served(http, remotes)
        sums = [
            (await served.infer(rows(values))).as_numpy("sum").tolist()
            for values in ([1.0, 2.0], [2.0, 2.0], [1.0, 2.0])
        ]
    assert sums == [[3], [4], [3]]
    assert remotes["sums"].batches == [1, 1]


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/v1/text/translations"])
async def test_what_needs_speech_says_that_there_is_none(served: Served, path: str) -> None:
    fields = {"input": "a", "voice": "b", "text": "a", "source_language": "en"}
    answer = await served.http.post(path, json=fields | {"target_language": "pt"})
    assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize("path", ["/health/ready", "/v2/health/ready", "/metrics", "/v1/models"])
async def test_the_server_is_whole_without_speech(served: Served, path: str) -> None:
    assert (await served.http.get(path)).status_code == 200
