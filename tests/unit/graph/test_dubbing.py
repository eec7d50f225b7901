"""Sentences that are fitted to their recording: their places, and what they say of themselves."""

from __future__ import annotations

import numpy as np
import pytest

from deployments.graph.dubbing import fit_steps
from deployments.graph.sentences import Sentence
from models.audio.steps import finished
from models.types import AnswerWarning, Audio

RATE_HZ = 16_000
UNSURE = AnswerWarning("unsure_text", "what was said may be something else")


def said(start_s: float, end_s: float, spoken_s: float | None) -> Sentence:
    samples = np.full(round((spoken_s or 0.0) * RATE_HZ), 500, np.int16)
    audio = None if spoken_s is None else Audio(samples, RATE_HZ)
    return Sentence(start_s, end_s, "text", "texto", audio, warnings=(UNSURE,))


def fitted(*sentences: Sentence, duration_s: float = 10.0) -> tuple[list[Sentence], Audio]:
    return finished(fit_steps(sentences, duration_s, RATE_HZ, None))


def test_a_sentence_gets_its_place_and_keeps_its_warnings() -> None:
    (only,), track = fitted(said(2, 4, 2.0))
    assert only.place is not None
    assert (only.place.start_s, only.place.end_s) == pytest.approx((2, 4))
    assert only.warnings == (UNSURE,)
    assert len(track.samples) == 10 * RATE_HZ


@pytest.mark.parametrize("spoken_s", [None, 0.0], ids=["not-spoken", "without-a-sound"])
def test_a_sentence_without_a_sound_has_no_place(spoken_s: float | None) -> None:
    (silent, spoken), _ = fitted(said(0, 1, spoken_s), said(2, 4, 2.0))
    assert silent.place is None
    assert spoken.place is not None


def test_silence_around_speech_takes_no_place() -> None:
    quiet = np.zeros(RATE_HZ, np.int16)
    speech = np.concatenate([quiet, np.full(RATE_HZ, 500, np.int16), quiet])
    (only,), _ = fitted(Sentence(2, 3, "text", "texto", Audio(speech, RATE_HZ)))
    assert only.place is not None
    assert only.place.speed == pytest.approx(1.0, abs=0.1)


def test_a_sentence_that_is_shifted_says_by_how_much() -> None:
    sentences, _ = fitted(said(0, 1, 5.0), said(1, 2, 1.0), said(2, 3, 1.0))
    (shifted,) = [w for w in sentences[1].warnings if w.code == "dub_shifted"]
    assert "3.1 s later" in shifted.message


def test_sentences_that_are_hurried_say_how_much() -> None:
    sentences, _ = fitted(said(0, 1, 2.0), said(1, 2, 1.0), duration_s=2.0)
    codes = [[w.code for w in each.warnings if w is not UNSURE] for each in sentences]
    assert codes[0] == ["dub_hurried"]
    assert "1.50 times" in sentences[0].warnings[-1].message
