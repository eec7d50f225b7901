"""Whisper large-v3-turbo's network in PyTorch, by window and batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.engine_inputs import speech
from bench.gpu.measure import Found, Precision, Setup, point
from models.audio.samples import to_float32
from models.types import SAMPLE_RATE_HZ

TOKENS = 20  # of the text of 5 s
UTTERANCE_S = 5
POSITIONS_A_S = 50
# As openai/whisper-large-v3-turbo's config.json says.
TURBO: dict[str, int] = {
    "vocab_size": 51_866,
    "num_mel_bins": 128,
    "d_model": 1280,
    "encoder_layers": 32,
    "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "decoder_layers": 4,
    "decoder_attention_heads": 20,
    "decoder_ffn_dim": 5120,
}
SMALL = TURBO | {
    "vocab_size": 1000,
    "d_model": 64,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 128,
}
START = 3  # any token


class Whisper:
    """Decode with random values; greedy, for a number of tokens. Half precision on a GPU."""

    def __init__(self, setup: Setup, window_s: int) -> None:
        import torch
        from transformers import (
            WhisperConfig,
            WhisperFeatureExtractor,
            WhisperForConditionalGeneration,
        )

        self._device = setup.device
        self.sizes = TURBO if setup.on_gpu else SMALL
        config = WhisperConfig(
            **self.sizes,
            max_source_positions=window_s * POSITIONS_A_S,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=START,
        )
        with torch.device(self._device):
            model = WhisperForConditionalGeneration(config)
        self._dtype = torch.float16 if setup.on_gpu else torch.float32
        self._model: Any = model.to(self._dtype).eval()
        self._features: Any = WhisperFeatureExtractor(
            feature_size=self.sizes["num_mel_bins"], chunk_length=window_s
        )

    def __call__(self, audio: Sequence[NDArray[np.float32]], tokens: int = TOKENS) -> Any:
        """Return token ids [B, tokens] on the CPU, of clips [n] that the window holds."""
        import torch

        features = self._features(
            list(audio), sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt", device=self._device
        ).input_features
        with torch.inference_mode():
            heard = self._model.model.encoder(features.to(self._device, self._dtype))[0]
            ids = torch.full((len(audio), 1), START, device=self._device)
            cache, said = None, []
            for _ in range(tokens):
                step = self._model.model.decoder(
                    input_ids=ids, encoder_hidden_states=heard, past_key_values=cache
                )
                cache = step.past_key_values
                ids = self._model.proj_out(step.last_hidden_state[:, -1:]).argmax(-1)
                said.append(ids)
            return torch.cat(said, dim=1).cpu()

    def gbytes(self, tokens: int = TOKENS) -> float:
        """Count the weights that a pass reads: the encoder's once, the decoder's at each step."""
        d, sizes = self.sizes["d_model"], self.sizes
        encoder = sizes["encoder_layers"] * (4 * d * d + 2 * d * sizes["encoder_ffn_dim"])
        decoder = sizes["decoder_layers"] * (8 * d * d + 2 * d * sizes["decoder_ffn_dim"])
        decoder += sizes["vocab_size"] * d
        return 2 * (encoder + tokens * decoder) / 1e9


def whisper(setup: Setup, found: Found) -> None:
    for window_s, batch_sizes in ((10, (1, 8, 32)), (30, (1, 8))):
        network = Whisper(setup, window_s)
        for batch_size in batch_sizes if setup.on_gpu else (1, 2):
            audio = [to_float32(item.samples) for item in speech(batch_size, UTTERANCE_S)]
            precision: Precision = "float16" if setup.on_gpu else "float32"
            point(
                found,
                partial(network, audio),
                (
                    "Whisper turbo" if setup.on_gpu else "Whisper (small)",
                    f"transformers, {precision}, window {window_s} s",
                    batch_size,
                    f"{UTTERANCE_S} s, {TOKENS} tokens",
                ),
                on=setup.device,
                precision=precision,
                gbytes=network.gbytes() if setup.on_gpu else None,
                audio_s=float(UTTERANCE_S * batch_size),
            )
        del network
    found.notes.append(
        "Whisper's engine runs on CTranslate2; its rows here are the same network in PyTorch "
        f"through transformers, greedy, {TOKENS} tokens for each {UTTERANCE_S} s."
    )
