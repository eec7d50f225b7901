"""Hearing a recording: the language of each stretch, windows of one language, times and joins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deployments.graph.languages import cut_windows
from deployments.graph.listening import listen
from deployments.graph.plan import TranscribeOptions
from deployments.graph.transcripts import in_recording, joined, transcript_of
from models.audio.samples import loudness_dbfs
from models.audio.segments import Window
from models.types import (
    SAMPLE_RATE_HZ,
    AsrItem,
    Audio,
    Segment,
    SpeechSpan,
    Transcript,
    VadItem,
    VadResult,
    Word,
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


async def test_a_recogniser_is_told_where_speech_is_and_what_may_be_spoken() -> None:
    audio, spans = recording((1, 4, 1))
    ear, options = Ear(), TranscribeOptions(languages=("en", "pt"))
    (window,) = await cut_windows(audio, spans, options, ear)
    await transcript_of(audio, window, options, ear)
    (item,) = ear.items
    assert (item.speech, item.languages) == ((SpeechSpan(0, 3),), ("en", "pt"))


async def test_a_language_found_beforehand_tells_its_probability() -> None:
    audio, spans = recording((1, 4, 1), (5, 8, 1))
    ear, options = Ear(), TranscribeOptions()
    (window,) = await cut_windows(audio, spans, options, ear)
    heard = await transcript_of(audio, window, options, ear)
    assert (heard.language, heard.language_probability) == ("en", 0.95)


class Repeating:
    """A recogniser that writes once what is said twice in one window."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.items: list[AsrItem] = []

    async def __call__(self, item: AsrItem) -> Transcript:
        self.items.append(item)
        said = Segment(0.0, item.length, self._text, (), 0.0, -0.2, 1.0, 0.0, language="en")
        return Transcript(self._text, "en", 1.0, (said,))


@pytest.mark.parametrize(
    ("text", "parts", "heard"),
    [
        pytest.param("Please hold the line.", [(1, 2, 1), (3, 4, 1)], 1, id="enough"),
        pytest.param("Please hold the line.", [(1, 3, 1), (4, 6, 1)], 2, id="once-of-two"),
        pytest.param("Please hold the line.", [(1, 5, 1)], 2, id="once-of-two-without-a-pause"),
        pytest.param("", [(1, 3, 1), (4, 6, 1)], 0, id="nothing"),
    ],
)
async def test_a_text_too_short_for_its_speech_is_heard_by_stretches(
    text: str, parts: list[tuple[float, float, int]], heard: int
) -> None:
    audio, spans = recording(*parts)
    asr = Repeating(text)
    (window,) = await cut_windows(audio, spans, TranscribeOptions("en"), asr)
    transcript = await transcript_of(audio, window, TranscribeOptions("en"), asr)
    assert transcript.text.count("hold") == heard


async def test_what_is_heard_apart_counts_only_if_it_says_much_more() -> None:
    audio, spans = recording((1, 3, 1), (4, 6, 1))
    asr = Repeating("Please hold the line.")

    async def once(item: AsrItem) -> Transcript:
        is_first = not asr.items
        found = await asr(item)
        return found if is_first else replace(found, text="No.", segments=())

    (window,) = await cut_windows(audio, spans, TranscribeOptions("en"), once)
    transcript = await transcript_of(audio, window, TranscribeOptions("en"), once)
    assert (transcript.text, len(asr.items)) == ("Please hold the line.", 3)


async def test_what_is_heard_apart_is_not_sampled() -> None:
    audio, spans = recording((1, 3, 1), (4, 6, 1))
    asr = Repeating("Please hold the line.")
    (window,) = await cut_windows(audio, spans, TranscribeOptions("en"), asr)
    await transcript_of(audio, window, TranscribeOptions("en"), asr)
    assert [item.temperature for item in asr.items] == [None, 0.0, 0.0]


# ---- times and joins ---------------------------------------------------------------------


def segment(start_s: float, end_s: float, text: str, language: str = "en", **rest: Any) -> Segment:
    return Segment(start_s, end_s, text, (), 0.0, -0.2, 1.0, 0.0, language=language, **rest)


def transcript(*segments: Segment, language: str = "en", probability: float = 0.9) -> Transcript:
    text = " ".join(s.text for s in segments)
    return Transcript(text, language, probability, segments)


def test_times_of_a_window_are_those_of_its_recording() -> None:
    window = Window((SpeechSpan(10, 12), SpeechSpan(20, 22)), (SpeechSpan(0, 1), SpeechSpan(3, 4)))
    words = (Word(0.0, 2.0, " One", 1.0), Word(2.0, 4.0, " two", 1.0))
    (placed,) = in_recording(transcript(segment(0, 4, "One two", words=words)), window).segments
    assert (placed.start_s, placed.end_s) == (10, 22)
    assert [(w.start_s, w.end_s) for w in placed.words or ()] == [(10, 12), (20, 22)]


def test_the_language_of_a_recording_is_the_one_most_is_spoken_in() -> None:
    parts = [
        transcript(segment(0, 2, "Hi."), probability=0.99),
        transcript(segment(3, 9, "Hola."), language="es", probability=0.8),
    ]
    whole = joined(parts)
    assert (whole.text, whole.language, whole.language_probability) == ("Hi. Hola.", "es", 0.8)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        pytest.param([("ja", "はい。"), ("ja", "どうも。")], "はい。どうも。", id="no-spaces"),
        pytest.param([("ja", "はい。"), ("en", "Yes.")], "はい。 Yes.", id="one-writes-spaces"),
        pytest.param(
            [("zh", "好。"), ("en", ""), ("zh", "再见。")], "好。再见。", id="nothing-between"
        ),
    ],
)
def test_texts_are_joined_as_their_languages_are_written(
    parts: list[tuple[str, str]], text: str
) -> None:
    said = [transcript(segment(0, 2, words), language=language) for language, words in parts]
    assert joined(said).text == text


# ---- level -------------------------------------------------------------------------------


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
