"""Find texts that go round, as recognisers write them at times, and what to take instead."""

from __future__ import annotations

from dataclasses import replace

from models.asr.decoding import Thresholds, compression_ratio
from models.asr.repeats import MOST_LETTERS, is_said_twice
from models.types import Segment, Transcript, Word

LEAST_LETTERS = 4  # that are said again; fewer, as in "no, no, no", are not judged
TIMES = 2.5  # that they are said


def goes_round(prefix: str, text: str) -> bool:
    """Tell whether a text repeats itself, alone or together with what stands before it.

    A speaker may repeat himself, too: such audio is heard again, or for longer.
    """
    if not text.strip():
        return False
    whole = prefix + text
    # A byte a letter: in UTF-8 those of some scripts are alike in most of their bytes.
    ratio = compression_ratio("".join(chr(ord(letter) % 128) for letter in whole))
    if is_said_twice(text) or ratio > Thresholds().compression_ratio:
        return True
    letters = "".join(filter(str.isalnum, whole.casefold()))[-MOST_LETTERS:]
    longest = int(len(letters) / TIMES)
    return any(_ends_with_rounds(letters, length) for length in range(LEAST_LETTERS, longest + 1))


def _ends_with_rounds(letters: str, length: int) -> bool:
    """Tell whether so many letters are said again and again at the end."""
    again = round((TIMES - 1) * length)
    return letters[-again:] == letters[-again - length : -length]


def behind_prefix(prefix: str, prefix_end_s: float, whole: Transcript) -> Transcript:
    """Put a prefix in place of the words that a transcript of all the audio has there.

    Args:
        prefix: it ends with whole words.
        prefix_end_s: where it ends in the audio.
        whole: with times of words.
    """
    first = Word(0.0, prefix_end_s, prefix, 1.0)

    def rest(segment: Segment) -> tuple[Word, ...]:
        return tuple(w for w in segment.words or () if w.start_s + w.end_s > 2 * prefix_end_s)

    segments = [replace(segment, words=rest(segment)) for segment in whole.segments]
    if segments:
        segments[0] = replace(segments[0], words=(first, *(segments[0].words or ())))
    return replace(whole, segments=tuple(segments))
