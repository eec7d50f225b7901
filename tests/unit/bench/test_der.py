"""The diarisation error rate."""

from __future__ import annotations

import pytest

from bench.der import Errors, errors
from deployments.graph.said import SpeakerSpan

TRUTH = (SpeakerSpan(0.0, 4.0, "Ann"), SpeakerSpan(5.0, 9.0, "Bob"))


def told(*spans: tuple[float, float, str], collar_s: float = 0.0) -> Errors:
    return errors(TRUTH, [SpeakerSpan(*span) for span in spans], 10.0, collar_s)


def test_names_do_not_matter() -> None:
    assert told((0.0, 4.0, "2"), (5.0, 9.0, "1")).rate == 0


def test_missed_speech_counts() -> None:
    found = told((0.0, 4.0, "1"), (5.0, 7.0, "2"))
    assert found.missed_s == pytest.approx(2)
    assert found.rate == pytest.approx(25)


def test_speech_in_silence_counts() -> None:
    assert told((0.0, 5.0, "1"), (5.0, 9.0, "2")).false_s == pytest.approx(1)


def test_one_speaker_for_two_is_confused() -> None:
    found = told((0.0, 4.0, "1"), (5.0, 9.0, "1"))
    assert found.confused_s == pytest.approx(4)
    assert found.confused == pytest.approx(50)


def test_two_speakers_for_one_are_confused() -> None:
    found = told((0.0, 3.0, "1"), (3.0, 4.0, "3"), (5.0, 9.0, "2"))
    assert found.confused_s == pytest.approx(1)


def test_who_speaks_at_the_same_time_counts_too() -> None:
    both = (SpeakerSpan(0.0, 2.0, "Ann"), SpeakerSpan(0.0, 2.0, "Bob"))
    found = errors(both, [SpeakerSpan(0.0, 2.0, "1")], 2.0)
    assert found.speech_s == pytest.approx(4)
    assert found.missed_s == pytest.approx(2)


def test_nothing_is_counted_near_a_border() -> None:
    late = told((0.2, 4.2, "1"), (5.2, 9.0, "2"), collar_s=0.25)
    assert late.rate == 0
    assert late.speech_s == pytest.approx(7)


def test_silence_that_is_found_so_has_no_errors() -> None:
    assert errors((), (), 3.0).rate == 0


def test_nobody_found_is_all_missed() -> None:
    assert told().missed_s == pytest.approx(8)
