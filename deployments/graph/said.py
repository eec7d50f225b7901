"""Tell who said which words of a transcript, where it is known who speaks when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_uppercase

from models.types import Segment, Word


@dataclass(frozen=True, slots=True)
class SpeakerSpan:
    """Speech of one speaker."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Said:
    """The words of one speaker at a stretch."""

    start_s: float
    end_s: float
    speaker: str
    text: str


class Who:
    """Finds the speaker of a stretch: of whom most is heard in it, or who is nearest."""

    def __init__(self, who: Sequence[SpeakerSpan]) -> None:
        self._spans = who
        self._starts_s = [span.start_s for span in who]

    def speaks(self, start_s: float, end_s: float) -> str:
        """Name the speaker; without any, it is the first one."""
        if not self._spans:
            return ascii_uppercase[0]
        middle_s = (start_s + end_s) / 2
        first = max(0, bisect_right(self._starts_s, start_s) - 1)
        last = max(first + 1, bisect_right(self._starts_s, end_s) + 1)
        near = self._spans[first:last]

        def distance(span: SpeakerSpan) -> tuple[float, float]:
            overlap_s = min(end_s, span.end_s) - max(start_s, span.start_s)
            away_s = max(span.start_s - middle_s, middle_s - span.end_s, 0.0)
            return -max(overlap_s, 0.0), away_s

        return min(near, key=distance).speaker


def said_by(segments: Sequence[Segment], who: Sequence[SpeakerSpan]) -> tuple[Said, ...]:
    """Cut the segments of a transcript where the speaker changes."""
    speakers = Who(who)
    found = []
    for segment in segments:
        words = segment.words or (Word(segment.start_s, segment.end_s, segment.text, 1.0),)
        for speaker, run in groupby(words, lambda w: speakers.speaks(w.start_s, w.end_s)):
            own = list(run)
            text = "".join(word.text for word in own).strip()
            if text:
                found.append(Said(own[0].start_s, own[-1].end_s, speaker, text))
    return tuple(found)
