"""NVIDIA's Triton client: what it is told of the server and its models, and how it loads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from tests.e2e.tritonclient.served import FAKES, GRAPH, counted, tone
from tests.support.triton import Ask, audio, tensor

# The asynchronous client leaves answers without a body unread.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")


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
        "system_shared_memory",
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
def changing(ask_one: Ask) -> Iterator[str]:
    """A model that may be unloaded and changed; is as it was afterwards."""
    yield "speaker"
    ask_one("load_model", "speaker")


def test_an_unloaded_model_is_not_there(ask_one: Ask, changing: str) -> None:
    ask_one("unload_model", changing)
    assert state_of(ask_one, changing) == "UNAVAILABLE"
    assert not ask_one("is_model_ready", changing)


def test_a_request_to_an_unloaded_model_is_refused(ask_one: Ask, changing: str) -> None:
    ask_one("unload_model", changing)
    with pytest.raises(InferenceServerException, match="unloaded") as refused:
        ask_one("infer", changing, audio(tone(1)))
    assert refused.value.status() == "503"


def test_a_model_is_loaded_again(ask_one: Ask, changing: str) -> None:
    ask_one("unload_model", changing)
    ask_one("load_model", changing)
    assert state_of(ask_one, changing) == "READY"
    assert np.argmax(ask_one("infer", changing, audio(tone(7))).as_numpy("EMBEDDING")) == 7


def test_a_model_is_loaded_with_another_policy(ask_one: Ask, changing: str) -> None:
    ask_one("load_model", changing, config='{"max_batch_size": 3}')
    assert ask_one("get_model_config", changing)["max_batch_size"] == 3


# ---- statistics ------------------------------------------------------------------------


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
