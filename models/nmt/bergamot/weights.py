"""Builds PyTorch layers from a Marian model's tensors, and checks its architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from models.errors import WeightsError
from models.nmt.bergamot.int8_linear import Int8Linear
from models.nmt.bergamot.marian import MarianModel

_NORM_EPSILON = 1e-6  # of Marian's layer normalisation
# What this module computes; a model that says otherwise is refused. Postprocessing "dan" is
# dropout (training only), add the residual, normalise.
ARCHITECTURE: Mapping[str, Any] = {
    "type": "transformer",
    "dec-cell": "ssru",
    "tied-embeddings-all": True,
    "transformer-decoder-autoreg": "rnn",
    "transformer-ffn-activation": "relu",
    "transformer-ffn-depth": 2,
    "transformer-postprocess": "dan",
    "transformer-postprocess-emb": "d",
    "transformer-postprocess-top": "",
    "transformer-preprocess": "",
    "transformer-tied-layers": [],
    "transformer-train-position-embeddings": False,
}


class Weights:
    """The tensors of a model, taken as layers of PyTorch."""

    def __init__(self, model: MarianModel, *, int8: bool) -> None:
        self._model, self._tensors, self._int8 = model, model.tensors, int8

    def tensor(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise WeightsError(f"the Marian model has no tensor {name!r}")
        return torch.from_numpy(self._tensors[name])

    def embedding(self, name: str) -> nn.Embedding:
        weight = self.tensor(name)
        if weight.dim() != 2:
            raise WeightsError(f"the Marian model's {name!r} has the shape {list(weight.shape)}")
        layer = nn.Embedding(weight.shape[0], weight.shape[1], device="meta")
        layer.weight = nn.Parameter(weight, requires_grad=False)
        return layer

    def linear(self, prefix: str, *parts: str) -> nn.Module:
        """Return one layer for several matrices with the same input; a part is "weight [bias]"."""
        names = [part.split() for part in parts]
        weight = torch.cat([self.tensor(f"{prefix}_{name[0]}") for name in names])
        biases = [
            self.tensor(f"{prefix}_{name[1]}")
            if len(name) > 1
            else torch.zeros(len(self.tensor(f"{prefix}_{name[0]}")))
            for name in names
        ]
        if self._int8:
            return self._int8_linear(weight, torch.cat(biases), [f"{prefix}_{n[0]}" for n in names])
        layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        # [inputs, outputs] in memory, which is quicker for 4 to 32 rows on a CPU.
        layer.weight = nn.Parameter(weight.T.contiguous().T, requires_grad=False)
        layer.bias = nn.Parameter(torch.cat(biases), requires_grad=False)
        return layer

    def _int8_linear(self, weight: Tensor, bias: Tensor, names: Sequence[str]) -> Int8Linear:
        """Return the layer of matrices with the same input, and so the same step of its 8-bit
        values.
        """
        weight_steps, input_steps = self._model.weight_steps, self._model.input_steps
        of_input = {input_steps.get(name) for name in names}
        step = of_input.pop()
        if step is None or of_input or not weight_steps.keys() >= set(names):
            found = (
                f"the Marian model has no 8-bit {', '.join(names)} with one scale of their input"
            )
            raise WeightsError(found)
        rows = [[weight_steps[name]] * len(self.tensor(name)) for name in names]
        return Int8Linear(weight, bias, [*chain.from_iterable(rows)], step)

    def norm(self, prefix: str) -> nn.LayerNorm:
        scale = self.tensor(f"{prefix}_ln_scale")
        layer = nn.LayerNorm(len(scale), eps=_NORM_EPSILON, device="meta")
        layer.weight = nn.Parameter(scale, requires_grad=False)
        layer.bias = nn.Parameter(self.tensor(f"{prefix}_ln_bias"), requires_grad=False)
        return layer


def check_architecture(config: Mapping[str, Any]) -> None:
    for key, expected in ARCHITECTURE.items():
        if config.get(key) != expected:
            raise WeightsError(
                f"the Marian model has {key}: {config.get(key)!r}; only {expected!r} is supported"
            )
    for key in ("enc-depth", "dec-depth", "transformer-heads"):
        if not isinstance(config.get(key), int) or config[key] < 1:
            raise WeightsError(f"the Marian model has {key}: {config.get(key)!r}")
