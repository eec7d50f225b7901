"""Finds times for translated sentences, so that each is heard where its original is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import Unprocessable
from models.types import SpeechSpan

# Speech of other speeds than these sounds hurried or drawn out.
SLOWEST, FASTEST = 0.85, 1.25
GAP_S = 0.1  # that parts two sentences, where there is time for it
EARLIEST_S = 0.5  # that a sentence begins before its original, to end before the next one
SHIFTED_S = 0.2  # a sentence that stands further from its place is said to be shifted
ROUNDING = 0.001
FASTEST_AT_ALL = 4.0  # of ``models.tts.tempo``


@dataclass(frozen=True, slots=True)
class Place:
    """The span of a spoken sentence, and its speed.

    Attributes:
        shift_s: from its original's start; below 0: earlier.
    """

    start_s: float
    end_s: float
    speed: float
    shift_s: float

    @property
    def is_shifted(self) -> bool:
        return abs(self.shift_s) > SHIFTED_S

    @property
    def is_hurried(self) -> bool:
        return self.speed > FASTEST + ROUNDING


def place(
    spans: Sequence[SpeechSpan], lengths_s: Sequence[float], duration_s: float
) -> list[Place]:
    """Place sentences of ``lengths_s`` at the ``spans`` of their originals, which are in order.

    First the speed is changed, from ``SLOWEST`` to ``FASTEST``, to fill the span. Then the pause
    behind the sentence is used, and up to ``EARLIEST_S`` of the one before it. What does not fit
    even so moves later, and those behind it catch up as they can. No two sentences overlap, and
    all end by ``duration_s``: only where all of them together are too long, they are faster than
    ``FASTEST``.

    Raises:
        Unprocessable: they do not fit at ``FASTEST_AT_ALL``.
    """
    fastest, gap_s = _needed(lengths_s, duration_s)
    shortest = [length_s / fastest for length_s in lengths_s]
    latest_ends = _latest_ends(shortest, gap_s, duration_s)
    places: list[Place] = []
    free_s = 0.0  # where the sentence before and its gap end
    for number, (span, length_s) in enumerate(zip(spans, lengths_s, strict=True)):
        least_s = shortest[number]
        wanted_s = min(max(span.end_s - span.start_s, least_s), length_s / SLOWEST)
        last = number + 1 == len(spans)
        until_s = duration_s if last else min(duration_s, spans[number + 1].start_s - gap_s)
        start_s = max(span.start_s, free_s)
        over_s = min(EARLIEST_S, start_s + least_s - until_s)
        if over_s > 0:
            start_s = max(free_s, start_s - over_s)
        start_s = min(start_s, latest_ends[number] - least_s)
        end_s = min(max(start_s + least_s, min(start_s + wanted_s, until_s)), latest_ends[number])
        free_s = end_s + gap_s
        speed = length_s / (end_s - start_s) if length_s else 1.0
        places.append(Place(start_s, end_s, speed, start_s - span.start_s))
    return places


def _needed(lengths_s: Sequence[float], duration_s: float) -> tuple[float, float]:
    """Return the highest speed that is allowed, and the gap that there is time for."""
    total_s, gaps = sum(lengths_s), max(0, len(lengths_s) - 1)
    if total_s > FASTEST_AT_ALL * duration_s:
        message = (
            f"the translation takes {total_s:.1f} s, which cannot be spoken in the "
            f"{duration_s:.1f} s of the recording"
        )
        raise Unprocessable(message, param="fit")
    left_s = duration_s - total_s / FASTEST
    if left_s <= 0:
        return total_s / duration_s if total_s else FASTEST, 0.0
    return FASTEST, min(GAP_S, left_s / gaps if gaps else GAP_S)


def _latest_ends(shortest: Sequence[float], gap_s: float, duration_s: float) -> list[float]:
    """Return when each sentence must have ended, so that all those behind it fit."""
    ends: list[float] = []
    end_s = duration_s
    for length_s in reversed(shortest):
        ends.append(end_s)
        end_s -= length_s + gap_s
    return ends[::-1]
