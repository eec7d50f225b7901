"""Listening: a quiet recording is made as loud as others before it is heard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from deployments.graph.listening import listen
from models.audio.samples import loudness_dbfs
from models.types import (
    SAMPLE_RATE_HZ,
    Audio,
    VadItem,
    VadResult,
)


@pytest.mark.parametrize(
    ("level", "is_louder"),
    [
        pytest.param(10_000, False, id="loud"),
        pytest.param(1_000, False, id="usual"),
        pytest.param(100, True, id="quiet"),
        pytest.param(2, False, id="a-converters-noise"),
        pytest.param(0, False, id="nothing"),
    ],
)
async def test_a_quiet_recording_is_heard_as_loud_as_others(level: int, is_louder: bool) -> None:
    heard: list[VadItem] = []

    async def vad(item: VadItem) -> VadResult:
        heard.append(item)
        return VadResult((), np.zeros(31, np.float32), np.zeros(0, np.float32))

    async def off_loop(call: Callable[[], Any]) -> Any:
        return call()

    samples = np.full(SAMPLE_RATE_HZ, level, np.int16)
    audio, _ = await listen(Audio(samples), vad, off_loop)
    assert (loudness_dbfs(audio.samples) > loudness_dbfs(samples)) is is_louder
    assert heard[0].samples is audio.samples or np.array_equal(heard[0].samples, audio.samples)
