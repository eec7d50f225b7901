"""NVIDIA's Triton client as it is on PyPI: every call that it has, on a server of fakes."""

from __future__ import annotations

import asyncio
import gc
import inspect
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.support.fakes import FAKE_ASR, FAKE_NMT, FAKE_TTS, FAKE_VAD, SLEEP
from tests.support.server import Running, config_on_a_free_port, eventually, running
from tests.support.triton import (
    CLIENTS,
    COVERED,
    Ask,
    aio_client,
    asking,
    audio,
    int32,
    sync_client,
    tensor,
    texts,
    translation_inputs,
)

# The asynchronous client leaves answers without a body unread.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")


@pytest.fixture(scope="module", params=CLIENTS)
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", autouse=True)
def what_was_covered(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tell at the end which calls of the client were made."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # what the client left open, before it is another module's
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        for colour, client in CLIENTS.items():
            public = {name for name, _ in inspect.getmembers(client, inspect.isfunction)}
            left = {name for name in public - COVERED[colour] if not name.startswith("_")}
            print(f"\ntritonclient, {colour}: {', '.join(sorted(COVERED[colour]))}")
            print(f"not called: {', '.join(sorted(left))}")


def tone(level: int, length: int = 8_000) -> NDArray[np.int16]:
    """int16 [length] of one level: the fakes answer with it."""
    return np.full(length, level, np.int16)


def heard(level: int, length: int = 8_000) -> str:
    """What the fake recogniser says of ``tone(level, length)``."""
    return f"There are {length} samples. The loudest is {level}."


# ---- a server of fakes -----------------------------------------------------------------

SLOW_QUEUE = 3  # requests that may wait for the slow model
FAKES: dict[str, dict[str, Any]] = {
    "vad": {"engine": FAKE_VAD},
    "asr": {"engine": FAKE_ASR},
    "nmt": {"engine": FAKE_NMT},
    "slow": {"engine": FAKE_NMT, "options": {"base_ms": 4000.0}},
    "tts": {"engine": FAKE_TTS},
    "speaker": {"engine": SLEEP, "options": {"base_ms": 20.0}},
}
BATCHING: dict[str, dict[str, Any]] = {
    "speaker": {"max_batch_size": 4},
    # Texts of one length may share a batch, and it waits to be full: others run one by one, and
    # nothing stands behind what runs.
    "slow": {
        "max_padding": 0,
        "max_queue_delay_ms": 60_000,
        "max_queue_size": SLOW_QUEUE,
        "priority_levels": 3,
        "default_priority": 2,
    },
}
GRAPH = ("vad", "asr", "nmt", "tts")  # the ensemble's steps


@pytest.fixture(scope="module")
def fake_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    application = {
        "name": "dragoman",
        "route_prefix": "/",
        "import_path": "deployments.app:build",
        "args": {"models": FAKES},
        "deployments": [{"name": "Ingress", "user_config": {"batching": BATCHING}}],
    }
    config = {
        "logging_config": {"log_level": "WARNING", "enable_access_log": False},
        "proxy_location": "Disabled",
        "applications": [application],
    }
    with running(config_on_a_free_port(tmp_path_factory.mktemp("fakes"), config)) as server:
        yield server


@pytest.fixture
def ask(fake_server: Running, colour: str) -> Ask:
    return asking(fake_server.url, colour)


# ---- what is there ---------------------------------------------------------------------


@pytest.mark.parametrize("call", ["is_server_live", "is_server_ready"])
def test_the_server_is_well(ask: Ask, call: str) -> None:
    assert ask(call) is True


READY = {"asr": True, "speech_translation": True, "nobody": False}


@pytest.mark.parametrize(("model", "is_ready"), READY.items(), ids=READY)
def test_a_model_says_whether_it_is_ready(ask: Ask, model: str, is_ready: bool) -> None:
    assert ask("is_model_ready", model) is is_ready


def test_the_server_names_itself_and_its_extensions(ask: Ask) -> None:
    told = ask("get_server_metadata")
    assert told["name"] == "dragoman"
    assert {
        "model_repository",
        "schedule_policy",
        "model_configuration",
        "binary_tensor_data",
        "parameters",
        "statistics",
    } == set(told["extensions"])


AUDIO = "AUDIO FP32 -1, AUDIO_LENGTH INT32 1, SAMPLE_RATE INT32 1"
SPOKEN = "AUDIO FP32 -1, AUDIO_LENGTH INT32 1, SAMPLE_RATE INT32 1"
TENSORS = {  # inputs, outputs: name, type, dims of a row
    "vad": (
        f"{AUDIO}, STATE FP32 -1",
        "SPANS FP32 -1 2, SPAN_COUNT INT32 1, PROBABILITIES FP32 -1, STATE FP32 -1",
    ),
    "asr": (
        f"{AUDIO}, LANGUAGE BYTES 1, TASK BYTES 1, PROMPT BYTES 1",
        "TEXT BYTES 1, LANGUAGE BYTES 1, LANGUAGE_PROBABILITY FP32 1, SEGMENTS BYTES 1",
    ),
    "nmt": (
        "TEXT BYTES 1, SOURCE_LANGUAGE BYTES 1, TARGET_LANGUAGE BYTES 1, BEAM_SIZE INT32 1",
        "TRANSLATION BYTES 1",
    ),
    "tts": (
        "TEXT BYTES 1, VOICE BYTES 1, LANGUAGE BYTES 1, SPEED FP32 1, REFERENCE FP32 -1, "
        "REFERENCE_LENGTH INT32 1",
        SPOKEN,
    ),
    "speaker": (AUDIO, "EMBEDDING FP32 192"),
    "speech_translation": (
        f"{AUDIO}, SOURCE_LANGUAGE BYTES 1, TARGET_LANGUAGE BYTES 1, VOICE BYTES 1, "
        "TASK BYTES 1, SPEED FP32 1",
        f"TRANSCRIPT BYTES 1, LANGUAGE BYTES 1, TRANSLATION BYTES 1, {SPOKEN}, VOICE BYTES 1",
    ),
}


def described(rows: Sequence[dict[str, Any]], type_: str, dims: str) -> set[str]:
    return {" ".join([row["name"], row[type_], *map(str, row[dims])]) for row in rows}


@pytest.mark.parametrize("model", TENSORS)
def test_metadata_has_the_tensors_with_the_batch_in_front(ask: Ask, model: str) -> None:
    told = ask("get_model_metadata", model)
    assert (told["name"], told["versions"]) == (model, ["1"])
    for side, expected in zip(("inputs", "outputs"), TENSORS[model], strict=True):
        assert {row["shape"].pop(0) for row in told[side]} == {-1}
        assert described(told[side], "datatype", "shape") == set(expected.split(", "))


@pytest.mark.parametrize("model", TENSORS)
def test_the_configuration_has_the_tensors_of_a_row(ask: Ask, model: str) -> None:
    told = ask("get_model_config", model)
    for side, expected in zip(("input", "output"), TENSORS[model], strict=True):
        rows = set(expected.replace("BYTES", "STRING").split(", "))
        assert {
            row.replace("TYPE_", "") for row in described(told[side], "data_type", "dims")
        } == rows


def test_the_configuration_has_the_batch_policy(ask: Ask) -> None:
    assert ask("get_model_config", "speaker")["max_batch_size"] == 4


def test_the_ensemble_names_its_steps(ask: Ask) -> None:
    steps = ask("get_model_config", "speech_translation")["ensemble_scheduling"]["step"]
    assert [(step["model_name"], step["model_version"]) for step in steps] == [
        (name, -1) for name in GRAPH
    ]


def test_the_index_lists_every_model(ask: Ask) -> None:
    index = ask("get_model_repository_index")
    listed = {row["name"]: (row["version"], row["state"]) for row in index}
    assert listed == dict.fromkeys([*FAKES, "speech_translation"], ("1", "READY"))


# ---- loading ---------------------------------------------------------------------------


def state_of(ask: Ask, model: str) -> str:
    (state,) = [r["state"] for r in ask("get_model_repository_index") if r["name"] == model]
    return str(state)


@pytest.fixture
def changing(ask: Ask) -> Iterator[str]:
    """A model that may be unloaded and changed; is as it was afterwards."""
    yield "speaker"
    ask("load_model", "speaker")


def test_an_unloaded_model_is_not_there(ask: Ask, changing: str) -> None:
    ask("unload_model", changing)
    assert state_of(ask, changing) == "UNAVAILABLE"
    assert not ask("is_model_ready", changing)


def test_a_request_to_an_unloaded_model_is_refused(ask: Ask, changing: str) -> None:
    ask("unload_model", changing)
    with pytest.raises(InferenceServerException, match="unloaded") as refused:
        ask("infer", changing, audio(tone(1)))
    assert refused.value.status() == "503"


def test_a_model_is_loaded_again(ask: Ask, changing: str) -> None:
    ask("unload_model", changing)
    ask("load_model", changing)
    assert state_of(ask, changing) == "READY"
    assert np.argmax(ask("infer", changing, audio(tone(7))).as_numpy("EMBEDDING")) == 7


def test_a_model_is_loaded_with_another_policy(ask: Ask, changing: str) -> None:
    ask("load_model", changing, config='{"max_batch_size": 3}')
    assert ask("get_model_config", changing)["max_batch_size"] == 3


# ---- statistics ------------------------------------------------------------------------


def counted(ask: Ask, *model: str) -> dict[str, dict[str, Any]]:
    rows = ask("get_inference_statistics", *model)["model_stats"]
    return {row["name"]: row for row in rows}


def test_statistics_count_rows_and_executions(ask: Ask) -> None:
    before = counted(ask, "speaker")["speaker"]
    ask("infer", "speaker", audio(tone(1), tone(2), tone(3)))
    after = counted(ask, "speaker")["speaker"]
    grown = {name: after[name] - before[name] for name in ("inference_count", "execution_count")}
    assert grown == {"inference_count": 3, "execution_count": 1}
    successes = after["inference_stats"]["success"]["count"]
    assert successes - before["inference_stats"]["success"]["count"] == 1


def test_statistics_of_all_have_the_ensemble_and_its_steps(ask: Ask) -> None:
    before = counted(ask)
    ask("infer", "speech_translation", [*audio(tone(5)), tensor("TARGET_LANGUAGE", [["pt"]])])
    after = counted(ask)
    assert set(after) == {*FAKES, "speech_translation"}
    for name in (*GRAPH, "speech_translation"):
        queued = [all_[name]["inference_stats"]["queue"]["count"] for all_ in (before, after)]
        assert queued[1] > queued[0], name


# ---- inference -------------------------------------------------------------------------

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


# ---- waiting ---------------------------------------------------------------------------


def figure(server: Running, name: str, model: str) -> float:
    """One metric of one model, as the server tells it now."""
    text = httpx.get(f"{server.url}/metrics").text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and sample.labels.get("model") == model
    )


class Queue:
    """Callers of the slow model, each on a thread; one after the other, as far as is told."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.answered: list[str] = []  # in the order of the answers
        self._ask = asking(server.url, "sync")
        self._threads = ThreadPoolExecutor(16)

    def send(self, text: str, **parameters: Any) -> Future[None]:
        return self._threads.submit(self._one, text, parameters)

    def _one(self, text: str, parameters: dict[str, Any]) -> None:
        self._ask("infer", "slow", translation_inputs(text), **parameters)
        self.answered.append(text)

    def wait_for(self, name: str, value: int) -> None:
        eventually(lambda: figure(self.server, name, "slow") == value, f"{name} {value}")

    def close(self) -> None:
        self._threads.shutdown()


@pytest.fixture
def busy(fake_server: Running) -> Iterator[Queue]:
    """The slow model runs one text; whatever comes has to wait."""
    queue = Queue(fake_server)
    queue.send("runs")
    queue.wait_for("dragoman_batches_in_flight", 1)
    yield queue
    queue.close()


PENDING = "nv_inference_pending_request_count"


def test_a_request_that_may_not_wait_so_long_is_refused(busy: Queue, ask: Ask) -> None:
    with pytest.raises(InferenceServerException, match="Request timeout expired") as refused:
        ask("infer", "slow", translation_inputs("Too late."), timeout=20_000)
    assert refused.value.status() == "503"


def test_a_full_queue_refuses(busy: Queue, ask: Ask) -> None:
    for waiting in range(1, SLOW_QUEUE + 1):
        busy.send("waits" * waiting)
    busy.wait_for(PENDING, SLOW_QUEUE)
    with pytest.raises(InferenceServerException, match="Exceeds maximum queue size") as refused:
        ask("infer", "slow", translation_inputs("One too many."))
    assert refused.value.status() == "503"


def test_the_urgent_go_first(busy: Queue) -> None:
    """Whatever came first; 0 is the model's own default, 2 here."""
    waiting = {"the least urgent": 3, "by default": 0, "urgent": 1}
    for text, priority in waiting.items():
        busy.send(text, priority=priority)
    busy.wait_for(PENDING, len(waiting))
    busy.close()
    assert busy.answered == ["runs", *reversed(waiting)]


# ---- what is refused -------------------------------------------------------------------


@dataclass(frozen=True)
class Bad:
    """A call of the client that the server refuses."""

    call: str
    args: tuple[Any, ...]
    status: str
    says: str


def bad_infer(model: str, inputs: list[InferInput], status: str, says: str, **more: Any) -> Bad:
    outputs = [InferRequestedOutput(more["output"])] if "output" in more else None
    return Bad("infer", (model, inputs, more.get("version", ""), outputs), status, says)


UNKNOWN = "Request for unknown model: 'nobody' is not found"
TOO_LONG = tensor("AUDIO", [tone(1)]).set_shape([1, 9_000])
BAD = {
    "unknown-model": bad_infer("nobody", audio(tone(1)), "404", UNKNOWN),
    "unknown-version": bad_infer("asr", audio(tone(1)), "404", "version", version="7"),
    "unknown-input": bad_infer(
        "asr",
        [*audio(tone(1)), tensor("NOISE", [[1.0]])],
        "400",
        "unexpected inference input 'NOISE' for model 'asr'",
    ),
    "unknown-output": bad_infer("asr", audio(tone(1)), "400", "NOISE", output="NOISE"),
    "no-audio": bad_infer("asr", [tensor("LANGUAGE", [["en"]])], "400", "AUDIO"),
    "datatype": bad_infer(
        "asr",
        [tensor("AUDIO", [[0.0] * 8_000])],
        "400",
        "inference input 'AUDIO' data-type is 'FP64', but model 'asr' expects 'FP32'",
    ),
    "no-batch": bad_infer(
        "asr",
        [tensor("AUDIO", tone(1))],
        "400",
        "unexpected shape for input 'AUDIO' for model 'asr'. Expected [-1,-1], got [8000]",
    ),
    "bytes": bad_infer(
        "asr",
        [TOO_LONG],
        "400",
        "input byte size mismatch for input 'AUDIO' for model 'asr'. Expected 18000, got 16000",
    ),
    "rows": bad_infer(
        "speaker",
        audio(*[tone(1)] * 5),
        "400",
        "inference request batch-size must be <= 4 for 'speaker'",
    ),
    "rows-differ": bad_infer(
        "asr", [*audio(tone(1), tone(2)), tensor("LANGUAGE", [["en"]])], "400", "LANGUAGE"
    ),
    "length": bad_infer(
        "asr",
        [tensor("AUDIO", [tone(1)]), int32("AUDIO_LENGTH", [[8_001]])],
        "400",
        "AUDIO_LENGTH",
    ),
    "not-a-number": bad_infer("asr", audio(np.full(8_000, np.nan, np.float32)), "400", "AUDIO"),
    "task": bad_infer("asr", [*audio(tone(1)), tensor("TASK", [["sing"]])], "400", "TASK"),
    "pair": bad_infer("nmt", translation_inputs("Olá.", source="fr"), "422", "en"),
    "metadata": Bad("get_model_metadata", ("nobody",), "404", UNKNOWN),
    "config": Bad("get_model_config", ("nobody",), "404", UNKNOWN),
    "statistics": Bad("get_inference_statistics", ("nobody",), "404", UNKNOWN),
    "load": Bad("load_model", ("nobody",), "404", "nobody"),
    "unload": Bad("unload_model", ("nobody",), "404", "nobody"),
    "policy": Bad(
        "load_model", ("speaker", None, None, '{"max_batch_size": "x"}'), "400", "max_batch_size"
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_wrong_is_told(ask: Ask, bad: Bad) -> None:
    with pytest.raises(InferenceServerException) as refused:
        ask(bad.call, *bad.args)
    assert refused.value.status() == bad.status
    assert bad.says in refused.value.message()


NOT_ANNOUNCED: dict[str, tuple[Any, ...]] = {
    "get_system_shared_memory_status": (),
    "register_system_shared_memory": ("region", "/key", 8),
    "unregister_system_shared_memory": ("region",),
    "get_cuda_shared_memory_status": (),
    "register_cuda_shared_memory": ("region", b"handle", 0, 8),
    "unregister_cuda_shared_memory": ("region",),
    "get_trace_settings": (),
    "update_trace_settings": (),
    "get_log_settings": (),
    "update_log_settings": ({},),
}


@pytest.mark.parametrize("call", NOT_ANNOUNCED)
def test_what_is_not_announced_is_not_there(ask: Ask, call: str) -> None:
    with pytest.raises(InferenceServerException) as refused:
        ask(call, *NOT_ANNOUNCED[call])
    assert refused.value.status() == "404"
    assert "while decoding" not in refused.value.message()  # its body is an error's
