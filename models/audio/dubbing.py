"""Makes the sound of a dubbed recording: each sentence at its place, the rest silent or lowered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.audio.decode import resample_steps
from models.audio.placing import Place
from models.audio.samples import to_float32, to_int16
from models.audio.steps import Steps
from models.tts.tempo import at_speed
from models.types import Audio, SpeechSpan

BACKGROUND_RATE_HZ = 32_000  # holds music up to 16 kHz, in a third less memory than 48 kHz
DUCKED = np.float32(10 ** (-18 / 20))  # what is left of the background under speech
FALL_S, RISE_S = 0.15, 0.4  # that the background takes to be lowered, and to come back
HELD_S = 1.0  # in a shorter pause it stays lowered: it would pump
FRAME_S = 0.01  # by which silence is measured
SILENT = 0.01  # of the loudest frame's amplitude
KEPT_S = 0.02  # of silence around speech


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """The speech of a sentence, without silence around, and its place.

    Attributes:
        original: where the sentence was said; the background is lowered there, too.
    """

    speech: Audio
    place: Place
    original: SpeechSpan


def trimmed(speech: Audio) -> Audio:
    """Return speech without the silence before and behind it."""
    samples = speech.samples
    frame = max(1, round(FRAME_S * speech.sample_rate_hz))
    count = len(samples) // frame
    if not count:
        return speech
    power = np.square(to_float32(samples[: count * frame])).reshape(count, frame).mean(axis=1)
    heard = np.flatnonzero(power > SILENT**2 * power.max())
    if not len(heard):
        return speech
    kept = round(KEPT_S * speech.sample_rate_hz)
    start = max(0, int(heard[0]) * frame - kept)
    end = min(len(samples), (int(heard[-1]) + 1) * frame + kept)
    return Audio(samples[start:end], speech.sample_rate_hz)


def dub_steps(
    sentences: Sequence[Placed], duration_s: float, rate_hz: int, background: Audio | None = None
) -> Steps[Audio]:
    """Put sentences at their places in a track of ``duration_s``, in steps of a sentence.

    Args:
        sentences: in order; they do not overlap.
        duration_s: of the track, to the sample.
        rate_hz: of the track; with a background it is the background's.
        background: what was recorded. It stays under the voice, lowered where somebody speaks.
            Its samples are overwritten. None: the rest is silent.
    """
    if background is None:
        track = np.zeros(round(duration_s * rate_hz), np.int16)
    else:
        rate_hz = background.sample_rate_hz
        track = _of_length(to_int16(background.samples), round(duration_s * rate_hz))
        spans = [span for each in sentences for span in (each.original, _span(each.place))]
        yield from _lower(track, spans, rate_hz)
    for sentence in sentences:
        yield track.nbytes
        resampled = yield from resample_steps(sentence.speech, rate_hz)
        start = round(sentence.place.start_s * rate_hz)
        length = max(0, min(round(sentence.place.end_s * rate_hz), len(track)) - start)
        spoken = _of_length(_stretched(resampled, length), length)
        there = track[start : start + length]
        np.clip(there.astype(np.int32) + spoken, -32_768, 32_767, out=there, casting="unsafe")
    return Audio(track, rate_hz)


def _stretched(speech: Audio, length: int) -> NDArray[np.int16]:
    """Return speech that is about ``length`` samples long, at its own pitch."""
    if not length or abs(len(speech.samples) - length) <= 1:
        return to_int16(speech.samples)
    speed = len(speech.samples) / length
    return to_int16(at_speed(to_float32(speech.samples), speech.sample_rate_hz, speed))


def _of_length(samples: NDArray[np.int16], length: int) -> NDArray[np.int16]:
    """Return samples, cut or with silence behind, that can be written to."""
    if len(samples) < length:
        return np.pad(samples, (0, length - len(samples)))
    return samples[:length] if samples.flags.writeable else samples[:length].copy()


def _lower(track: NDArray[np.int16], spans: Sequence[SpeechSpan], rate_hz: int) -> Steps[None]:
    """Lower a track under the spans, with ramps around."""
    for start_s, end_s in _joined(spans):
        times = np.array([start_s - FALL_S, start_s, end_s, end_s + RISE_S])
        first, last = (int(max(0.0, at_s) * rate_hz) for at_s in (times[0], times[-1]))
        for start in range(first, min(last, len(track)), rate_hz):
            yield track.nbytes
            there = track[start : min(start + rate_hz, last)]
            at = (start + np.arange(len(there))) / rate_hz
            gain = np.interp(at, times, np.array([1, DUCKED, DUCKED, 1]))
            there[:] = np.rint(there * gain)


def _joined(spans: Sequence[SpeechSpan]) -> list[tuple[float, float]]:
    """Return spans in order, one of those that overlap or have only a short pause between."""
    joined: list[tuple[float, float]] = []
    for span in sorted(spans, key=lambda span: span.start_s):
        start_s, end_s = span.start_s, span.end_s
        if joined and start_s - joined[-1][1] < HELD_S:
            start_s, last_s = joined.pop()
            end_s = max(end_s, last_s)
        joined.append((start_s, end_s))
    return joined


def _span(place: Place) -> SpeechSpan:
    return SpeechSpan(place.start_s, place.end_s)
