"""The GE2E speaker encoder in PyTorch: mel spectrogram and LSTM over partials of 1.6 s.

Wan et al., "Generalized End-to-End Loss for Speaker Verification", 2018
(https://arxiv.org/abs/1710.10467), with the front end and the weights of Resemblyzer.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from models.speaker.ge2e.constants import (
    EMBEDDING_SIZE,
    HIDDEN_SIZE,
    HOP_SAMPLES,
    LAYERS,
    MEL_CHANNELS,
    WINDOW_SAMPLES,
)
from models.types import SAMPLE_RATE_HZ
from models.weights.checkpoints import fill, read_tensors

# Slaney's mel scale (Auditory Toolbox, 1998): linear to 1 kHz, logarithmic above.
HZ_PER_MEL = 200 / 3
KNEE_HZ = 1000.0
KNEE_MEL = KNEE_HZ / HZ_PER_MEL  # 15
LOG_STEP = math.log(6.4) / 27  # between two mels above the knee


class SpeakerEncoder(nn.Module):
    """Embeds partials of clips."""

    window: Tensor
    filterbank: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(MEL_CHANNELS, HIDDEN_SIZE, LAYERS, batch_first=True)
        self.linear = nn.Linear(HIDDEN_SIZE, EMBEDDING_SIZE)
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        self.register_buffer("filterbank", mel_filterbank(), persistent=False)

    @property
    def device(self) -> torch.device:
        return self.linear.weight.device

    def mel(self, audio: Tensor) -> Tensor:
        """Return mel power spectrograms, not in decibels, as librosa's ``melspectrogram`` does.

        Args:
            audio: float32 [P, n]; the first window begins at the first sample (``librosa`` with
                ``center=True`` is reached by half a window of zeros in front).

        Returns:
            float32 [P, 1 + (n - 400) // 160, 40].
        """
        spectrum = torch.stft(
            audio,
            n_fft=WINDOW_SAMPLES,
            hop_length=HOP_SAMPLES,
            window=self.window,
            center=False,
            return_complex=True,
        )  # [P, 201, frames]
        power = spectrum.real.square() + spectrum.imag.square()  # abs() would take a root first
        return (self.filterbank @ power).transpose(1, 2)

    def forward(self, audio: Tensor) -> Tensor:
        """Embed partials [P, 25,840]: float32 [P, 256] of length 1, none negative."""
        mel = self.mel(audio).to(self.linear.weight.dtype)
        _, (hidden, _) = self.lstm(mel)
        return nn.functional.normalize(torch.relu(self.linear(hidden[-1])).float(), dim=1)


def load(path: Path, device: torch.device, dtype: torch.dtype) -> SpeakerEncoder:
    """Load an encoder from a Resemblyzer checkpoint.

    The spectrogram stays in float32: its powers span more than float16 does.

    Raises:
        WeightsError: the file is no such checkpoint.
    """
    tensors = read_tensors(path, "model_state")
    for name in ("similarity_weight", "similarity_bias"):  # of the training loss
        tensors.pop(name, None)
    encoder = SpeakerEncoder()
    fill(encoder, tensors, path)
    encoder.lstm.to(dtype)
    encoder.linear.to(dtype)
    return encoder.to(device).eval().requires_grad_(False)


def mel_filterbank() -> Tensor:
    """Return triangles of equal area on Slaney's mel scale, 0 to 8 kHz: float32 [40, 201]."""
    top_hz = SAMPLE_RATE_HZ / 2
    bins_hz = torch.linspace(0, top_hz, WINDOW_SAMPLES // 2 + 1, dtype=torch.float64)
    top_mel = KNEE_MEL + math.log(top_hz / KNEE_HZ) / LOG_STEP
    edges_hz = _hz(torch.linspace(0, top_mel, MEL_CHANNELS + 2, dtype=torch.float64))
    left, centre, right = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - left) / (centre - left)
    falling = (right - bins_hz) / (right - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles * 2 / (right - left)).float()


def _hz(mel: Tensor) -> Tensor:
    logarithmic = KNEE_HZ * torch.exp(LOG_STEP * (mel - KNEE_MEL))
    return torch.where(mel < KNEE_MEL, mel * HZ_PER_MEL, logarithmic)
