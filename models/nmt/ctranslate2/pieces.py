"""Tokenizers of the published folders: SentencePiece's, or the one of ``tokenizer.json``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from models.errors import InvalidRequest, WeightsError
from models.nmt.vocabulary import read_pieces
from models.weights.source import WeightSource

TOKENIZER_FILE = "tokenizer.json"


class Pieces(Protocol):
    """Cuts a text into pieces of a vocabulary, and joins them."""

    def encode(self, text: str) -> list[str]:
        """Return the pieces of a text, without any token beside them.

        Raises:
            InvalidRequest: the text holds half of a surrogate pair.
        """

    def decode(self, pieces: Sequence[str]) -> str:
        """Return the text of some pieces."""


class SentencePieces:
    """A model of SentencePiece."""

    def __init__(self, path: Path) -> None:
        self._model: Any = read_pieces(path)

    def encode(self, text: str) -> list[str]:
        pieces: list[str] = self._model.EncodeAsPieces(_bytes_of(text))
        return pieces

    def decode(self, pieces: Sequence[str]) -> str:
        text: str = self._model.DecodePieces(list(pieces))
        return text


class JsonPieces:
    """A tokenizer of Hugging Face's library, as conversions have that copied no other file."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer: Any = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise WeightsError(f"{path}: not a tokenizer: {error}") from error

    def encode(self, text: str) -> list[str]:
        _bytes_of(text)
        pieces: list[str] = self._tokenizer.encode(text, add_special_tokens=False).tokens
        return pieces

    def decode(self, pieces: Sequence[str]) -> str:
        decoder = self._tokenizer.decoder
        text: str = decoder.decode(list(pieces)) if decoder else "".join(pieces)
        return text


def read_tokenizer(source: WeightSource, names: Sequence[str]) -> Pieces:
    """Read the first of these models of SentencePiece, or else ``tokenizer.json``.

    Raises:
        WeightsError: none is there, or it is of another kind.
    """
    path = source.first([*names, TOKENIZER_FILE])
    return JsonPieces(path) if path.name == TOKENIZER_FILE else SentencePieces(path)


def _bytes_of(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"text: half of a surrogate pair at character {error.start}", param="text"
        ) from None
