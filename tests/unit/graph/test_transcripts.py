"""Transcripts of windows: what is recognised, its times, and how they join."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployments.graph.languages import cut_windows
from deployments.graph.plan import TranscribeOptions
from deployments.graph.transcripts import in_recording, joined, transcript_of
from models.audio.segments import Window
from models.types import (
    AsrItem,
    Segment,
    SpeechSpan,
    Transcript,
    Word,
)
from tests.unit.graph.test_languages import Ear, recording


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
