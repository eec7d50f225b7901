"""NVIDIA's Triton client: what is wrong with a call is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from tritonclient.http import InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.e2e.tritonclient.served import tone
from tests.support.triton import Ask, audio, int32, tensor, translation_inputs

# The asynchronous client leaves answers without a body unread.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed connection:ResourceWarning")


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
    "region": Bad("get_system_shared_memory_status", ("nothing",), "404", "'nothing'"),
    "key": Bad("register_system_shared_memory", ("a", "/key", 8), "400", "key must begin with"),
    "gpu": Bad("register_cuda_shared_memory", ("a", b"handle", 0, 8), "400", "not supported"),
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
