"""A linear layer in 8 bits on the CPU, as browsers run the Bergamot students.

A student's file holds 8-bit weights, and the factor by which a layer's input is multiplied before
it is rounded to 8 bits (Marian's "alphas"). These numbers are fixed, so a row never depends on its
batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.errors import ConfigError

ZERO_POINT = 128  # of inputs, which are signed: the kernels take unsigned ones
ENGINES = ("x86", "fbgemm")  # of PyTorch, with the kernel


class Int8Linear(nn.Module):
    """An ``nn.Linear`` from float32 to float32 that multiplies in 8 bits."""

    def __init__(
        self, weight: Tensor, bias: Tensor, row_scales: Sequence[float], input_scale: float
    ) -> None:
        """Pack a layer's weights.

        Args:
            weight: float32 [outputs, inputs], each row a multiple of its scale.
            bias: float32 [outputs].
            row_scales: [outputs]: the value of one step of a row's 8-bit weights.
            input_scale: the value of one step of the 8-bit input.

        Raises:
            ConfigError: PyTorch has no such kernel for this processor.
        """
        super().__init__()
        if torch.backends.quantized.engine not in ENGINES:
            found = torch.backends.quantized.engine
            raise ConfigError(f"options.precision: int8 is for x86; PyTorch has {found} here")
        scales = torch.tensor(row_scales, dtype=torch.float64)
        zeros = torch.zeros(len(scales), dtype=torch.int64)
        with warnings.catch_warnings():  # later versions of PyTorch remove such tensors
            warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
            stored = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
        self._packed = torch.ops.quantized.linear_prepack(stored, bias)
        self._input_scale = input_scale

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., inputs] to [..., outputs]; clip inputs to what their 8 bits hold."""
        after: Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            x.contiguous(), self._input_scale, ZERO_POINT, self._packed
        )
        return after
