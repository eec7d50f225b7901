"""The work around the M2M100 model: check items, group them, and bound lengths."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from models.errors import DragomanError, InvalidRequest, TooLarge, UnsupportedPair
from models.nmt.m2m100.tokenizer import M2m100Tokenizer
from models.runtime import ItemError
from models.types import NmtItem, Translation

POSITIONS = 1024  # of the published models (``max_position_embeddings``)
MAX_BEAM_SIZE = 10
MAX_LENGTH_PENALTY = 10.0
_PREFIX_TOKENS = 2  # of encoder and decoder: the language, and where the sentence ends
# The engine's own bounds are multiples of it, so that beams of about one length share a call.
_BOUND_STEP_TOKENS = 64
_WARM_UP_ROWS = (1, 8)
_WARM_UP_TEXT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12."  # about as long as a sentence
_WARM_UP_TOKENS = 16


# Of tensors in two formats the first that is there is read; both are taken.
FILES = (
    *("config.json", "vocab.json", "sentencepiece.bpe.model"),
    *("model.safetensors", "pytorch_model.bin"),
)


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Set how either engine forms passes and bounds texts."""

    max_batch_tokens: int = 4096
    """Most tokens of one forward pass, padding included, at least 1. A batch with more is sorted by
    length and cut; a single text may have more."""
    max_source_tokens: int = POSITIONS
    """Most tokens of one text, its language and its end included; a longer text is refused. At most
    the model's positions, 1024 as published."""
    max_length_factor: float = 3.0
    """Most tokens of a translation for each token of its source, at least 1, rounded up to a
    multiple of 64."""

    def __post_init__(self) -> None:
        if self.max_batch_tokens < 1:
            raise ValueError("max_batch_tokens: at least 1")
        if self.max_source_tokens <= _PREFIX_TOKENS:
            raise ValueError(f"max_source_tokens: at least {_PREFIX_TOKENS + 1}")
        if not 1 <= self.max_length_factor < math.inf:
            raise ValueError("max_length_factor: a number from 1")


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


@dataclass(frozen=True, slots=True)
class Search:
    """Parameters of a search, which all rows of one call share."""

    beam_size: int
    length_penalty: float
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
        self._max_target_tokens = positions - _PREFIX_TOKENS

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
        results: dict[int, Translation | ItemError] = {}
        rows: list[Row] = []
        for index, item in enumerate(batch):
            try:
                row = self._row(index, item)
            except DragomanError as error:
                results[index] = ItemError(error)
                continue
            if len(row.source) > _PREFIX_TOKENS:
                rows.append(row)
            else:
                results[index] = self._translation(row, [])
        for search, group in groups(rows):
            for row, ids in zip(group, self._generate(group, search), strict=True):
                results[row.index] = self._translation(row, ids)
        return [results[index] for index in range(len(batch))]

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
        _check_search(item, self._max_target_tokens)
        tokens = [source, *self._tokenizer.encode(item.text), self._tokenizer.end]
        if len(tokens) > self._max_source_tokens:
            raise TooLarge(
                f"text: {len(tokens) - _PREFIX_TOKENS} tokens in one sentence; at most "
                f"{self._max_source_tokens - _PREFIX_TOKENS} are translated at once",
                param="text",
            )
        return Row(index, item, tokens, target, item.max_tokens or self._bound(len(tokens)))

    def _bound(self, source_tokens: int) -> int:
        steps = math.ceil(self._options.max_length_factor * source_tokens / _BOUND_STEP_TOKENS)
        return min(steps * _BOUND_STEP_TOKENS, self._max_target_tokens)


def _check_search(item: NmtItem, max_tokens: int) -> None:
    if not 1 <= item.beam_size <= MAX_BEAM_SIZE:
        raise InvalidRequest(
            f"beam_size: {item.beam_size} is not from 1 to {MAX_BEAM_SIZE}", param="beam_size"
        )
    if not 0 <= item.length_penalty <= MAX_LENGTH_PENALTY:
        raise InvalidRequest(
            f"length_penalty: {item.length_penalty} is not from 0 to {MAX_LENGTH_PENALTY:g}",
            param="length_penalty",
        )
    if item.max_tokens is not None and not 1 <= item.max_tokens <= max_tokens:
        raise InvalidRequest(
            f"max_tokens: {item.max_tokens} is not from 1 to {max_tokens}", param="max_tokens"
        )
    if item.before or item.before_translated:
        raise InvalidRequest("before: this model translates from the start", param="before")


def groups(rows: Iterable[Row]) -> Iterator[tuple[Search, list[Row]]]:
    """Yield groups of rows that one call can translate.

    All greedy rows are one group, up to the largest of their bounds: a greedy search of n steps
    finds the beginning of a longer one, so each row is cut to its own bound afterwards. A beam's
    best translation depends on its bound, so rows with a beam share all of their search.
    """
    greedy: list[Row] = []
    beams: dict[Search, list[Row]] = {}
    for row in rows:
        if row.item.beam_size == 1:
            greedy.append(row)
        else:
            search = Search(row.item.beam_size, row.item.length_penalty, row.max_tokens)
            beams.setdefault(search, []).append(row)
    if greedy:
        yield Search(1, 1.0, max(row.max_tokens for row in greedy)), greedy
    yield from beams.items()
