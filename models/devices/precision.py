"""The precision in which PyTorch computes on CUDA."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute all products on CUDA in float32 while the context is open.

    PyTorch computes convolutions in TF32, which has 10 bits of mantissa, unless it is told not to;
    importing SpeechBrain allows it for matrices, too, in the whole process.
    """
    import torch

    matmul = torch.backends.cuda.matmul
    before = matmul.allow_tf32
    matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            yield
    finally:
        matmul.allow_tf32 = before
