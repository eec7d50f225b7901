"""How frame probabilities become spans of speech: the rules, one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.errors import InvalidRequest
from models.types import VadParameters
from models.vad.silero import spans, validate

FRAME_S = 0.032
BARE = VadParameters(min_speech_s=0.0, min_silence_s=0.1, padding_s=0.0)


def found(pattern: str, parameters: VadParameters = BARE) -> list[tuple[int, int]]:
    """Spans in whole frames. A letter is a frame: # speech, - between the thresholds, . silence."""
    levels = {"#": 0.9, "-": 0.4, ".": 0.1}
    probabilities = np.array([levels[letter] for letter in pattern], np.float32)
    result = spans(probabilities, parameters, len(pattern) * FRAME_S)
    return [(round(span.start_s / FRAME_S), round(span.end_s / FRAME_S)) for span in result]


RULES = {
    "nothing": ("", BARE, []),
    "silence": ("........", BARE, []),
    "speech-throughout": ("########", BARE, [(0, 8)]),
    "one-span": ("...####.....", BARE, [(3, 7)]),
    "two-spans": ("..##.....##.....", BARE, [(2, 4), (9, 11)]),
    "short-silence-is-bridged": ("..##..##.....", BARE, [(2, 8)]),
    "hysteresis-goes-on": ("..##----##.....", BARE, [(2, 10)]),
    "hysteresis-does-not-begin": ("..----......", BARE, []),
    "hysteresis-does-not-reset-silence": ("##..--..##", BARE, [(0, 2), (8, 10)]),
    "end-of-audio-ends-speech": (".....###", BARE, [(5, 8)]),
    "short-speech-is-dropped": (
        "..##......######.....",
        replace(BARE, min_speech_s=3 * FRAME_S),
        [(10, 16)],
    ),
    "padding": ("....##........", replace(BARE, padding_s=2 * FRAME_S), [(2, 8)]),
    "padding-stays-inside": (".####....", replace(BARE, padding_s=4 * FRAME_S), [(0, 9)]),
    "padding-is-shared": (
        "..##......##..",
        replace(BARE, padding_s=4 * FRAME_S),
        [(0, 7), (7, 14)],
    ),
    "long-speech-is-cut-at-its-length": (
        "#" * 20,
        replace(BARE, max_speech_s=8 * FRAME_S),
        [(0, 8), (9, 17), (18, 20)],
    ),
    "long-speech-is-cut-at-its-longest-silence": (
        "###.....##......########.",
        replace(BARE, min_silence_s=1.0, max_speech_s=18 * FRAME_S),
        [(0, 10), (16, 25)],
    ),
}


@pytest.mark.parametrize(("pattern", "parameters", "expected"), RULES.values(), ids=RULES)
def test_rule(pattern: str, parameters: VadParameters, expected: list[tuple[int, int]]) -> None:
    assert found(pattern, parameters) == expected


def test_a_span_ends_with_the_audio_not_with_its_last_frame() -> None:
    result = spans(np.ones(3, np.float32), BARE, duration_s=0.08)

    assert [(span.start_s, span.end_s) for span in result] == [(0.0, 0.08)]


INVALID = {
    "threshold-0": (VadParameters(threshold=0.0), "threshold"),
    "threshold-1": (VadParameters(threshold=1.0), "threshold"),
    "threshold-nan": (VadParameters(threshold=float("nan")), "threshold"),
    "min_speech-negative": (VadParameters(min_speech_s=-0.1), "min_speech_s"),
    "min_silence-nan": (VadParameters(min_silence_s=float("nan")), "min_silence_s"),
    "padding-infinite": (VadParameters(padding_s=float("inf")), "padding_s"),
    "max_speech-0": (VadParameters(max_speech_s=0.0), "max_speech_s"),
    "max_speech-within-padding": (
        VadParameters(max_speech_s=0.4, padding_s=0.2),
        "max_speech_s",
    ),
}


@pytest.mark.parametrize(("parameters", "param"), INVALID.values(), ids=INVALID)
def test_invalid_parameters_name_their_field(parameters: VadParameters, param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        validate(parameters)

    assert raised.value.param == param


def test_the_default_parameters_are_valid() -> None:
    validate(VadParameters())
