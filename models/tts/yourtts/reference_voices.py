"""Embeds the clips of voices to clone with YourTTS' speaker encoder, batched and cached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.devices.precision import full_precision
from models.errors import DragomanError, InvalidRequest, Unprocessable
from models.tts.references import checked_clip, digest
from models.types import SAMPLE_RATE_HZ, Samples

if TYPE_CHECKING:
    import torch

# Number of a clip's windows, evenly spaced, and frames of each, as in coqui's
# `BaseEncoder.compute_embedding`. A shorter clip is one window.
WINDOWS = 10
WINDOW_FRAMES = 250  # 2.5 s
# Windows in one pass of the encoder: those of four clips. It bounds the memory.
WINDOWS_PER_PASS = 40


class ReferenceVoices:
    """The d-vectors of reference clips, as coqui's ``compute_embedding_from_clip`` returns them.

    The encoder is H/ASP (https://arxiv.org/abs/2009.14153). Its pooling has no mask, so only
    windows of one length share a pass; all clips of 2.5 s and longer have such windows.
    """

    def __init__(
        self,
        encoder: Any,
        audio: Any,
        device: torch.device,
        *,
        min_s: float,
        max_s: float,
        remembered: int,
    ) -> None:
        """Bind an encoder to its device.

        Args:
            encoder: a ``ResNetSpeakerEncoder`` on waveforms, in evaluation mode.
            audio: its ``AudioProcessor``, which trims and levels clips.
            device: where to run.
            min_s: of a clip, after trimming.
            max_s: of a clip.
            remembered: how many d-vectors are kept, the latest used ones.
        """
        self._encoder, self._audio, self._device = encoder.to(device), audio, device
        self._min_s, self._max_s, self._remembered = min_s, max_s, remembered
        self._memo: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._window_samples = WINDOW_FRAMES * int(encoder.audio_config["hop_length"])

    def d_vectors(self, references: Sequence[Samples]) -> list[NDArray[np.float32] | DragomanError]:
        """Return the d-vector [d] of each reference (16 kHz, [n]); a clip runs only once.

        In the place of a clip stands TooLarge, Unprocessable (too short) or InvalidRequest (silent,
        or no numbers), with ``param="voice"``.
        """
        keys = [digest(samples) for samples in references]
        found: dict[bytes, NDArray[np.float32] | DragomanError] = {}
        clips: dict[bytes, NDArray[np.float32]] = {}
        for key, samples in zip(keys, references, strict=True):
            if key in self._memo:
                self._memo.move_to_end(key)
                found[key] = self._memo[key]
            elif key not in found and key not in clips:
                try:
                    clips[key] = self._prepared(samples)
                except DragomanError as error:
                    found[key] = error
        for key, vector in zip(clips, self._embed(list(clips.values())), strict=True):
            if np.isfinite(vector).all() and vector.any():
                found[key] = self._memo[key] = vector
            else:
                found[key] = InvalidRequest("the voice's values are out of range", param="voice")
        while len(self._memo) > self._remembered:
            self._memo.popitem(last=False)
        return [found[key] for key in keys]

    def forget(self) -> None:
        self._memo.clear()

    def _prepared(self, samples: Samples) -> NDArray[np.float32]:
        """Prepare the clip as the encoder's configuration wants it, and check it."""
        clip = self._levelled(checked_clip(samples, self._max_s))
        if len(clip) < max(1, self._min_s * SAMPLE_RATE_HZ):
            raise Unprocessable(
                f"the voice to speak in is heard for {len(clip) / SAMPLE_RATE_HZ:.3g} s; "
                f"it takes {self._min_s:g} s",
                param="voice",
            )
        return clip

    def _levelled(self, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        """Level a clip as coqui's ``AudioProcessor.load_wav`` does after reading a file."""
        from TTS.utils.audio.numpy_transforms import rms_volume_norm

        audio = self._audio
        if audio.do_trim_silence and len(clip):
            clip = audio.trim_silence(clip)
        if audio.do_sound_norm and len(clip):
            clip = audio.sound_norm(clip)
        if audio.do_rms_norm and len(clip):
            clip = rms_volume_norm(x=clip, db_level=audio.db_level)
        return np.ascontiguousarray(clip, np.float32)

    @full_precision()
    def _embed(self, clips: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Return the mean of each clip's windows, each of length 1; all clips share the passes."""
        import torch

        of_width: dict[int, list[tuple[int, NDArray[np.float32]]]] = {}  # -> (clip, window)
        for place, clip in enumerate(clips):
            for window in windows(clip, self._window_samples):
                of_width.setdefault(len(window), []).append((place, window))
        heard: list[list[NDArray[np.float32]]] = [[] for _ in clips]
        for rows in of_width.values():
            for first in range(0, len(rows), WINDOWS_PER_PASS):
                together = rows[first : first + WINDOWS_PER_PASS]
                batch = torch.from_numpy(np.stack([window for _, window in together]))
                vectors = self._encoder.inference(batch.to(self._device)).cpu().numpy()
                for (place, _), vector in zip(together, vectors, strict=True):
                    heard[place].append(vector)
        return [np.mean(vectors, axis=0, dtype=np.float32) for vectors in heard]


def windows(clip: NDArray[np.float32], width: int) -> list[NDArray[np.float32]]:
    """Return views of a clip's windows [width], or the clip itself if it is no longer than one.

    Coqui runs such a clip ten times, with the same mean.
    """
    if len(clip) <= width:
        return [clip]
    starts = np.linspace(0, len(clip) - width, num=WINDOWS).astype(np.intp)
    return [clip[start : start + width] for start in starts]
