"""Frames of any kind to mono int16 at one rate, with limits on what is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from models.errors import InvalidRequest, TooLarge

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000  # of uploads; bounds what resampling can multiply
SAMPLE_BYTES = 2  # int16
MAX_CHANNELS = 64  # what libswresample mixes


class Resampler:
    """Gathers decoded frames as mono int16 at one rate, up to a limit."""

    def __init__(self, rate_hz: int, max_duration_s: float = math.inf) -> None:
        self._rate_hz = rate_hz
        self._max_duration_s = max_duration_s
        self._resampler: AudioResampler | None = None
        self._takes: tuple[str, str, int] | None = None  # the frames that it is set up for
        self._samples = bytearray()  # grows where it lies: a long recording is never there twice

    def add(self, frame: AudioFrame) -> None:
        """Raises TooLarge as soon as the limit is passed."""
        frame = _mixable(_checked(frame))
        takes = (frame.format.name, frame.layout.name, frame.sample_rate)
        if takes != self._takes:  # a stream may change its rate or channels on the way
            self._flush()
            self._resampler = AudioResampler(format="s16", layout="mono", rate=self._rate_hz)
            self._takes = takes
        frame.pts = None  # gaps between time stamps are no samples
        assert self._resampler is not None
        self._gather(self._resampler.resample(frame))

    @property
    def gathered_bytes(self) -> int:
        return len(self._samples)

    def finish(self) -> NDArray[np.int16]:
        """What was gathered: int16 [n]."""
        self._flush()
        return np.frombuffer(self._samples, np.int16)

    def _flush(self) -> None:
        if self._resampler is not None:
            self._gather(self._resampler.resample(None))

    def _gather(self, frames: Sequence[AudioFrame | None]) -> None:
        for frame in frames:
            if frame is not None:  # what a resampler with nothing to do gives when flushed
                self._samples += frame.to_ndarray()[0].data
        if len(self._samples) > self._max_duration_s * self._rate_hz * SAMPLE_BYTES:
            raise too_long(self._max_duration_s)


def _checked(frame: AudioFrame) -> AudioFrame:
    """``frame``, clipped to full scale where it is float."""
    channels = frame.layout.nb_channels
    if not MIN_RATE_HZ <= frame.sample_rate <= MAX_RATE_HZ:
        raise bad_rate(frame.sample_rate)
    if channels > MAX_CHANNELS:
        raise InvalidRequest(
            f"The audio has {channels} channels; at most {MAX_CHANNELS} are taken.", param="file"
        )
    if not frame.format.name.startswith(("flt", "dbl")):
        return frame
    values = frame.to_ndarray()
    peak = np.abs(values).max(initial=0.0)
    if not np.isfinite(peak):
        raise InvalidRequest("The audio has samples that are no finite numbers.", param="file")
    return _like(frame, np.clip(values, -1, 1)) if peak > 1 else frame


def _mixable(frame: AudioFrame) -> AudioFrame:
    """``frame``; the mean of its channels where the file does not say which is which."""
    if not frame.layout.name.endswith(" channels"):
        return frame
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    mean = values.mean(axis=0, keepdims=True).astype(values.dtype)
    return _like(frame, mean, layout="mono", planar=True)


def _like(
    frame: AudioFrame, values: NDArray[Any], *, layout: str = "", planar: bool = False
) -> AudioFrame:
    name = frame.format.planar.name if planar else frame.format.name
    copy = AudioFrame.from_ndarray(values, format=name, layout=layout or frame.layout.name)
    copy.sample_rate = frame.sample_rate
    return copy


def too_long(max_duration_s: float) -> TooLarge:
    return TooLarge(f"The audio is longer than {max_duration_s:g} s.", param="file")


def bad_rate(rate_hz: int) -> InvalidRequest:
    return InvalidRequest(
        f"The audio has {rate_hz} samples a second; {MIN_RATE_HZ} to {MAX_RATE_HZ} are taken.",
        param="file",
    )
