"""Reads checkpoints of PyTorch networks without running code that they may hold."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn


def read_tensors(path: Path, entry: str | None = None) -> dict[str, Tensor]:
    """Read the tensors of a ``.safetensors`` file, or of ``torch.save``'s output, on the CPU.

    Args:
        path: of the file.
        entry: the key under which a file of ``torch.save`` holds the tensors; None: it holds
            nothing else.

    Raises:
        WeightsError: the file is damaged, or holds something else.
    """
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        # Files of the older format cannot be mapped; they are read whole.
        content = torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path}: not a checkpoint, or one with Python objects, which could run code when "
            f"they are loaded; only tensors are read: {str(error).splitlines()[0]}"
        ) from error
    except ImportError:
        raise
    except Exception as error:  # several libraries raise for a damaged file
        raise WeightsError(f"{path}: not a checkpoint: {error}") from error
    return _checked(content, path, entry)


def fill(network: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Give a network the tensors that were read from ``path``.

    Raises:
        WeightsError: they do not fit the network.
    """
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise WeightsError(f"{path}: the checkpoint does not fit its network: {error}") from error


def _checked(content: Any, path: Path, entry: str | None) -> dict[str, Tensor]:
    import torch

    if entry is not None:
        content = content.get(entry) if isinstance(content, dict) else None
    where = f"{path}: not a checkpoint" if entry is None else f"{path}: has no {entry!r}"
    if not isinstance(content, dict):
        raise WeightsError(f"{where} with the tensors of a network")
    for name, value in content.items():
        if not isinstance(value, torch.Tensor):
            raise WeightsError(f"{where} of tensors alone: {name!r} is {type(value).__name__}")
    return content
