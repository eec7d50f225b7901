"""The models of the server of fakes, and what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.fakes import FAKE_ASR, FAKE_NMT, FAKE_TTS, FAKE_VAD, SLEEP
from tests.support.triton import Ask

SLOW_QUEUE = 3  # requests that may wait for the slow model
FAKES: dict[str, dict[str, Any]] = {
    "vad": {"engine": FAKE_VAD},
    "asr": {"engine": FAKE_ASR},
    "nmt": {"engine": FAKE_NMT},
    "slow": {"engine": FAKE_NMT, "options": {"base_ms": 2500.0}},
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


def tone(level: int, length: int = 8_000) -> NDArray[np.int16]:
    """int16 [length] of one level: the fakes answer with it."""
    return np.full(length, level, np.int16)


def heard(level: int, length: int = 8_000) -> str:
    """What the fake recogniser says of ``tone(level, length)``."""
    return f"There are {length} samples. The loudest is {level}."


def counted(ask: Ask, *model: str) -> dict[str, dict[str, Any]]:
    rows = ask("get_inference_statistics", *model)["model_stats"]
    return {row["name"]: row for row in rows}
