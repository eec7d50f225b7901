"""A published M2M100 checkpoint: its shape, its tensors, and CTranslate2's model of them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.nmt.m2m100.rows import POSITIONS
from models.nmt.m2m100.tokenizer import M2m100Tokenizer

if TYPE_CHECKING:
    from ctranslate2.specs import TransformerSpec

CONFIG_FILE = "config.json"
TENSOR_FILES = ("model.safetensors", "pytorch_model.bin")  # as in `WeightSource.first`
_SHARED_EMBEDDING = "model.shared.weight"  # of encoder, decoder and output
_POSITION_OFFSET = 2  # fairseq numbers positions behind that of padding, which is 1
_LONGEST_WAVE = 10_000.0  # of positions: Vaswani et al. 2017, section 3.5


@dataclass(frozen=True, slots=True)
class Architecture:
    """What ``config.json`` says of the network."""

    encoder_layers: int
    decoder_layers: int
    heads: int
    d_model: int
    scale_embedding: bool
    positions: int

    @classmethod
    def read(cls, path: Path) -> Architecture:
        """Read ``config.json``.

        Raises:
            WeightsError: it is none of M2M100, or of a network that differs from the published.
        """
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            expected = {
                "model_type": "m2m_100",
                "activation_function": "relu",
                "decoder_attention_heads": config["encoder_attention_heads"],
            }
            for key, value in expected.items():
                if config[key] != value:
                    raise WeightsError(f"{path}: {key} is {config[key]!r}, not {value!r}")
            if not config.get("tie_word_embeddings", True):
                raise WeightsError(f"{path}: tie_word_embeddings is off, not on as published")
            return cls(
                encoder_layers=config["encoder_layers"],
                decoder_layers=config["decoder_layers"],
                heads=config["encoder_attention_heads"],
                d_model=config["d_model"],
                scale_embedding=config.get("scale_embedding", True),
                positions=config.get("max_position_embeddings", POSITIONS),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(f"{path}: not a configuration of M2M100 ({error!r})") from error


def build_spec(
    tensors: Mapping[str, Any], architecture: Architecture, tokenizer: M2m100Tokenizer
) -> TransformerSpec:
    """CTranslate2's description of the model, in float32; a pre-norm Transformer.

    It is built from the tensors as they lie in the file. CTranslate2's own converter needs the
    model as an object of transformers, and misses the tokens of the languages there since
    transformers 5, which no longer lists them where it looks.

    Raises:
        WeightsError: a tensor is missing, or there are fewer rows than tokens.
    """
    from ctranslate2.specs import TransformerSpec

    spec = TransformerSpec.from_config(
        (architecture.encoder_layers, architecture.decoder_layers), architecture.heads
    )
    weights = _Weights(tensors)
    embedding = weights.array(_SHARED_EMBEDDING)
    positions = sinusoids(architecture.positions, architecture.d_model)
    for name, side in (("encoder", spec.encoder), ("decoder", spec.decoder)):
        side.scale_embeddings = (
            math.sqrt(architecture.d_model) if architecture.scale_embedding else 1.0
        )
        side.position_encodings.encodings = positions
        weights.norm(side.layer_norm, f"model.{name}.layer_norm")
        for i, layer in enumerate(side.layer):
            weights.layer(layer, f"model.{name}.layers.{i}")
    spec.encoder.embeddings[0].weight = embedding
    spec.decoder.embeddings.weight = embedding
    spec.decoder.projection.weight = embedding
    tokens = tokenizer.all_tokens(len(embedding))
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.decoder_start_token = spec.config.eos_token  # fairseq begins with the end
    return spec


@dataclass(frozen=True, slots=True)
class _Weights:
    """Copies tensors, by the names of the file, into CTranslate2's layers."""

    tensors: Mapping[str, Any]

    def array(self, name: str) -> NDArray[np.float32]:
        if name not in self.tensors:
            raise WeightsError(f"the checkpoint has no tensor {name}")
        array: NDArray[np.float32] = self.tensors[name].float().numpy()
        return array

    def linear(self, into: Any, *names: str) -> None:
        """One linear layer, or several of one input that CTranslate2 runs as one."""
        into.weight = np.concatenate([self.array(f"{name}.weight") for name in names])
        into.bias = np.concatenate([self.array(f"{name}.bias") for name in names])

    def norm(self, into: Any, name: str) -> None:
        into.gamma, into.beta = self.array(f"{name}.weight"), self.array(f"{name}.bias")

    def layer(self, into: Any, name: str) -> None:
        """One layer of the encoder, or of the decoder, which attends to the encoder too."""
        own, query = f"{name}.self_attn", into.self_attention
        self.norm(query.layer_norm, f"{own}_layer_norm")
        self.linear(query.linear[0], f"{own}.q_proj", f"{own}.k_proj", f"{own}.v_proj")
        self.linear(query.linear[1], f"{own}.out_proj")
        if hasattr(into, "attention"):
            across, query = f"{name}.encoder_attn", into.attention
            self.norm(query.layer_norm, f"{across}_layer_norm")
            self.linear(query.linear[0], f"{across}.q_proj")
            self.linear(query.linear[1], f"{across}.k_proj", f"{across}.v_proj")
            self.linear(query.linear[2], f"{across}.out_proj")
        self.norm(into.ffn.layer_norm, f"{name}.final_layer_norm")
        self.linear(into.ffn.linear_0, f"{name}.fc1")
        self.linear(into.ffn.linear_1, f"{name}.fc2")


def sinusoids(positions: int, d_model: int) -> NDArray[np.float32]:
    """Fairseq's position encodings [positions, d_model]: all sines, then all cosines."""
    half = d_model // 2
    rates = np.exp(
        np.arange(half, dtype=np.float32) * np.float32(-math.log(_LONGEST_WAVE) / (half - 1))
    )
    angles = np.outer(np.arange(_POSITION_OFFSET, positions + _POSITION_OFFSET), rates)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
