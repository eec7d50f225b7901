"""The work around the M2M100 model: check items, group them, and bound lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from models.errors import TooLarge, UnsupportedPair
from models.nmt.m2m100.tokenizer import M2m100Tokenizer
from models.nmt.search import (
    PREFIX_TOKENS,
    BatchOptions,
    Search,
    bound_tokens,
    check_search,
    translate,
)
from models.runtime import ItemError
from models.types import NmtItem, Translation

POSITIONS = 1024  # of the published models (``max_position_embeddings``)
_WARM_UP_ROWS = (1, 8)
_WARM_UP_TEXT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12."  # about as long as a sentence
_WARM_UP_TOKENS = 16


# Of tensors in two formats the first that is there is read; both are taken.
FILES = (
    *("config.json", "vocab.json", "sentencepiece.bpe.model"),
    *("model.safetensors", "pytorch_model.bin"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One item, ready for the model.

    ``source`` is its language, its text and the end of the sentence; ``target`` the token of the
    language that it is translated to. ``max_tokens`` bounds the tokens behind that one.
    """

    index: int  # in the batch
    item: NmtItem
    source: list[int]
    target: int
    max_tokens: int


# Translates rows together: the ids of each behind its target, without the end of the sentence.
Generate: TypeAlias = Callable[[Sequence[Row], Search], list[list[int]]]


class Translator:
    """The ``run`` of an engine, given the engine's own way to generate."""

    def __init__(
        self,
        tokenizer: M2m100Tokenizer,
        options: BatchOptions,
        generate: Generate,
        positions: int = POSITIONS,
    ) -> None:
        self._tokenizer, self._options, self._generate = tokenizer, options, generate
        self._max_source_tokens = min(options.max_source_tokens, positions)
        self._max_target_tokens = positions - PREFIX_TOKENS

    def warm_up(self) -> None:
        item = NmtItem(_WARM_UP_TEXT, "en", "pt", max_tokens=_WARM_UP_TOKENS)
        for rows in _WARM_UP_ROWS:
            self([item] * rows)

    def __call__(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        """Translate each item.

        In place of an item there is an ``ItemError`` with

        - ``UnknownLanguage``: one of its languages is none of M2M100's;
        - ``UnsupportedPair``: its languages are the same;
        - ``InvalidRequest``: its search is out of bounds, or its text holds half of a
          surrogate pair;
        - ``TooLarge``: its text has more than ``max_source_tokens`` tokens.

        A text without words, such as an empty one, is translated to an empty text.
        """
        return translate(batch, self._row, _has_words, self._generate, self._translation)

    def _translation(self, row: Row, ids: Sequence[int]) -> Translation:
        text = self._tokenizer.decode(ids[: row.max_tokens])
        return Translation(text, row.item.source_language, row.item.target_language)

    def _row(self, index: int, item: NmtItem) -> Row:
        source = self._tokenizer.language(item.source_language, "source_language")
        target = self._tokenizer.language(item.target_language, "target_language")
        if source == target:
            raise UnsupportedPair(
                f"the text is to be translated from {item.source_language} to itself",
                param="target_language",
            )
        check_search(item, self._max_target_tokens)
        tokens = [source, *self._tokenizer.encode(item.text), self._tokenizer.end]
        if len(tokens) > self._max_source_tokens:
            raise TooLarge(
                f"text: {len(tokens) - PREFIX_TOKENS} tokens in one sentence; at most "
                f"{self._max_source_tokens - PREFIX_TOKENS} are translated at once",
                param="text",
            )
        return Row(index, item, tokens, target, item.max_tokens or self._bound(len(tokens)))

    def _bound(self, source_tokens: int) -> int:
        factor = self._options.max_length_factor
        return bound_tokens(source_tokens, factor, self._max_target_tokens)


def _has_words(row: Row) -> bool:
    return len(row.source) > PREFIX_TOKENS
