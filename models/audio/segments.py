"""Joins the speech spans that a VAD found to windows that an ASR model takes."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from models.types import SAMPLE_RATE_HZ, Audio, Samples, SpeechSpan

MAX_WINDOW_S = 30.0  # of Whisper
# A longer silence ends a window. A shorter one stays inside: sentences continue after a pause.
MAX_PAUSE_S = 12.0
# A longer pause is cut to this: as long as a speaker's pause, and too short for Whisper to invent
# text in it.
KEPT_PAUSE_S = 1.0
# A full window ends at the longest pause of its last part, so that sentences stay whole.
FULL_FROM = 2 / 3


@dataclass(frozen=True)
class Window:
    """Stretches of a recording that a model hears as one, with long silences shortened.

    Attributes:
        pieces: the stretches, in order and disjoint; their audio is joined.
        speech: where there is speech, in the window's own time.
        language: the language that is spoken there; None: not yet known.
        language_probability: of that language.
    """

    pieces: tuple[SpeechSpan, ...]
    speech: tuple[SpeechSpan, ...]
    language: str | None = None
    language_probability: float = 1.0

    @property
    def start_s(self) -> float:
        return self.pieces[0].start_s

    @property
    def end_s(self) -> float:
        return self.pieces[-1].end_s

    @cached_property
    def starts_s(self) -> tuple[float, ...]:
        """Return where each piece starts in the window's own time, and where the last one ends."""
        starts_s = [0.0]
        for piece in self.pieces:
            starts_s.append(starts_s[-1] + piece.end_s - piece.start_s)
        return tuple(starts_s)

    def cut(self, audio: Audio) -> Samples:
        """Take the window's samples from a recording at 16 kHz."""
        parts = [audio.samples[_sample(p.start_s) : _sample(p.end_s)] for p in self.pieces]
        joined: Samples = parts[0] if len(parts) == 1 else np.concatenate(parts)  # type: ignore[assignment]  # of one dtype
        return joined

    def start_in_recording_s(self, at_s: float) -> float:
        """Convert the start of something from the window's time to the recording's."""
        return self._in_recording_s(at_s, bisect_right(self.starts_s, at_s) - 1)

    def end_in_recording_s(self, at_s: float) -> float:
        """Convert the end of something from the window's time to the recording's."""
        return self._in_recording_s(at_s, bisect_left(self.starts_s, at_s) - 1)

    def _in_recording_s(self, at_s: float, piece: int) -> float:
        piece = min(max(piece, 0), len(self.pieces) - 1)
        return self.pieces[piece].start_s + at_s - self.starts_s[piece]


def windows(
    spans: Sequence[SpeechSpan],
    duration_s: float,
    max_window_s: float = MAX_WINDOW_S,
    max_pause_s: float = MAX_PAUSE_S,
    kept_pause_s: float = KEPT_PAUSE_S,
) -> tuple[Window, ...]:
    """Join spans of speech to the windows that an ASR model takes.

    A pause within a window is shortened to ``kept_pause_s``, as faster-whisper's VAD filter does,
    so that the model hears a sentence whole whose speaker stopped to think. A pause over
    ``max_pause_s`` ends a window. A full window ends at the longest pause of its last third, so
    cuts fall into silence. Only a span that is longer than a window is cut, into the fewest equal
    parts. Overlapping spans are one span.

    Times are rounded to whole samples of 16 kHz, so that a window never has more samples than
    ``max_window_s``. Windows are in order, do not overlap, and lie within ``duration_s``.
    """
    limit = _sample(max_window_s)
    max_pause, kept = _sample(max_pause_s), _sample(kept_pause_s)
    found: list[Window] = []
    waiting: list[tuple[int, int]] = []  # spans of the next window
    for span in _pieces(spans, _sample(duration_s), limit):
        if waiting and span[0] - waiting[-1][1] > max_pause:
            found.append(_window(waiting, kept))
            waiting = []
        while waiting and _length([*waiting, span], kept) > limit:
            count = _full([*waiting, span], kept, limit)
            found.append(_window(waiting[:count], kept))
            waiting = waiting[count:]
        waiting.append(span)
    if waiting:
        found.append(_window(waiting, kept))
    return tuple(found)


def stretches(spans: Sequence[SpeechSpan], at_most_s: float) -> tuple[SpeechSpan, ...]:
    """Cut spans that are longer than ``at_most_s``, each into the fewest equal parts."""
    found = []
    for span in spans:
        parts = max(1, math.ceil((span.end_s - span.start_s) / at_most_s))
        step_s = (span.end_s - span.start_s) / parts
        ends_s = [span.start_s + step_s * number for number in range(parts)] + [span.end_s]
        found += [SpeechSpan(start_s, end_s) for start_s, end_s in pairwise(ends_s)]
    return tuple(found)


def _full(spans: Sequence[tuple[int, int]], kept: int, limit: int) -> int:
    """Count the spans that a window takes if it has no room for the last one."""
    best, longest = len(spans) - 1, -1
    for count in range(len(spans) - 1, 0, -1):
        if _length(spans[:count], kept) < FULL_FROM * limit:
            break
        pause = spans[count][0] - spans[count - 1][1]
        if pause > longest:
            best, longest = count, pause
    return best


def _length(spans: Sequence[tuple[int, int]], kept: int) -> int:
    """Count the samples of a window of these spans."""
    speech = sum(end - start for start, end in spans)
    return speech + sum(min(kept, b[0] - a[1]) for a, b in pairwise(spans))


def _window(spans: Sequence[tuple[int, int]], kept: int) -> Window:
    pieces = [list(spans[0])]
    speech, at = [(0, spans[0][1] - spans[0][0])], spans[0][1] - spans[0][0]
    for (_, last_end), (start, end) in pairwise(spans):
        pause = start - last_end
        if pause > kept:
            pieces[-1][1] = last_end + kept // 2
            pieces.append([start - (kept - kept // 2), end])
        else:
            pieces[-1][1] = end
        at += min(pause, kept)
        speech.append((at, at + end - start))
        at += end - start
    return Window(_spans(pieces), _spans(speech))


def _spans(in_samples: Sequence[Sequence[int]]) -> tuple[SpeechSpan, ...]:
    return tuple(SpeechSpan(s / SAMPLE_RATE_HZ, e / SAMPLE_RATE_HZ) for s, e in in_samples)


def _pieces(spans: Sequence[SpeechSpan], duration: int, limit: int) -> Iterator[tuple[int, int]]:
    """Yield disjoint (start, end) in samples and in order, none longer than ``limit``."""
    disjoint: list[tuple[int, int]] = []
    for span in sorted(spans, key=lambda span: span.start_s):
        start, end = max(0, _sample(span.start_s)), min(duration, _sample(span.end_s))
        if end <= start:
            continue
        if disjoint and start < disjoint[-1][1]:
            disjoint[-1] = (disjoint[-1][0], max(end, disjoint[-1][1]))
        else:
            disjoint.append((start, end))
    for start, end in disjoint:
        parts = math.ceil((end - start) / limit)
        cuts = [start + (end - start) * part // parts for part in range(parts + 1)]
        yield from pairwise(cuts)


def _sample(time_s: float) -> int:
    return round(time_s * SAMPLE_RATE_HZ)
