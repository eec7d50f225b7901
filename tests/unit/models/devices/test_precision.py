"""Float32 on CUDA is float32 while it is asked for, and what it was before after that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from models.devices.precision import full_precision


@pytest.fixture(autouse=True)
def tf32_allowed() -> Iterator[None]:
    """As where SpeechBrain was imported."""
    before = allowed()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def allowed() -> tuple[bool, bool]:
    """Whether products of matrices, and convolutions, may be in TF32."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_nothing_is_in_tf32() -> None:
    with full_precision():
        assert allowed() == (False, False)


def test_afterwards_all_is_as_before() -> None:
    with pytest.raises(KeyError), full_precision():
        raise KeyError
    assert allowed() == (True, True)
