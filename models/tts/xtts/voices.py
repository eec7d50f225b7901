"""The voices of XTTS: latents of its speakers, and of clips, which are kept in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from models.errors import Unprocessable
from models.tts.references import checked_clip, digest
from models.types import SAMPLE_RATE_HZ, Samples

HEARD_RATE_HZ = 22_050  # at which coqui loads the clip of a voice


@dataclass(frozen=True, slots=True, eq=False)
class Voice:
    """What the network hears of a voice; ``key`` tells voices apart."""

    key: str | bytes
    latents: Any  # [1, 32, d]
    embedding: Any  # [1, e, 1]


class ClipVoices:
    """The voices of clips, as coqui's ``get_conditioning_latents`` makes them of a file."""

    def __init__(self, xtts: Any, *, min_s: float, max_s: float, remembered: int) -> None:
        """Bind a network.

        Args:
            xtts: an ``Xtts`` in evaluation mode.
            min_s: of a clip.
            max_s: of a clip.
            remembered: how many voices are kept, the latest used ones.
        """
        self._xtts, self._min_s, self._max_s = xtts, min_s, max_s
        self._remembered = remembered
        self._memo: OrderedDict[bytes, Voice] = OrderedDict()

    def of(self, clip: Samples) -> Voice:
        """Return the voice of a clip at 16 kHz [n].

        Raises:
            TooLarge, InvalidRequest, Unprocessable: it is too long, silent, without numbers, or too
                short; ``param`` is "voice".
        """
        key = digest(clip)
        if key in self._memo:
            self._memo.move_to_end(key)
            return self._memo[key]
        voice = self._memo[key] = self._heard(key, clip)
        while len(self._memo) > self._remembered:
            self._memo.popitem(last=False)
        return voice

    def forget(self) -> None:
        self._memo.clear()

    def _heard(self, key: bytes, samples: Samples) -> Voice:
        import torch
        from torchaudio.functional import resample

        clip = checked_clip(samples, self._max_s)
        if len(clip) < self._min_s * SAMPLE_RATE_HZ:
            raise Unprocessable(
                f"the voice to speak in is heard for {len(clip) / SAMPLE_RATE_HZ:.3g} s; "
                f"it takes {self._min_s:g} s",
                param="voice",
            )
        xtts, config = self._xtts, self._xtts.config
        audio = resample(torch.from_numpy(clip)[None], SAMPLE_RATE_HZ, HEARD_RATE_HZ).clip(-1, 1)
        audio = audio[:, : HEARD_RATE_HZ * config.max_ref_len].to(xtts.device)
        if config.sound_norm_refs:
            audio = audio / audio.abs().max() * 0.75
        embedding = xtts.get_speaker_embedding(audio, HEARD_RATE_HZ)
        latents = xtts.get_gpt_cond_latents(
            audio, HEARD_RATE_HZ, config.gpt_cond_len, config.gpt_cond_chunk_len
        )
        return Voice(key, latents, embedding)
