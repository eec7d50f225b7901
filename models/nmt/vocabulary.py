"""Reads the SentencePiece vocabulary of a translation model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.errors import WeightsError


def read_pieces(path: Path) -> Any:
    """Read a ``SentencePieceProcessor``.

    Raises:
        WeightsError: the file holds none.
    """
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor()
    try:
        pieces.LoadFromSerializedProto(path.read_bytes())
    except RuntimeError as error:
        raise WeightsError(f"{path}: not a vocabulary of SentencePiece: {error}") from error
    return pieces
