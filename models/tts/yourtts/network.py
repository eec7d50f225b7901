"""Runs YourTTS' network on a padded batch; each row sounds as if it ran alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import pad_sequence

from models.devices.precision import full_precision
from models.passes import passes as forward_passes

# Seed of every row's noise, so that a sentence sounds the same every time and in every batch.
NOISE_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One sentence of a batch, ready for the network."""

    ids: Sequence[int]  # of its characters, at least one
    language: int  # row of the language embedding
    d_vector: NDArray[np.float32]  # [d], of any length but 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the memory of one pass through the decoder, and on its padding."""

    row_frames: int  # of one row; a longer one is not spoken
    pass_frames: int  # of all rows of a pass, padding included
    max_padding: float  # share of a pass's frames that may be padding


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    """A batch of texts after the text encoder: c channels, t characters."""

    means: Tensor  # [b, c, t], of the latent sound
    log_scales: Tensor  # [b, c, t]
    frames: Tensor  # [b, t], of each character: whole numbers as float32
    speakers: Tensor  # [b, d, 1], of length 1


class Network:
    """The inference of VITS (https://arxiv.org/abs/2106.06103, 2.2) with coqui's layers.

    It does what ``TTS.tts.models.vits.Vits.inference`` does, but takes noise for each row, and
    keeps the padding out of the decoder. With coqui's inference the last tenth of a second of a row
    depends on how long its neighbours are.
    """

    def __init__(self, vits: Any, device: torch.device) -> None:
        """Take ``vits``: a ``Vits`` with d-vectors and a language embedding, in evaluation mode."""
        _fold_weight_norm(vits)
        self._vits = vits.to(device)
        self.device = device
        self._padding = _DecoderPadding(vits.waveform_decoder)
        self.hop_samples = math.prod(vits.args.upsample_rates_decoder)

    @torch.inference_mode()
    @full_precision()
    def synthesise(
        self, rows: Sequence[Row], *, noise_scale: float, noise_w: float, limits: Limits
    ) -> list[NDArray[np.float32] | None]:
        """Speak a batch of rows.

        Args:
            rows: at least one.
            noise_scale: standard deviation of the noise of the sound; 0: none.
            noise_w: standard deviation of the noise of the durations; 0: none.
            limits: decide how many passes through the decoder are made.

        Returns:
            For each row float32 [n], n its frames times ``hop_samples``, or None where it has
            more than ``limits.row_frames`` or no finite number of them.
        """
        noise = [torch.Generator().manual_seed(NOISE_SEED) for _ in rows]
        encoded = self._encode(rows, noise, noise_w)
        frames = encoded.frames.sum(dim=1).tolist()
        spoken: list[NDArray[np.float32] | None] = [None] * len(rows)
        fitting = [p for p, count in enumerate(frames) if count <= limits.row_frames]
        for places in passes([int(frames[p]) for p in fitting], limits):
            of_batch = [fitting[p] for p in places]
            audio = self._decode(encoded, of_batch, [noise[p] for p in of_batch], noise_scale)
            for place, samples in zip(of_batch, audio, strict=True):
                spoken[place] = samples
        return spoken

    def _encode(
        self, rows: Sequence[Row], noise: Sequence[torch.Generator], noise_w: float
    ) -> _Encoded:
        vits, device = self._vits, self.device
        ids = pad_sequence([torch.tensor(row.ids) for row in rows], batch_first=True).to(device)
        lengths = torch.tensor([len(row.ids) for row in rows], device=device)
        languages = vits.emb_l(torch.tensor([row.language for row in rows], device=device))
        languages = languages.unsqueeze(-1)
        vectors = torch.from_numpy(np.stack([row.d_vector for row in rows])).to(device)
        speakers = normalize(vectors).unsqueeze(-1)
        hidden, means, log_scales, mask = vits.text_encoder(ids, lengths, lang_emb=languages)
        log_frames = self._log_frames(hidden, mask, speakers, languages, noise, noise_w)
        frames = torch.ceil(torch.exp(log_frames) * vits.length_scale).clamp_min(1) * mask
        return _Encoded(means, log_scales, frames.squeeze(1), speakers)

    def _log_frames(
        self,
        hidden: Tensor,
        mask: Tensor,
        speakers: Tensor,
        languages: Tensor,
        noise: Sequence[torch.Generator],
        noise_w: float,
    ) -> Tensor:
        """Return the logarithm of each character's frames [b, 1, t], by either predictor.

        The stochastic predictor's own ``forward`` draws one noise for the batch, so its layers run
        here.
        """
        predictor, args = self._vits.duration_predictor, self._vits.args
        given = speakers if args.condition_dp_on_speaker else None
        if not args.use_sdp:
            log_frames: Tensor = predictor(hidden, mask, g=given, lang_emb=languages)
            return log_frames
        hidden = predictor.pre(hidden)
        if given is not None:
            hidden = hidden + predictor.cond(given)
        hidden = predictor.convs(hidden + predictor.cond_lang(languages), mask)
        hidden = predictor.proj(hidden) * mask
        counts = mask.sum(dim=(1, 2)).long().tolist()
        latent = self._noise(noise, 2, counts) * noise_w
        # All flows, last to first, without the second: it changes only the half that is not used.
        for flow in [*reversed(predictor.flows[2:]), predictor.flows[0]]:
            latent = flow(latent.flip(1), mask, g=hidden, reverse=True)
        return latent[:, :1]

    def _decode(
        self,
        encoded: _Encoded,
        places: Sequence[int],
        noise: Sequence[torch.Generator],
        noise_scale: float,
    ) -> list[NDArray[np.float32]]:
        """Return the sound of these rows of the batch, each cut to its own length."""
        vits, speakers = self._vits, encoded.speakers[list(places)]
        repeats = [encoded.frames[place].long() for place in places]

        def of_frames(of_characters: Tensor) -> Tensor:  # [b, c, t] -> [rows, c, frames]
            each = [of_characters[p].T for p in places]
            spread = [e.repeat_interleave(r, dim=0) for e, r in zip(each, repeats, strict=True)]
            return pad_sequence(spread, batch_first=True).transpose(1, 2)

        means, log_scales = of_frames(encoded.means), of_frames(encoded.log_scales)
        counts = [int(r.sum()) for r in repeats]
        mask = torch.arange(means.shape[2]) < torch.tensor(counts).unsqueeze(1)
        mask = mask.unsqueeze(1).to(means)  # [rows, 1, frames]
        latent = means
        if noise_scale:
            latent = means + self._noise(noise, means.shape[1], counts) * (
                torch.exp(log_scales) * noise_scale
            )
        latent = vits.flow(latent, mask, g=speakers, reverse=True) * mask
        with self._padding.silenced(mask):
            audio = vits.waveform_decoder(latent, g=speakers).squeeze(1).float().cpu().numpy()
        ends = [count * self.hop_samples for count in counts]
        return [row[:end].copy() for row, end in zip(audio, ends, strict=True)]

    def _noise(
        self, generators: Sequence[torch.Generator], channels: int, counts: Sequence[int]
    ) -> Tensor:
        """Return normal noise [b, channels, longest], zero behind the end of each row.

        It is drawn on the CPU, so that every device speaks alike.
        """
        drawn = [
            torch.randn(count, channels, generator=generator)
            for generator, count in zip(generators, counts, strict=True)
        ]
        return pad_sequence(drawn, batch_first=True).transpose(1, 2).to(self.device)


class _DecoderPadding:
    """Keeps a HiFi-GAN's padding at zero before every convolution.

    A row that runs alone has zeros behind its end in every layer: the convolutions' own padding. In
    a batch, biases and the speaker's vector would fill that padding, and each convolution would
    carry some of it into the row.
    """

    def __init__(self, decoder: Any) -> None:
        self._rates = [up.stride[0] for up in decoder.ups]
        self._masks: dict[int, Tensor] = {}  # width -> [b, 1, width]; empty: nothing to silence
        for module in decoder.modules():
            if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
                module.register_forward_pre_hook(self._silence)

    @contextmanager
    def silenced(self, mask: Tensor) -> Iterator[None]:
        """Keep the padding at zero while open; ``mask`` [b, 1, frames] is 1 in rows, else 0."""
        if not bool(mask.all()):
            self._masks[mask.shape[2]] = mask
            for rate in self._rates:
                mask = mask.repeat_interleave(rate, dim=2)
                self._masks[mask.shape[2]] = mask
        try:
            yield
        finally:
            self._masks.clear()

    def _silence(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        mask = self._masks.get(inputs[0].shape[2])
        return None if mask is None else (inputs[0] * mask,)


def passes(frames: Sequence[int], limits: Limits) -> list[list[int]]:
    """Choose the rows that go through the decoder together; return places, the longest first."""

    def fits(rows: Sequence[int]) -> bool:
        padded = rows[0] * len(rows)
        return padded <= limits.pass_frames and 1 - sum(rows) / padded <= limits.max_padding

    return forward_passes(frames, fits)


def _fold_weight_norm(network: nn.Module) -> None:
    """Compute the normalised weights once, instead of in every call."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
