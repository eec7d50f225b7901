"""Converts frames of any kind to mono int16 at one rate, with limits on what is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from models.audio.mixing import Mixer
from models.audio.samples import to_int16
from models.errors import InvalidRequest, TooLarge

MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 384_000  # of uploads; bounds what resampling can multiply
SAMPLE_BYTES = 2  # int16
MAX_CHANNELS = 64  # the limit of libswresample
FLOATS = ("flt", "dbl")  # sample formats that may go beyond full scale
BLOCK_S = 0.5  # mixed at once: longer than a cycle of any sound, shorter than a word
BLOCK_VALUES = 1 << 19  # of all channels together: bounds the memory of a block


class Resampler:
    """Gathers decoded frames as mono int16 at one rate, up to a limit.

    Frames are joined to blocks first. A frame of some codecs is a few ms: too short to judge
    channels by, and costly to mix one by one.
    """

    def __init__(self, rate_hz: int, max_duration_s: float = math.inf) -> None:
        self._rate_hz = rate_hz
        self._max_duration_s = max_duration_s
        self._takes: tuple[str, str, int] | None = None  # the frames that it is set up for
        self._samples = bytearray()  # grows in place: a long recording is not copied
        self._taken_bytes = 0

    def add(self, frame: AudioFrame) -> None:
        """Add a frame.

        Raises:
            TooLarge: the limit is passed.
        """
        takes = (frame.format.name, frame.layout.name, frame.sample_rate)
        if takes != self._takes:  # a stream may change its rate or channels
            self.flush()
            self._set_up_for(frame)
            self._takes = takes
        frame.pts = None  # gaps between time stamps add no samples
        self._fifo.write(frame)
        while self._fifo.samples >= self._block:
            self._push(self._fifo.read(self._block))

    def flush(self) -> None:
        """Gather all that was added; the next frame begins anew."""
        if self._takes is None:
            return
        if self._fifo.samples:
            self._push(self._fifo.read())
        self._gather(self._resampler.resample(None))
        self._takes = None

    @property
    def gathered_bytes(self) -> int:
        return len(self._samples)

    def take(self, count: int) -> NDArray[np.int16]:
        """Return the first samples of what is gathered, and keep them no longer: int16 [count]."""
        size = min(count * SAMPLE_BYTES, len(self._samples))
        taken = bytes(self._samples[:size])
        del self._samples[:size]
        self._taken_bytes += size
        return np.frombuffer(taken, np.int16)

    def finish(self) -> NDArray[np.int16]:
        """Return all that is gathered: int16 [n]."""
        self.flush()
        return np.frombuffer(self._samples, np.int16)

    def _set_up_for(self, frame: AudioFrame) -> None:
        channels, rate_hz = frame.layout.nb_channels, frame.sample_rate
        if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
            raise bad_rate(rate_hz)
        if not 1 <= channels <= MAX_CHANNELS:
            raise bad_channels(channels)
        self._block = max(1, min(int(BLOCK_S * rate_hz), BLOCK_VALUES // channels))
        self._fifo = AudioFifo()
        self._resampler = AudioResampler(format="s16", layout="mono", rate=self._rate_hz)
        if channels > 1:
            self._mixer = Mixer(frame.layout.name, channels)
            # Interleaved: PyAV misreads a frame of more than seven planes.
            self._packer = AudioResampler(format="flt", layout=frame.layout, rate=rate_hz)

    def _push(self, block: AudioFrame | None) -> None:
        if block is not None:
            block.pts = None
            self._gather(self._resampler.resample(self._mono(block)))

    def _mono(self, block: AudioFrame) -> AudioFrame:
        channels, is_float = block.layout.nb_channels, block.format.name.startswith(FLOATS)
        if channels > 1:
            (packed,) = self._packer.resample(block)
            values = packed.to_ndarray().reshape(-1, channels).T
            values = np.ascontiguousarray(_clipped(values) if is_float else values, np.float32)
            mixed = self._mixer.mix(values)
            if block.format.packed.name == "s16":  # quicker to resample, and no worse
                return _frame(to_int16(mixed), "s16", block.sample_rate)
            return _frame(mixed, "flt", block.sample_rate)
        if block.layout.name == "mono" and not is_float:
            return block
        values = block.to_ndarray()[0]
        values = _clipped(values) if is_float else values
        return _frame(values, block.format.packed.name, block.sample_rate)

    def _gather(self, frames: Sequence[AudioFrame | None]) -> None:
        for frame in frames:
            if frame is not None:  # a resampler with nothing to do returns None when flushed
                self._samples += frame.to_ndarray()[0].data
        in_all = self._taken_bytes + len(self._samples)
        if in_all > self._max_duration_s * self._rate_hz * SAMPLE_BYTES:
            raise too_long(self._max_duration_s)


def _clipped(values: NDArray[Any]) -> NDArray[Any]:
    """Clip floats to full scale."""
    peak = np.abs(values).max(initial=0.0)
    if not np.isfinite(peak):
        raise InvalidRequest("The audio has samples that are no finite numbers.", param="file")
    return np.clip(values, -1, 1) if peak > 1 else values


def _frame(values: NDArray[Any], sample_format: str, rate_hz: int) -> AudioFrame:
    """Wrap mono samples [n] in FFmpeg's frame."""
    frame = AudioFrame.from_ndarray(values[None], format=sample_format, layout="mono")
    frame.sample_rate = rate_hz
    return frame


def too_long(max_duration_s: float) -> TooLarge:
    return TooLarge(f"The audio is longer than {max_duration_s:g} s.", param="file")


def bad_channels(channels: int) -> InvalidRequest:
    message = f"The audio has {channels} channels; 1 to {MAX_CHANNELS} are taken."
    return InvalidRequest(message, param="file")


def bad_rate(rate_hz: int) -> InvalidRequest:
    return InvalidRequest(
        f"The audio has {rate_hz} samples a second; {MIN_RATE_HZ} to {MAX_RATE_HZ} are taken.",
        param="file",
    )
