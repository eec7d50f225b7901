"""The Bergamot project's "tiny" students as a batched PyTorch module with greedy decoding.

A Marian transformer encoder and a decoder whose self-attention is a simpler simple recurrent
unit (SSRU), which needs no history: Kim et al. 2019, "From Research to Production and Back:
Ludicrously Fast Neural Machine Translation", https://aclanthology.org/D19-5632.
The students: https://browser.mt and https://github.com/mozilla/firefox-translations-models.

Letters of shapes: B sentences, L tokens of the longest source, N tokens of all sources,
D model dimensions, H heads, S candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.nmt.bergamot.layers import DecoderLayer, EncoderLayer, pad
from models.nmt.bergamot.marian import MarianModel
from models.nmt.bergamot.weights import Weights, check_architecture

# Finished sentences leave the batch when only this share of its rows still runs: moving the rest
# together copies their keys and values, which costs about as much as one step.
_COMPACT_AT = 0.75
# Steps between two reads of the decoded tokens: on CUDA each read waits for the device.
_STEPS_PER_LOOK = {"cpu": 1, "cuda": 8}


class Student(nn.Module):
    """One direction of translation, from token ids to token ids."""

    positions: Tensor
    output_bias: Tensor

    def __init__(
        self, model: MarianModel, *, eos: int, max_positions: int, int8: bool = False
    ) -> None:
        """Take over the weights of ``model``.

        Args:
            model: as ``read_model`` gave it.
            eos: the token that ends a sentence.
            max_positions: the most tokens of a source or a translation.
            int8: multiply in 8 bits, on a CPU; but for the output layer, of which each batch
                takes other rows.

        Raises:
            WeightsError: the model has another architecture, or lacks a tensor; or the steps of
                its 8-bit values, where they are asked for.
            ConfigError: this CPU cannot multiply so.
        """
        super().__init__()
        check_architecture(model.config)
        weights = Weights(model, int8=int8)
        config = model.config
        self.eos, self.max_positions = eos, max_positions
        self.embedding = weights.embedding("Wemb")
        self.vocabulary_size = self.embedding.num_embeddings
        self.dimensions = self.embedding.embedding_dim
        self.register_buffer("output_bias", weights.tensor("decoder_ff_logit_out_b"))
        self.register_buffer("positions", _sinusoids(max_positions, self.dimensions))
        heads = config["transformer-heads"]
        self.encoder = nn.ModuleList(
            EncoderLayer(weights, f"encoder_l{i + 1}", heads) for i in range(config["enc-depth"])
        )
        self.decoder = nn.ModuleList(
            DecoderLayer(weights, f"decoder_l{i + 1}", heads) for i in range(config["dec-depth"])
        )

    @torch.inference_mode()
    def forward(
        self,
        sources: Sequence[Sequence[int]],
        max_tokens: Sequence[int],
        candidates: Sequence[NDArray[np.int64]] | None = None,
        prefixes: Sequence[Sequence[int]] = (),
    ) -> list[list[int]]:
        """Translate a batch greedily.

        Args:
            sources: the tokens of each sentence, ``eos`` at the end.
            max_tokens: the most tokens of each translation; each at most ``max_positions``.
            candidates: the tokens that each translation may use behind its prefix; None: all.
            prefixes: the tokens that each translation begins with; none: as the model has it.

        Returns:
            The tokens of each translation, its prefix among them, without ``eos``.
        """
        state = self._start(sources, candidates)
        if any(prefixes):
            state.forced = _forced(prefixes).to(self.positions.device)
        steps_per_look = _STEPS_PER_LOOK[self.positions.device.type]
        translations: list[list[int]] = [[] for _ in sources]
        running = list(range(len(sources)))  # the sentence of each row; -1: it is finished
        since_look: list[Tensor] = []
        last_step = max(max_tokens) - 1
        for step in range(last_step + 1):
            since_look.append(self._step(step, state))
            if len(since_look) < steps_per_look and step < last_step:
                continue
            rows = torch.stack(since_look, dim=1).tolist()
            since_look.clear()
            for row, sentence in enumerate(running):
                if sentence >= 0 and self._extend(
                    translations[sentence], rows[row], max_tokens[sentence]
                ):
                    running[row] = -1
            alive = [row for row, sentence in enumerate(running) if sentence >= 0]
            if not alive:
                break
            if len(alive) <= _COMPACT_AT * len(running):
                state.keep(torch.tensor(alive, device=self.positions.device))
                running = [running[row] for row in alive]
        return translations

    def _extend(self, translation: list[int], tokens: list[int], max_tokens: int) -> bool:
        """Append decoded tokens; tell whether the translation is finished."""
        for token in tokens:
            if token == self.eos:
                return True
            translation.append(token)
            if len(translation) >= max_tokens:
                return True
        return False

    def _start(
        self, sources: Sequence[Sequence[int]], candidates: Sequence[NDArray[np.int64]] | None
    ) -> _State:
        """Encode the sources, and return the state that decoding starts with."""
        device, dtype = self.positions.device, self.positions.dtype
        lengths = np.array([len(source) for source in sources])
        longest = int(lengths.max())
        real = torch.from_numpy(np.arange(longest) < lengths[:, None])  # [B, L]: not padding
        places = real.flatten().nonzero()[:, 0].to(device)  # [N]: of the N real tokens in B * L
        # [B, 1, 1, L]: attention adds it to its scores
        mask = torch.zeros(real.shape, dtype=dtype).masked_fill_(~real, -math.inf)
        mask = mask[:, None, None].to(device)
        x = self._embed(torch.tensor([*chain.from_iterable(sources)], device=device))
        x = x + self.positions[places % longest]
        for layer in self.encoder:
            x = layer(x, places, mask)
        x = pad(x, places, mask)
        memories = [layer.memory(x) for layer in self.decoder]  # type: ignore[operator]
        nothing = x.new_zeros(len(sources), self.dimensions)
        return _State(
            previous=nothing,
            cells=[nothing for _ in self.decoder],
            keys=[keys for keys, _ in memories],
            values=[values for _, values in memories],
            mask=mask,
            output=None if candidates is None else self._restrict(candidates),
        )

    def _embed(self, tokens: Tensor) -> Tensor:
        """Map tokens [...] to scaled embeddings [..., D]."""
        embedded: Tensor = self.embedding(tokens) * math.sqrt(self.dimensions)
        return embedded

    def _restrict(self, candidates: Sequence[NDArray[np.int64]]) -> _Output:
        """Return the output layer with the candidates of this batch only."""
        allowed = np.zeros((len(candidates), self.vocabulary_size), np.bool_)
        for row, tokens in zip(allowed, candidates, strict=True):
            row[tokens] = True
        any_row = np.flatnonzero(allowed.any(axis=0))
        device = self.positions.device
        ids = torch.from_numpy(any_row).to(device)
        blocked = torch.from_numpy(~allowed[:, any_row]).to(device)
        bias = self.output_bias[ids].repeat(len(candidates), 1)
        return _Output(ids, self.embedding(ids), bias.masked_fill_(blocked, -math.inf))

    def _step(self, step: int, state: _State) -> Tensor:
        """Decode one token for each row, and return the tokens [B]."""
        x = state.previous + self.positions[step]
        for i, layer in enumerate(self.decoder):
            x, state.cells[i] = layer(x, state.cells[i], state.keys[i], state.values[i], state.mask)
        if state.output is None:
            scores = functional.linear(x, self.embedding.weight, self.output_bias)
            tokens = _argmax(scores)
        else:
            tokens = state.output.choose(x)
        if state.forced is not None and step < state.forced.shape[1]:
            forced = state.forced[:, step]
            tokens = torch.where(forced >= 0, forced, tokens)
        state.previous = self._embed(tokens)
        return tokens


@dataclass(slots=True, eq=False)
class _Output:
    """An output layer of the S tokens that any row may use."""

    ids: Tensor  # [S]
    weight: Tensor  # [S, D]
    bias: Tensor  # [B, S]; -inf where a row may not use a token

    def choose(self, x: Tensor) -> Tensor:
        """Return the likeliest token of each row: [B, D] to [B]."""
        return self.ids[_argmax(torch.addmm(self.bias, x, self.weight.T))]

    def keep(self, rows: Tensor) -> _Output:
        bias = self.bias.index_select(0, rows)
        used = (bias > -math.inf).any(dim=0).nonzero()[:, 0]
        return _Output(
            self.ids[used], self.weight.index_select(0, used), bias.index_select(1, used)
        )


@dataclass(slots=True, eq=False)
class _State:
    """The state of decoding, during one call of ``forward``."""

    previous: Tensor  # [B, D]: the embedding of the token before; zero at the start
    cells: list[Tensor]  # of each layer [B, D]
    keys: list[Tensor]  # of each layer [B, H, D/H, L]
    values: list[Tensor]  # of each layer [B, H, L, D/H]
    mask: Tensor  # [B, 1, 1, L]: 0, or -inf on padding
    output: _Output | None  # None: the whole vocabulary
    forced: Tensor | None = None  # [B, P]: the tokens of each prefix; -1 behind it

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but these."""
        self.previous = self.previous.index_select(0, rows)
        self.mask = self.mask.index_select(0, rows)
        self.cells = [cell.index_select(0, rows) for cell in self.cells]
        self.keys = [keys.index_select(0, rows) for keys in self.keys]
        self.values = [values.index_select(0, rows) for values in self.values]
        if self.output is not None:
            self.output = self.output.keep(rows)
        if self.forced is not None:
            self.forced = self.forced.index_select(0, rows)


def _forced(prefixes: Sequence[Sequence[int]]) -> Tensor:
    """Pad prefixes to [B, P] with -1."""
    forced = torch.full((len(prefixes), max(map(len, prefixes))), -1, dtype=torch.long)
    for row, prefix in zip(forced, prefixes, strict=True):
        row[: len(prefix)] = torch.tensor(prefix, dtype=torch.long)
    return forced


def _argmax(scores: Tensor) -> Tensor:
    """Return the place of each row's largest score, [B, S] to [B]; on a CPU NumPy is quicker."""
    if scores.is_cuda:
        return scores.argmax(-1)
    return torch.from_numpy(scores.numpy().argmax(-1))


def _sinusoids(count: int, dimensions: int) -> Tensor:
    """Return Marian's position embeddings [count, D]: all sines, then all cosines."""
    half = dimensions // 2
    rates = torch.exp(torch.arange(half) * -(math.log(10_000.0) / (half - 1)))
    angles = torch.arange(count)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
