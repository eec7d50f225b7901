"""Speakers told apart with real weights, on prompts of two voices."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from deployments.graph.diarisation import TURN_VAD
from models.devices.device import DeviceRequest
from models.registry import find_engine
from models.runtime import Runtime, RuntimeSettings
from models.speaker.turns import Turns, pieces, rules_of, samples_of, tell_apart
from models.types import SpeakerItem, VadItem
from tests.support.speech import clips

PAUSE = np.zeros(8_000, np.int16)


def loaded(stack: ExitStack, engine: str, weights: str) -> Runtime[Any, Any]:
    settings = RuntimeSettings(engine, weights, DeviceRequest("cpu", threads=1))
    runtime: Any = find_engine(engine).create(settings)
    runtime.load()
    stack.callback(runtime.close)
    started: Runtime[Any, Any] = runtime
    return started


@pytest.fixture(scope="module")
def turns() -> Turns:
    """Who speaks in English and Italian prompts, in turn."""
    parts = [PAUSE]
    for english, italian in zip(clips("en")[:6], clips("it")[:6], strict=True):
        parts += [english.samples(), PAUSE, italian.samples(), PAUSE]
    samples = np.concatenate(parts)
    with ExitStack() as stack:
        vad = loaded(stack, "silero", "package:silero_vad")
        speaker = loaded(stack, "ge2e", "package:resemblyzer")
        heard: Any
        (heard,) = vad.run([VadItem(samples, TURN_VAD)])
        cut = pieces(heard.spans)
        voices: list[Any] = speaker.run([SpeakerItem(samples_of(samples, piece)) for piece in cut])
    embeddings = np.stack([voice.embedding for voice in voices])
    return tell_apart(heard.spans, cut, embeddings, rules_of("ge2e"))


def test_two_voices_are_two_speakers(turns: Turns) -> None:
    assert {turn.speaker for turn in turns.turns} == {0, 1}


def test_they_speak_in_turn(turns: Turns) -> None:
    changes = sum(a.speaker != b.speaker for a, b in pairwise(turns.turns))
    assert changes == 11
