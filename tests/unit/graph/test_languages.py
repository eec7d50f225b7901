"""The language of each stretch of speech, and windows of one language."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from deployments.graph.languages import cut_windows
from deployments.graph.plan import TranscribeOptions
from models.types import (
    SAMPLE_RATE_HZ,
    AsrItem,
    Audio,
    SpeechSpan,
    Transcript,
)

# What is "spoken" at a level of samples: one that is clear, and one that could be either.
CLEAR = {1: "en", 2: "es", 3: "fr"}
DOUBTFUL, NOISE = 9, 8
RECORDING_S = 60


class Ear:
    """A recogniser that hears a language by the level of the samples."""

    def __init__(self) -> None:
        self.items: list[AsrItem] = []

    async def __call__(self, item: AsrItem) -> Transcript:
        self.items.append(item)
        level = int(np.median(item.samples[item.samples > 0]))
        if level == NOISE:
            return Transcript("", "und", 0.0, ())
        if level == DOUBTFUL and item.languages:
            languages = (("it", 0.5), ("es", 0.3))
            return Transcript("", item.languages[-1], 0.3, (), languages)
        if level == DOUBTFUL:
            return Transcript("", "it", 0.5, (), (("it", 0.5), ("es", 0.3)))
        return Transcript("", CLEAR[level], 0.95, (), ((CLEAR[level], 0.95), ("it", 0.05)))


def recording(*parts: tuple[float, float, int]) -> tuple[Audio, list[SpeechSpan]]:
    """Parts from a second to another at a level, in silence."""
    samples = np.zeros(RECORDING_S * SAMPLE_RATE_HZ, np.int16)
    for start_s, end_s, level in parts:
        samples[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)] = level
    return Audio(samples), [SpeechSpan(start_s, end_s) for start_s, end_s, _ in parts]


async def languages_of(
    *parts: tuple[float, float, int], **options: Any
) -> list[tuple[float, float, str | None]]:
    audio, spans = recording(*parts)
    found = await cut_windows(audio, spans, TranscribeOptions(**options), Ear())
    return [(window.start_s, window.end_s, window.language) for window in found]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([], [], id="silence"),
        pytest.param([(1, 4, 2)], [(1, 4, None)], id="one-is-told-as-it-is-recognised"),
        pytest.param([(1, 4, 1), (5, 8, 1)], [(1, 8, "en")], id="one-language"),
        pytest.param(
            [(1, 4, 1), (4.5, 8, 2)], [(1, 4, "en"), (4.5, 8, "es")], id="another-in-half-a-second"
        ),
        pytest.param(
            [(1, 4, 1), (5, 8, 2), (9, 12, 1)],
            [(1, 4, "en"), (5, 8, "es"), (9, 12, "en")],
            id="there-and-back",
        ),
        pytest.param(
            [(1, 4, 1), (5, 8, 2), (9, 12, 3)],
            [(1, 4, "en"), (5, 8, "es"), (9, 12, "fr")],
            id="three",
        ),
        pytest.param(
            [(1, 4, 2), (5, 5.5, 1), (6, 9, 2)], [(1, 9, "es")], id="too-short-to-tell-one"
        ),
        pytest.param(
            [(1, 4, 2), (5, 8, DOUBTFUL)], [(1, 8, "es")], id="doubtful-in-a-language-known-here"
        ),
        pytest.param([(1, 4, 2), (5, 8, NOISE)], [(1, 8, "es")], id="a-noise-tells-none"),
        pytest.param([(1, 4, NOISE), (5, 8, NOISE)], [(1, 8, None)], id="noise-alone"),
        pytest.param([(1, 25, 1), (26, 28, 2)], [(1, 25, "en"), (26, 28, "es")], id="a-long-one"),
    ],
)
async def test_each_window_is_of_one_language(
    parts: list[tuple[float, float, int]], expected: list[tuple[float, float, str | None]]
) -> None:
    assert await languages_of(*parts) == expected


async def test_a_named_language_is_not_asked_for() -> None:
    audio, spans = recording((1, 4, 1), (5, 8, 2))
    ear = Ear()
    (window,) = await cut_windows(audio, spans, TranscribeOptions("fr"), ear)
    assert (window.language, ear.items) == ("fr", [])


async def test_doubtful_speech_is_tried_in_the_languages_that_are_known() -> None:
    audio, spans = recording((1, 4, 2), (5, 8, DOUBTFUL))
    ear = Ear()
    await cut_windows(audio, spans, TranscribeOptions(), ear)
    assert ear.items[-1].languages == ("it", "es")


@pytest.mark.parametrize(
    ("part", "candidates", "expected"),
    [
        pytest.param((1, 4, 2), ("es", "fr"), "es", id="a-candidate-that-is-clear"),
        pytest.param((1, 4, 1), ("it", "fr"), "it", id="another-is-clear"),
        pytest.param((1, 4, DOUBTFUL), ("es", "fr"), "es", id="a-candidate-in-doubt"),
        pytest.param((1, 1.6, 1), ("it", "fr"), "it", id="short"),
    ],
)
async def test_a_single_stretch_is_in_a_candidate(
    part: tuple[float, float, int], candidates: tuple[str, ...], expected: str
) -> None:
    assert [found[2] for found in await languages_of(part, candidates=candidates)] == [expected]
