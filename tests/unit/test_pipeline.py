"""The graph's own arithmetic: sentences and their times."""

from __future__ import annotations

import pytest

from deployments.pipeline import timed_sentences
from models.types import Segment, Transcript


def transcript(*segments: tuple[float, float, str]) -> Transcript:
    made = tuple(Segment(s, e, text, (), 0.0, 0.0, 1.0, 0.0) for s, e, text in segments)
    return Transcript(" ".join(s.text.strip() for s in made), "en", 1.0, made)


def test_a_sentence_over_two_segments_spans_both() -> None:
    heard = transcript((1.0, 2.0, " Please hold"), (2.5, 4.0, " while I try."))
    assert [(s.start_s, s.end_s, s.text) for s in timed_sentences(heard)] == [
        (1.0, 4.0, "Please hold while I try.")
    ]


def test_two_sentences_in_one_segment_share_its_time_by_their_length() -> None:
    first, second = timed_sentences(transcript((0.0, 2.0, " Go home. Go away.")))
    times_s = [first.start_s, first.end_s, second.start_s, second.end_s]
    assert times_s == pytest.approx([0.0, 2 * 8 / 17, 2 * 9 / 17, 2.0], abs=0.001)


def test_a_gap_between_segments_belongs_to_no_sentence() -> None:
    first, second = timed_sentences(transcript((0.0, 1.0, " One."), (5.0, 6.0, " Two.")))
    assert (first.end_s, second.start_s) == (1.0, 5.0)


def test_no_segments_are_no_sentences() -> None:
    assert timed_sentences(transcript()) == []
