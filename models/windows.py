"""Speech spans to windows: what a VAD found, as pieces of audio that an ASR model takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from models.types import SAMPLE_RATE_HZ, SpeechSpan


def windows(
    spans: Sequence[SpeechSpan],
    duration_s: float,
    max_window_s: float = 30.0,
    max_gap_s: float = 2.0,
) -> tuple[SpeechSpan, ...]:
    """Join spans of speech to the windows that an ASR model takes.

    A window runs from its first span's start to its last span's end and takes the next span
    while it stays within ``max_window_s`` (Whisper's 30 s) and the silence before that span is
    at most ``max_gap_s``. So cuts fall into silence; only a span that is longer than a window
    is cut through, into the fewest equal parts. Spans that overlap are one span.

    Why ``max_gap_s``: a pause within an utterance is context that helps; a longer silence
    costs as much to decode as speech does, and is where Whisper invents text. 2 s is also the
    silence at which faster-whisper's own VAD filter cuts.

    Times are rounded to whole samples of 16 kHz, so that a window never has more samples than
    ``max_window_s``. Returned in order, never overlapping, within ``duration_s``.
    """
    limit, max_gap = _sample(max_window_s), _sample(max_gap_s)
    joined: list[tuple[int, int]] = []
    for start, end in _pieces(spans, _sample(duration_s), limit):
        if joined and start - joined[-1][1] <= max_gap and end - joined[-1][0] <= limit:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(SpeechSpan(s / SAMPLE_RATE_HZ, e / SAMPLE_RATE_HZ) for s, e in joined)


def _pieces(spans: Sequence[SpeechSpan], duration: int, limit: int) -> Iterator[tuple[int, int]]:
    """Disjoint (start, end) in samples and in order, none longer than ``limit``."""
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
