"""Mixes channels to one, so that sound in any of them is heard in the mix.

A plain mean cancels what channels hold with opposite signs, as a recorder with one plug wired the
wrong way round writes it: two loud channels become silence. It also halves what only one channel
holds. So each block is mixed by what its channels hold.
"""

from __future__ import annotations

from functools import lru_cache

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

# The mix's energy, relative to that of unrelated channels: 2 for two equal channels, 1 for two
# different ones or a single one, 0 for opposite ones. Below one half the mix loses more than a
# single channel does. The gap between the two values keeps the choice from flipping.
CANCELLED, RESTORED = 0.5, 0.7
NOISE_FLOOR = 1e-9  # mean square, 90 dB below full scale: quieter blocks are not judged
SILENT = 1e-6  # relative to the loudest channel's energy so far (-60 dB): an empty channel
MUCH_LOUDER = 4.0  # in energy: from here on another channel stands for a cancelled mix


class Mixer:
    """Mixes the blocks of one recording, each float32 [channels, n], to float32 [n]."""

    def __init__(self, layout: str, channels: int) -> None:
        self._weights = _weights(layout, channels)
        self._energies = np.zeros(channels)  # of all blocks so far
        self._alone: int | None = None  # the channel that stands for all while the mix is cancelled

    def mix(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mix with FFmpeg's weights, or the loudest channel if the mix is cancelled.

        Channels that were empty so far have no share in it, and take nothing from the others.
        """
        sound = block - block.mean(axis=1, keepdims=True)  # without its constant offset
        products = (sound @ sound.T).astype(float)
        energies = np.diag(products).copy()
        energies[energies < NOISE_FLOOR * block.shape[1]] = 0
        self._energies += energies
        heard = self._weights * (self._energies > SILENT * self._energies.max())
        if not heard.any():
            heard = np.ones(len(block))
        weights = heard / heard.sum()
        self._choose(float(weights @ products @ weights), energies * (weights > 0), weights)
        if self._alone is not None:
            alone: NDArray[np.float32] = block[self._alone]
            return alone
        mixed: NDArray[np.float32] = weights.astype(np.float32) @ block
        return mixed

    def _choose(
        self, mixed: float, energies: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> None:
        apart = float(weights**2 @ energies)
        if not apart:
            return
        share, loudest = mixed / apart, int(np.argmax(energies))
        if share > RESTORED:
            self._alone = None
        elif self._alone is None:
            self._alone = loudest if share < CANCELLED else None
        elif energies[loudest] > MUCH_LOUDER * energies[self._alone]:
            self._alone = loudest


@lru_cache(maxsize=64)
def _weights(layout: str, channels: int) -> NDArray[np.float64]:
    """Return each channel's share in a mono mix, as FFmpeg mixes one sample a channel.

    A file that does not name its channels gets their mean.
    """
    shares = np.zeros(0) if layout.endswith(" channels") else _ffmpegs(layout, channels)
    if len(shares) != channels or not (shares.sum() > 0 and shares.min() >= 0):
        shares = np.ones(channels)
    weights: NDArray[np.float64] = shares / shares.sum()
    weights.flags.writeable = False  # the cache shares it
    return weights


def _ffmpegs(layout: str, channels: int) -> NDArray[np.float64]:
    rate_hz = 48_000  # any rate will do: nothing is resampled
    one_each = np.eye(channels, dtype=np.float32).reshape(1, -1)
    try:
        frame = AudioFrame.from_ndarray(one_each, format="flt", layout=AudioLayout(layout))
        frame.sample_rate = rate_hz
        resampler = AudioResampler(format="flt", layout="mono", rate=rate_hz)
        made = [*resampler.resample(frame), *resampler.resample(None)]
    except (av.FFmpegError, ValueError):  # a layout that FFmpeg reads in a file, but cannot mix
        return np.zeros(0)
    return np.concatenate([part.to_ndarray()[0] for part in made if part is not None]).astype(float)
