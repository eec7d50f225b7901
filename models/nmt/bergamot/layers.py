"""Layers of a Bergamot student: Marian's transformer encoder, and its decoder with the SSRU.

Letters of shapes: B sentences, L tokens of the longest source, N tokens of all sources,
C channels, D model dimensions, H heads.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.nmt.bergamot.weights import Weights


class EncoderLayer(nn.Module):
    def __init__(self, weights: Weights, name: str, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = weights.linear(f"{name}_self", "Wq bq", "Wk bk", "Wv bv")
        self.out = weights.linear(f"{name}_self", "Wo bo")
        self.norm = weights.norm(f"{name}_self_Wo")
        self.feed_forward = _FeedForward(weights, f"{name}_ffn")

    def forward(self, x: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Map [N, D] to [N, D]; only attention sees the padding.

        Args:
            x: the real tokens of all sentences, one after the other.
            places: [N]: where each stands in the padded batch, counted over B * L.
            mask: [B, 1, 1, L]: what is added to the scores.
        """
        padded = pad(self.query_key_value(x), places, mask)
        heads = padded.view(*padded.shape[:2], 3, self.heads, -1)  # [B, L, 3, H, D/H]
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed = mixed.transpose(1, 2).flatten(2).flatten(0, 1)[places]
        x = self.norm(x + self.out(mixed))
        after: Tensor = self.feed_forward(x)
        return after


class DecoderLayer(nn.Module):
    def __init__(self, weights: Weights, name: str, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.forget_and_input = weights.linear(f"{name}_rnn", "Wf bf", "W")
        self.cell_norm = weights.norm(f"{name}_rnn_ffn")
        self.query = weights.linear(f"{name}_context", "Wq bq")
        self.key_value = weights.linear(f"{name}_context", "Wk bk", "Wv bv")
        self.out = weights.linear(f"{name}_context", "Wo bo")
        self.context_norm = weights.norm(f"{name}_context_Wo")
        self.feed_forward = _FeedForward(weights, f"{name}_ffn")

    def memory(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys [B, H, D/H, L], already scaled, and values [B, H, L, D/H] of [B, L, D]."""
        heads = self.key_value(encoded).unflatten(-1, (2, self.heads, -1))  # [B, L, 2, H, D/H]
        keys, values = heads.permute(2, 0, 3, 1, 4)
        return (keys / math.sqrt(keys.shape[-1])).transpose(2, 3).contiguous(), values.contiguous()

    def forward(
        self, x: Tensor, cell: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Do one step: map [B, D] and the SSRU's cell [B, D] to the next of both."""
        forget, candidate = self.forget_and_input(x).chunk(2, dim=-1)
        cell = torch.lerp(candidate, cell, forget.sigmoid())  # f * cell + (1 - f) * candidate
        x = self.cell_norm(x + cell.relu())
        query = self.query(x).unflatten(-1, (self.heads, 1, -1))  # [B, H, 1, D/H]
        attention = (query @ keys + mask).softmax(-1)  # quicker than SDPA for one query
        x = self.context_norm(x + self.out((attention @ values).flatten(1)))
        return self.feed_forward(x), cell


class _FeedForward(nn.Module):
    def __init__(self, weights: Weights, name: str) -> None:
        super().__init__()
        self.inner = weights.linear(name, "W1 b1")
        self.outer = weights.linear(name, "W2 b2")
        self.norm = weights.norm(f"{name}_ffn")

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., D] to [..., D]."""
        after: Tensor = self.norm(x + self.outer(self.inner(x).relu_()))
        return after


def pad(x: Tensor, places: Tensor, mask: Tensor) -> Tensor:
    """Spread [N, C] to [B, L, C], with zeros where ``mask`` [B, 1, 1, L] blocks."""
    batch, longest = len(mask), mask.shape[-1]
    padded = x.new_zeros(batch * longest, x.shape[-1]).index_copy_(0, places, x)
    return padded.view(batch, longest, -1)
