"""Cut a recording down to the speech that tells its speaker's voice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.audio.samples import to_float32
from models.types import SAMPLE_RATE_HZ, Audio, Samples, SpeechSpan, VadParameters, VadResult
from models.vad.silero import spans

REFERENCE_S = 10.0  # of a voice to speak in: YourTTS' paper takes clips of some seconds
ENOUGH_S = 3.0  # of clean speech: what is less clean would only make the voice worse
CLEAN_PROBABILITY = 0.7  # mean of a span's frames; its padding of 0.4 s in all is silence
MAX_CLIPPED = 1e-3  # share of samples at full scale
FULL_SCALE = 32_767
FRAME_S = 0.032  # of one speech probability
EMBEDDING_SPEECH_S = 60  # more speech of one speaker does not move a mean of 1.6 s partials
VOICE_VAD = VadParameters(padding_s=0.0)  # unlike recognition, a voice wants no silence around


def cut(audio: Audio, span: SpeechSpan) -> Audio:
    """Cut one span out of a recording."""
    start, end = (round(t * audio.sample_rate_hz) for t in (span.start_s, span.end_s))
    return replace(audio, samples=audio.samples[start:end])


def only(
    audio: Audio, speech_spans: Sequence[SpeechSpan], at_most_s: float = EMBEDDING_SPEECH_S
) -> Audio:
    """Join the spans of speech, up to ``at_most_s``; an embedding can use no more by default."""
    pieces: list[Samples] = []
    left = round(at_most_s * SAMPLE_RATE_HZ)
    for span in speech_spans:
        pieces.append(cut(audio, span).samples[:left])
        left -= len(pieces[-1])
    speech: Samples = np.concatenate(pieces)  # type: ignore[assignment]  # of one dtype
    return replace(audio, samples=speech)


def voice_in(audio: Audio, heard: VadResult) -> tuple[Audio, float]:
    """Cut a recording down to its speech, and count the seconds that it has.

    A recording without speech is taken whole: what a detector does not hear may be a voice.
    """
    found = spans(heard.probabilities, VOICE_VAD, audio.duration_s)
    speech_s = sum((span.end_s - span.start_s for span in found), start=0.0)
    return (only(audio, found) if found else audio), speech_s


def reference(audio: Audio, heard: VadResult) -> Audio:
    """Cut a clip of the voice to speak in: the longest clean spans, in their order.

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
    """Tell whether a span is surely speech, and not clipped."""
    frames = probabilities[int(span.start_s / FRAME_S) : math.ceil(span.end_s / FRAME_S)]
    clipped = np.mean(np.abs(to_float32(cut(audio, span).samples)) * FULL_SCALE >= FULL_SCALE - 1)
    return bool(np.mean(frames) >= CLEAN_PROBABILITY and clipped <= MAX_CLIPPED)
