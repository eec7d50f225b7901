"""Who said which words."""

from __future__ import annotations

import numpy as np

from deployments.graph.diarisation import KnownSpeaker, named
from deployments.graph.said import Said, SpeakerSpan, said_by
from models.speaker.turns import Turn, Turns, rules_of
from models.types import SAMPLE_RATE_HZ, Audio, Segment, Word


def segment(*words: tuple[float, float, str], text: str = "") -> Segment:
    timed = tuple(Word(start_s, end_s, said, 1.0) for start_s, end_s, said in words)
    start_s, end_s = (words[0][0], words[-1][1]) if words else (0.0, 2.0)
    whole = text or "".join(word.text for word in timed).strip()
    return Segment(start_s, end_s, whole, (), 0.0, -0.1, 1.0, 0.0, timed or None)


HELLO = segment(
    (0.0, 0.4, " Hello"), (0.5, 0.9, " there."), (1.2, 1.5, " Hi."), (1.6, 1.9, " You?")
)
TWO = (SpeakerSpan(0.0, 1.0, "A"), SpeakerSpan(1.1, 2.0, "B"))


def test_a_segment_is_cut_where_the_speaker_changes() -> None:
    assert said_by([HELLO], TWO) == (
        Said(0.0, 0.9, "A", "Hello there."),
        Said(1.2, 1.9, "B", "Hi. You?"),
    )


def test_segments_of_one_speaker_stay_apart() -> None:
    later = segment((2.5, 3.0, " Bye."))
    found = said_by([HELLO, later], [SpeakerSpan(0.0, 3.0, "A")])
    assert [each.text for each in found] == ["Hello there. Hi. You?", "Bye."]


def test_a_word_is_of_whom_most_is_heard_in_it() -> None:
    (said,) = said_by([segment((0.8, 1.6, " well"))], TWO)
    assert said.speaker == "B"


def test_a_word_between_is_of_who_is_nearest() -> None:
    spans = (SpeakerSpan(0.0, 1.0, "A"), SpeakerSpan(3.0, 4.0, "B"))
    found = said_by([segment((1.1, 1.3, " so"), (2.6, 2.8, " then"), (5.0, 5.2, " bye"))], spans)
    assert [each.speaker for each in found] == ["A", "B"]
    assert found[1].text == "then bye"


def test_a_long_turn_is_found_behind_short_ones() -> None:
    spans = (SpeakerSpan(0.0, 9.0, "A"), SpeakerSpan(9.0, 9.5, "B"), SpeakerSpan(9.5, 12.0, "A"))
    (said,) = said_by([segment((7.0, 7.5, " still"))], spans)
    assert said.speaker == "A"


def test_a_segment_without_words_is_of_one_speaker() -> None:
    (said,) = said_by([segment(text="All of it")], [SpeakerSpan(0.2, 1.9, "B")])
    assert said == Said(0.0, 2.0, "B", "All of it")


def test_without_a_speaker_the_first_one_said_it() -> None:
    assert [said.speaker for said in said_by([HELLO], ())] == ["A"]


def test_words_of_a_language_without_spaces_are_joined_as_they_are() -> None:
    (said,) = said_by([segment((0.0, 0.4, "こんにちは"), (0.5, 0.9, "世界"))], TWO)
    assert said.text == "こんにちは世界"


def test_speakers_without_a_letter_left_have_one_with_a_number() -> None:
    voices = np.eye(40, dtype=np.float32)
    turns = tuple(Turn(2.0 * number, 2.0 * number + 1, number) for number in range(26))
    clip = Audio(np.zeros(0, np.int16), SAMPLE_RATE_HZ)
    known = [KnownSpeaker(name, clip) for name in "ABCDEFGHIJ"]
    found = named(Turns(turns, voices[:26]), known, list(voices[30:]), rules_of("ge2e"))
    names = [span.speaker for span in found]
    assert names == [*"KLMNOPQRSTUVWXYZ", *(f"{letter}1" for letter in "ABCDEFGHIJ")]
