"""The Open Inference Protocol over the whole application, in this process, on fakes."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import pytest

from deployments.batching.batch import BatchReply
from deployments.catalogue.selection import Fleet
from deployments.config.policy import BatchPolicy
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.types import Voiceprint
from tests.support.clock import settle
from tests.support.local import fake_config, fake_fleet, fake_remotes, until_queued
from tests.support.sockets import until

INFER = "/v2/models/{}/infer"
VAD = INFER.format("vad")
LENGTH = "inference-header-content-length"
SECOND = np.full(16_000, 700, np.int16)
KINDS = ("vad", "asr", "nmt", "tts", "speaker", "speech_translation")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    config = fake_config(max_tensor_json_bytes=1 << 21)
    policies = {"speaker": BatchPolicy(max_batch_size=4), "asr": BatchPolicy(response_cache=True)}
    app = asgi_app(await fake_fleet(config, **policies), config, Admission(64))
    async with connect(app) as client:
        yield client


def connect(app: Any) -> httpx.AsyncClient:
    headers = {"accept-encoding": "identity"}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)


def tensor(name: str, values: Any, datatype: str) -> dict[str, Any]:
    """An input as JSON."""
    array = np.array(values)
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.tolist()}


def audio(samples: Any = SECOND, rows: int = 1) -> dict[str, Any]:
    data = np.tile(np.asarray(samples), (rows, 1)).astype(np.float32) / 32768
    return tensor("AUDIO", data, "FP32")


def text(name: str, *values: str) -> dict[str, Any]:
    return tensor(name, [[value] for value in values], "BYTES")


def body(*inputs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"inputs": list(inputs), **fields}


EN_PT = (text("SOURCE_LANGUAGE", "en"), text("TARGET_LANGUAGE", "pt"))
GOOD = {
    "vad": body(audio()),
    "asr": body(audio()),
    "nmt": body(text("TEXT", "Hello."), *EN_PT),
    "tts": body(text("TEXT", "Olá."), text("LANGUAGE", "pt")),
    "speaker": body(audio()),
    "speech_translation": body(audio(), text("TARGET_LANGUAGE", "pt")),
}


def outputs(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return {o["name"]: np.array(o["data"]).reshape(o["shape"]) for o in answer.json()["outputs"]}


async def ask(http: httpx.AsyncClient, model: str, content: dict[str, Any]) -> dict[str, Any]:
    return outputs(await http.post(INFER.format(model), json=content))


# ---- what there is ---------------------------------------------------------------------


async def test_the_server_names_itself_and_what_it_can_do(http: httpx.AsyncClient) -> None:
    found = (await http.get("/v2")).json()
    assert (found["name"], len(found["extensions"])) == ("dragoman", 6)


PROBES = ["/v2/health/live", "/v2/health/ready", *(f"/v2/models/{kind}/ready" for kind in KINDS)]


@pytest.mark.parametrize("path", PROBES)
async def test_every_probe_answers(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    flags = [value for key, value in answer.json().items() if key in ("live", "ready")]
    assert (answer.status_code, flags) == (200, [True])


@pytest.mark.parametrize("kind", KINDS)
async def test_metadata_and_configuration_agree(http: httpx.AsyncClient, kind: str) -> None:
    metadata = (await http.get(f"/v2/models/{kind}/versions/1")).json()
    config = (await http.get(f"/v2/models/{kind}/config")).json()
    shapes = {i["name"]: i["shape"] for i in metadata["inputs"]}
    assert shapes == {i["name"]: [-1, *i["dims"]] for i in config["input"]}
    assert (metadata["versions"], metadata["platform"]) == (["1"], config["platform"])
    assert config["max_batch_size"] >= 1


@pytest.mark.parametrize("path", ["/v2/health/ready", *(f"/v2/models/{k}/ready" for k in KINDS)])
async def test_nothing_is_ready_before_it_is_known_where_it_is(path: str) -> None:
    config = fake_config()
    fleet = Fleet(config, fake_remotes(config))  # it has asked nobody yet
    async with connect(asgi_app(fleet, config, Admission(8))) as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.json()["ready"]) == (503, False)


async def test_the_graph_is_an_ensemble_of_its_steps(http: httpx.AsyncClient) -> None:
    config = (await http.get("/v2/models/speech_translation/config")).json()
    steps = [step["model_name"] for step in config["ensemble_scheduling"]["step"]]
    assert (config["platform"], steps) == ("ensemble", ["vad", "asr", "nmt", "tts"])


async def test_the_index_lists_every_name_as_ready(http: httpx.AsyncClient) -> None:
    rows = (await http.post("/v2/repository/index", json={"ready": True})).json()
    assert {row["name"]: row["state"] for row in rows} == dict.fromkeys(KINDS, "READY")


# ---- inference -------------------------------------------------------------------------


async def test_a_clip_has_its_embedding(http: httpx.AsyncClient) -> None:
    found = (await ask(http, "speaker", GOOD["speaker"]))["EMBEDDING"]
    assert (found.shape, int(found[0].argmax())) == ((1, 192), 700 % 192)


async def test_speech_is_found(http: httpx.AsyncClient) -> None:
    samples = np.concatenate([np.zeros(16_000), SECOND])
    found = await ask(http, "vad", body(audio(samples)))
    assert found["SPANS"].tolist() == [[[1.0, 2.0]]]
    assert found["SPAN_COUNT"].tolist() == [[1]]


async def test_rows_have_lengths_of_their_own(http: httpx.AsyncClient) -> None:
    lengths = tensor("AUDIO_LENGTH", [[8000], [16_000]], "INT32")
    found = (await ask(http, "asr", body(audio(rows=2), lengths)))["TEXT"]
    assert [str(row[0])[:21] for row in found] == ["There are 8000 sample", "There are 16000 sampl"]


async def test_audio_of_another_rate_is_resampled(http: httpx.AsyncClient) -> None:
    rate = tensor("SAMPLE_RATE", [[8000]], "INT32")
    found = (await ask(http, "asr", body(audio(SECOND[:8000]), rate)))["TEXT"]
    assert str(found[0, 0]).startswith("There are 16000 samples")


async def test_each_row_is_translated_its_own_way(http: httpx.AsyncClient) -> None:
    content = body(
        text("TEXT", "One.", "Dois.", "Three. Four."),
        text("SOURCE_LANGUAGE", "en", "pt", "EN"),
        text("TARGET_LANGUAGE", "fr", "fr", "pt"),
    )
    found = (await ask(http, "nmt", content))["TRANSLATION"]
    assert found[:, 0].tolist() == ["fr: One.", "fr: en: Dois.", "pt: Three. pt: Four."]


async def test_a_text_is_spoken_in_the_voice_that_is_named(http: httpx.AsyncClient) -> None:
    content = body(text("TEXT", "Hello.", "Hello there."), text("VOICE", "fake-en", "fake-pt"))
    found = await ask(http, "tts", content)
    assert found["AUDIO_LENGTH"][:, 0].tolist() == [4800, 9600]
    assert (found["AUDIO"][0, 4800:] == 0).all()


async def test_a_model_speaks_with_its_first_voice(http: httpx.AsyncClient) -> None:
    found = await ask(http, "tts", body(text("TEXT", "Olá.")))
    assert found["AUDIO_LENGTH"][0, 0] == 3200


async def test_a_text_is_spoken_in_the_voice_that_is_heard(http: httpx.AsyncClient) -> None:
    reference = tensor("REFERENCE", [[0.5, 0.5]], "FP32")
    content = body(text("TEXT", "Olá."), text("VOICE", "source"), text("LANGUAGE", "pt"), reference)
    assert (await ask(http, "tts", content))["AUDIO"].shape == (1, 3200)


async def test_the_graph_translates_and_speaks(http: httpx.AsyncClient) -> None:
    found = await ask(http, "speech_translation", GOOD["speech_translation"])
    assert str(found["TRANSLATION"][0, 0]).startswith("pt: There are")
    assert found["AUDIO_LENGTH"][0, 0] == found["AUDIO"].shape[1] > 0
    assert (found["LANGUAGE"][0, 0], found["VOICE"][0, 0]) == ("en", "fake-pt")


async def test_rows_of_the_graph_have_tasks_of_their_own(http: httpx.AsyncClient) -> None:
    tasks = text("TASK", "transcribe", "")
    content = body(audio(rows=2), text("TARGET_LANGUAGE", "", "pt"), tasks)
    found = await ask(http, "speech_translation", content)
    assert [bool(t) for t in found["TRANSLATION"][:, 0]] == [False, True]
    assert (found["TRANSCRIPT"][:, 0] != "").all()


async def test_without_an_output_of_audio_nothing_is_spoken(http: httpx.AsyncClient) -> None:
    content = {**GOOD["speech_translation"], "outputs": [{"name": "TRANSLATION"}]}
    found = await ask(http, "speech_translation", content)
    spoken = (await http.get("/v2/models/tts/stats")).json()["model_stats"][0]
    assert (list(found), spoken["execution_count"]) == (["TRANSLATION"], 0)


async def test_silence_has_no_words_and_no_audio(http: httpx.AsyncClient) -> None:
    content = body(audio(np.zeros(16_000)), text("TARGET_LANGUAGE", "pt"))
    found = await ask(http, "speech_translation", content)
    assert (found["TRANSCRIPT"][0, 0], found["AUDIO"].shape) == ("", (1, 0))


def binary(samples: Any = SECOND, datatype: str = "INT16", **fields: Any) -> dict[str, Any]:
    """A request's content and headers, its tensor behind its JSON."""
    data = np.asarray(samples).tobytes()
    entry: dict[str, Any] = {"name": "AUDIO", "datatype": datatype, "shape": [1, len(samples)]}
    entry["parameters"] = {"binary_data_size": len(data)}
    head = json.dumps({"inputs": [entry], **fields}).encode()
    return {"content": head + data, "headers": {LENGTH: str(len(head))}}


async def test_binary_tensors_in_and_out(http: httpx.AsyncClient) -> None:
    request = binary(parameters={"binary_data_output": True}, id="42")
    answer = await http.post(INFER.format("speaker"), **request)
    length = int(answer.headers[LENGTH])
    head = json.loads(answer.content[:length])
    assert (head["id"], head["model_version"]) == ("42", "1")
    assert np.frombuffer(answer.content[length:], "<f4").shape == (192,)


async def test_a_body_without_json_is_one_clip(http: httpx.AsyncClient) -> None:
    content = (SECOND / 32768).astype("<f4").tobytes()
    answer = await http.post(INFER.format("speaker"), content=content, headers={LENGTH: "0"})
    assert answer.status_code == 200


async def test_compressed_in_and_out(http: httpx.AsyncClient) -> None:
    content = gzip.compress(json.dumps(GOOD["nmt"]).encode())
    headers = {"content-encoding": "gzip", "accept-encoding": "gzip"}
    answer = await http.post(INFER.format("nmt"), content=content, headers=headers)
    assert answer.headers["content-encoding"] == "gzip"
    assert outputs(answer)["TRANSLATION"].tolist() == [["pt: Hello."]]


# ---- what is counted -------------------------------------------------------------------


async def stats(http: httpx.AsyncClient, model: str) -> dict[str, Any]:
    (found,) = (await http.get(f"/v2/models/{model}/stats")).json()["model_stats"]
    return dict(found)


async def test_requests_rows_and_executions_are_counted(http: httpx.AsyncClient) -> None:
    for rows in (1, 2, 3):
        await ask(http, "speaker", body(audio(rows=rows)))
    found = await stats(http, "speaker")
    assert (found["inference_count"], found["execution_count"]) == (6, 3)
    assert {b["batch_size"] for b in found["batch_stats"]} == {1, 2, 3}
    inference = found["inference_stats"]
    assert [inference[key]["count"] for key in ("success", "queue", "fail")] == [3, 3, 0]


async def test_a_request_to_the_graph_is_counted_in_every_step(http: httpx.AsyncClient) -> None:
    await ask(http, "speech_translation", GOOD["speech_translation"])
    every = (await http.get("/v2/models/stats")).json()["model_stats"]
    queued = {row["name"]: row["inference_stats"]["queue"]["count"] for row in every}
    assert all(queued[name] >= 1 for name in KINDS if name != "speaker"), queued


async def test_requests_to_the_graph_are_its_own_count() -> None:
    config = fake_config()
    remotes = fake_remotes(config)
    fleet = await fake_fleet(config, remotes)
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        two = body(audio(rows=2), text("TARGET_LANGUAGE", "pt", "pt"))
        await ask(http, "speech_translation", two)
        remotes["vad"].hold_all(asyncio.Event())
        late, path = GOOD["speech_translation"], INFER.format("speech_translation")
        answer = await http.post(path, json=late, headers={"x-timeout-ms": "2000"})
        found = await stats(http, "speech_translation")
    assert answer.status_code == 504
    inference = found["inference_stats"]
    assert (found["inference_count"], found["execution_count"]) == (2, 1)
    assert (inference["success"]["count"], inference["fail"]["count"]) == (1, 1)


async def test_a_deadline_counts_from_before_the_body_is_read(http: httpx.AsyncClient) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield json.dumps(GOOD["vad"]).encode()
        await asyncio.sleep(0.05)

    timeout = {"x-timeout-ms": "40"}
    answer = await http.post(INFER.format("vad"), content=slowly(), headers=timeout)
    assert answer.status_code in (503, 504)
    assert "deadline passed" in answer.json()["error"]


@pytest.mark.parametrize("task", ["translate", "transcribe"])
async def test_a_graph_whose_models_are_full_does_not_begin(task: str) -> None:
    config, answering = fake_config(), asyncio.Event()
    remotes = fake_remotes(config)
    remotes["asr"].hold_all(answering)
    fleet = await fake_fleet(config, remotes, asr=BatchPolicy(max_queue_size=1, max_batch_size=1))
    path = INFER.format("speech_translation")
    content = body(audio(), text("TARGET_LANGUAGE", "pt"), text("TASK", task))
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        others = [asyncio.create_task(ask(http, "asr", GOOD["asr"])) for _ in range(3)]
        await until_queued(fleet.pick("asr").batcher)
        heard = len(remotes["vad"].batches)
        refused = await http.post(path, json=content)
        answering.set()
        await asyncio.gather(*others)
    assert (refused.status_code, len(remotes["vad"].batches)) == (503, heard)
    assert fleet.graph.failures == {"REJECTED": 1}


async def test_the_urgent_of_those_that_wait_go_first() -> None:
    config = fake_config()
    policy = BatchPolicy(max_batch_size=1, max_queue_delay_ms=0, priority_levels=2)
    fleet = await fake_fleet(config, speaker=policy)
    gate, order = asyncio.Event(), []

    async def infer(items: Any) -> BatchReply[Any]:
        order.append(int(items[0].samples[0] * 32768))
        await gate.wait()
        return BatchReply([Voiceprint(np.zeros(4, np.float32))], 0.0)

    fleet.directory["speaker"].infer = infer  # type: ignore[index]
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        asked = []
        for number, priority in ((1, 1), (2, 1), (3, 2), (4, 1)):
            content = body(audio(np.full(10, number)), parameters={"priority": priority})
            asked.append(asyncio.create_task(ask(http, "speaker", content)))
            await settle()
        gate.set()
        await asyncio.gather(*asked)
    assert order == [1, 2, 4, 3]


@pytest.mark.parametrize("path", ["/v2/health/ready", "/v2/models/asr/ready"])
async def test_a_drain_is_told_by_the_probes_before_it_refuses(path: str) -> None:
    config, admission = fake_config(), Admission(64)
    async with connect(asgi_app(await fake_fleet(config), config, admission)) as http:
        draining = asyncio.create_task(admission.drain(1.0, notice_s=3600.0))
        await settle()
        probe = (await http.get(path)).status_code
        served = (await http.post(INFER.format("nmt"), json=GOOD["nmt"])).status_code
        draining.cancel()
    assert (probe, served) == (503, 200)


async def test_an_answer_from_the_cache_is_a_hit_and_no_inference(http: httpx.AsyncClient) -> None:
    first = await ask(http, "asr", GOOD["asr"])
    again = await ask(http, "asr", GOOD["asr"])
    found = await stats(http, "asr")
    inference = found["inference_stats"]
    counts = [inference[key]["count"] for key in ("success", "cache_hit", "cache_miss")]
    assert (counts, found["inference_count"]) == ([2, 1, 1], 1)
    assert first["TEXT"] == again["TEXT"]


async def test_rows_of_several_callers_share_batches() -> None:
    config, go_on = fake_config(max_tensor_json_bytes=1 << 21), asyncio.Event()
    remotes = fake_remotes(config)
    remotes["speaker"].hold_all(go_on)
    fleet = await fake_fleet(config, remotes, speaker=BatchPolicy(max_batch_size=4))
    batcher = fleet.pick("speaker").batcher
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        asked = [asyncio.ensure_future(ask(http, "speaker", body(audio(rows=2)))) for _ in range(8)]
        await until(lambda: batcher.pending >= 4)  # behind those that are held
        go_on.set()
        await asyncio.gather(*asked)
        found = await stats(http, "speaker")
    assert found["inference_count"] == 16
    assert found["execution_count"] < 8


# ---- what is refused -------------------------------------------------------------------


@dataclass(frozen=True)
class Bad:
    id: str
    path: str
    status: int
    says: str
    request: dict[str, Any]
    method: str = "POST"


def bad_infer(id: str, model: str, says: str, content: dict[str, Any], status: int = 400) -> Bad:
    return Bad(id, INFER.format(model), status, says, {"json": content})


BAD = [
    bad_infer("unknown model", "x", "Request for unknown model: 'x' is not found", {}, 404),
    bad_infer("unknown version", "asr/versions/2", "version 2 is not found", {}, 404),
    bad_infer(
        "unexpected input",
        "speaker",
        "unexpected inference input 'X' for model 'speaker'",
        body(audio(), text("X", "a")),
    ),
    bad_infer(
        "datatype",
        "speaker",
        "inference input 'AUDIO' data-type is 'INT32', but model 'speaker' expects 'FP32'",
        body(tensor("AUDIO", [[1]], "INT32")),
    ),
    bad_infer(
        "shape",
        "speaker",
        "unexpected shape for input 'AUDIO' for model 'speaker'. Expected [-1,-1], got [4]",
        body(tensor("AUDIO", [0.0] * 4, "FP32")),
    ),
    bad_infer(
        "batch size",
        "speaker",
        "inference request batch-size must be <= 4 for 'speaker'",
        body(audio(rows=5)),
    ),
    bad_infer("no samples", "speaker", "'AUDIO' has no samples", body(audio([]))),
    bad_infer(
        "a length of its own that is too long",
        "speaker",
        "input 'AUDIO_LENGTH' must be from 1 to 16000, got 16001",
        body(audio(), tensor("AUDIO_LENGTH", [[16_001]], "INT32")),
    ),
    bad_infer(
        "a rate that there is not",
        "speaker",
        "input 'SAMPLE_RATE' must be from 4000 to 384000, got 10",
        body(audio(), tensor("SAMPLE_RATE", [[10]], "INT32")),
    ),
    bad_infer("task", "asr", "'TASK' must be one of transcribe", body(audio(), text("TASK", "x"))),
    bad_infer(
        "language", "asr", "input 'LANGUAGE': language must", body(audio(), text("LANGUAGE", "xx"))
    ),
    bad_infer(
        "pair",
        "nmt",
        "input 'TARGET_LANGUAGE': no model translates fr to en",
        body(text("TEXT", "a"), text("SOURCE_LANGUAGE", "fr"), text("TARGET_LANGUAGE", "en")),
        422,
    ),
    bad_infer("empty text", "nmt", "'TEXT' must not be empty", body(text("TEXT", " "), *EN_PT)),
    bad_infer(
        "voice", "tts", "there is no voice 'x'", body(text("TEXT", "a"), text("VOICE", "x")), 404
    ),
    bad_infer("no target", "speech_translation", "'TARGET_LANGUAGE' must", body(audio())),
    bad_infer("priority", "vad", "'priority' must", body(audio(), parameters={"priority": "1"})),
    bad_infer("timeout", "vad", "'timeout' must", body(audio(), parameters={"timeout": -1})),
    bad_infer("not JSON's end", "vad", "", {"inputs": 1}),
    Bad("header length", VAD, 400, "", {"content": b"{}", "headers": {LENGTH: "9"}}),
    Bad("too much JSON", VAD, 413, "JSON must have", {"content": b" " * (1 << 22)}),
    Bad(
        "unknown encoding",
        VAD,
        415,
        "",
        {"content": b"{}", "headers": {"content-encoding": "br"}},
    ),
    Bad("wrong verb", "/v2/models/vad", 405, "this path takes", {}),
    Bad("wrong verb of infer", VAD, 405, "takes POST", {}, "GET"),
    Bad("unknown path", "/v2/nothing", 404, "no such path", {}, "GET"),
    Bad("load of nothing", "/v2/repository/models/x/load", 404, "'x' is not found", {}),
    Bad(
        "load with what cannot be changed",
        "/v2/repository/models/asr/load",
        400,
        "config: input cannot be changed",
        {"json": {"parameters": {"config": '{"input": []}'}}},
    ),
    Bad("no flag", "/v2/repository/index", 400, "ready must", {"json": {"ready": 1}}),
]


@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
async def test_a_bad_request_says_what_is_wrong(http: httpx.AsyncClient, bad: Bad) -> None:
    answer = await http.request(bad.method, bad.path, **bad.request)
    assert answer.status_code == bad.status, answer.text
    found = answer.json()
    assert list(found) == ["error"]
    assert bad.says in found["error"]


async def test_half_a_character_is_refused_in_words(http: httpx.AsyncClient) -> None:
    content = b'{"parameters": {"\\ud800": 1}}'
    answer = await http.post("/v2/repository/models/asr/load", content=content)
    assert answer.status_code == 400
    assert "error" in answer.json()


async def test_audio_at_the_scale_of_integers_is_refused(http: httpx.AsyncClient) -> None:
    content = body(tensor("AUDIO", [[700.0] * 100], "FP32"))
    answer = await http.post(INFER.format("speaker"), json=content)
    assert answer.status_code == 400
    assert "full scale 1.0" in answer.json()["error"]


async def test_a_verb_that_is_refused_names_those_that_are_not(http: httpx.AsyncClient) -> None:
    answer = await http.get(VAD)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_audio_that_is_no_number_is_named(http: httpx.AsyncClient) -> None:
    samples = struct.pack("<4f", 0.0, float("nan"), 0.0, 0.0)
    request = binary(np.frombuffer(samples, "<f4"), "FP32")
    answer = await http.post(INFER.format("speaker"), **request)
    assert (answer.status_code, "'AUDIO'" in answer.json()["error"]) == (400, True)
