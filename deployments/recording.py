"""What happens to a recording between the models: sentences with times, cuts, the voice in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.samples import to_float32
from models.text.sentences import split
from models.types import (
    SAMPLE_RATE_HZ,
    UNDETERMINED,
    Audio,
    Samples,
    Segment,
    SpeechSpan,
    Transcript,
    VadResult,
    Word,
)

REFERENCE_S = 10.0  # of a voice to speak in: YourTTS' paper takes clips of some seconds
ENOUGH_S = 3.0  # of clean speech: what is less clean would only make the voice worse
CLEAN_PROBABILITY = 0.7  # mean of a span's frames; its padding of 0.4 s in all is silence
MAX_CLIPPED = 1e-3  # share of samples at full scale
FULL_SCALE = 32_767
FRAME_S = 0.032  # of one speech probability
EMBEDDING_SPEECH_S = 60  # more speech of one speaker does not move a mean of 1.6 s partials


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """One sentence: when it was said, what it says, and how it sounds in the other language."""

    start_s: float
    end_s: float
    text: str
    translation: str
    audio: Audio | None


def first_heard(transcripts: Sequence[Transcript]) -> Transcript:
    """The first in which something was said, else the first: its language is the recording's."""
    heard = (t for t in transcripts if t.language != UNDETERMINED)
    return next(heard, transcripts[0])


def timed_sentences(transcript: Transcript) -> list[Sentence]:
    """The sentences of a transcript with their times, not yet translated.

    Whisper's segments end where it paused, not where a sentence does. A boundary inside a
    segment is placed by the share of the segment's characters that stand before it.
    """
    spoken, chars, times_s = "", [], []
    for segment in transcript.segments:
        piece = segment.text.strip()
        chars += [len(spoken), len(spoken) + len(piece)]
        times_s += [segment.start_s, segment.end_s]
        spoken += piece + " "
    found, position = [], 0
    for sentence in split(spoken, transcript.language).sentences:
        start = spoken.index(sentence, position)
        position = start + len(sentence)
        start_s, end_s = np.interp([start, position], chars, times_s)
        found.append(Sentence(round(float(start_s), 3), round(float(end_s), 3), sentence, "", None))
    return found


def cut(audio: Audio, span: SpeechSpan) -> Audio:
    start, end = (round(t * audio.sample_rate_hz) for t in (span.start_s, span.end_s))
    return replace(audio, samples=audio.samples[start:end])


def only(
    audio: Audio, speech_spans: Sequence[SpeechSpan], at_most_s: float = EMBEDDING_SPEECH_S
) -> Audio:
    """The speech alone, up to ``at_most_s``: as much of it as an embedding can use."""
    pieces: list[Samples] = []
    left = round(at_most_s * SAMPLE_RATE_HZ)
    for span in speech_spans:
        pieces.append(cut(audio, span).samples[:left])
        left -= len(pieces[-1])
    speech: Samples = np.concatenate(pieces)  # type: ignore[assignment]  # of one dtype
    return replace(audio, samples=speech)


def reference(audio: Audio, heard: VadResult) -> Audio:
    """The voice that is heard, as a clip to speak in: the longest clean spans, in their order.

    A span is clean where the detector is sure of it and the recording is not clipped. Where
    there is less than ``ENOUGH_S`` of those, the longest others serve, too.
    """
    longest_first = sorted(heard.spans, key=lambda s: s.start_s - s.end_s)
    clean = [span for span in longest_first if _is_clean(audio, span, heard.probabilities)]
    chosen, left_s = [], REFERENCE_S
    for span in [*clean, *(span for span in longest_first if span not in clean)]:
        if left_s <= 0 or (span not in clean and left_s <= REFERENCE_S - ENOUGH_S):
            break
        chosen.append(replace(span, end_s=min(span.end_s, span.start_s + left_s)))
        left_s -= chosen[-1].end_s - chosen[-1].start_s
    return only(audio, sorted(chosen, key=lambda span: span.start_s), REFERENCE_S)


def _is_clean(audio: Audio, span: SpeechSpan, probabilities: NDArray[np.float32]) -> bool:
    frames = probabilities[int(span.start_s / FRAME_S) : math.ceil(span.end_s / FRAME_S)]
    clipped = np.mean(np.abs(to_float32(cut(audio, span).samples)) * FULL_SCALE >= FULL_SCALE - 1)
    return bool(np.mean(frames) >= CLEAN_PROBABILITY and clipped <= MAX_CLIPPED)


def shifted(transcript: Transcript, by_s: float) -> Transcript:
    """The same, with its times counted from ``by_s`` earlier."""

    def word(w: Word) -> Word:
        return replace(w, start_s=w.start_s + by_s, end_s=w.end_s + by_s)

    def segment(s: Segment) -> Segment:
        words = None if s.words is None else tuple(map(word, s.words))
        return replace(s, start_s=s.start_s + by_s, end_s=s.end_s + by_s, words=words)

    return replace(transcript, segments=tuple(map(segment, transcript.segments)))
