"""The search for translations that several engines share: its options, checks, groups and rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from models.errors import DragomanError, InvalidRequest
from models.runtime import ItemError
from models.types import NmtItem, Translation

MAX_BEAM_SIZE = 10
MAX_LENGTH_PENALTY = 10.0
PREFIX_TOKENS = 2  # of encoder and decoder: the language, and where the sentence ends
# The engines' own bounds are multiples of it, so that beams of about one length share a call.
_BOUND_STEP_TOKENS = 64


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """Set how an engine forms passes and bounds texts."""

    max_batch_tokens: int = 4096
    """Most tokens of one forward pass, padding included, at least 1. A batch with more is sorted by
    length and cut; a single text may have more."""
    max_source_tokens: int = 1024
    """Most tokens of one text, its language and its end included; a longer text is refused. At most
    the model's positions, 1024 as published."""
    max_length_factor: float = 3.0
    """Most tokens of a translation for each token of its source, at least 1, rounded up to a
    multiple of 64."""

    def __post_init__(self) -> None:
        if self.max_batch_tokens < 1:
            raise ValueError("max_batch_tokens: at least 1")
        if self.max_source_tokens <= PREFIX_TOKENS:
            raise ValueError(f"max_source_tokens: at least {PREFIX_TOKENS + 1}")
        if not 1 <= self.max_length_factor < math.inf:
            raise ValueError("max_length_factor: a number from 1")


@dataclass(frozen=True, slots=True)
class Search:
    """Parameters of a search, which all rows of one call share."""

    beam_size: int
    length_penalty: float
    max_tokens: int


class SearchedRow(Protocol):
    """An item of a batch that is ready for a model, and the bound of its translation."""

    @property
    def index(self) -> int: ...

    @property
    def item(self) -> NmtItem: ...

    @property
    def max_tokens(self) -> int: ...


RowT = TypeVar("RowT", bound=SearchedRow)


def check_search(item: NmtItem, max_tokens: int) -> None:
    """Refuse an item whose search is out of bounds, or that would go on from a translation.

    Raises:
        InvalidRequest: names the field.
    """
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


def bound_tokens(source_tokens: int, factor: float, most: int) -> int:
    """Return the engine's own bound of a translation, by the tokens of its source."""
    steps = math.ceil(factor * source_tokens / _BOUND_STEP_TOKENS)
    return min(steps * _BOUND_STEP_TOKENS, most)


def groups(rows: Iterable[RowT]) -> Iterator[tuple[Search, list[RowT]]]:
    """Yield groups of rows that one call can translate.

    All greedy rows are one group, up to the largest of their bounds: a greedy search of n steps
    finds the beginning of a longer one, so each row is cut to its own bound afterwards. A beam's
    best translation depends on its bound, so rows with a beam share all of their search.
    """
    greedy: list[RowT] = []
    beams: dict[Search, list[RowT]] = {}
    for row in rows:
        if row.item.beam_size == 1:
            greedy.append(row)
        else:
            search = Search(row.item.beam_size, row.item.length_penalty, row.max_tokens)
            beams.setdefault(search, []).append(row)
    if greedy:
        yield Search(1, 1.0, max(row.max_tokens for row in greedy)), greedy
    yield from beams.items()


def translate(
    batch: Sequence[NmtItem],
    row_of: Callable[[int, NmtItem], RowT],
    has_words: Callable[[RowT], bool],
    generate: Callable[[Sequence[RowT], Search], Sequence[Sequence[Any]]],
    translation_of: Callable[[RowT, Sequence[Any]], Translation],
) -> list[Translation | ItemError]:
    """Translate each item of a batch, group by group.

    Args:
        batch: the items.
        row_of: makes an item a row, or raises a DragomanError, which stands in its place.
        has_words: whether a row is anything to translate; the others get no tokens.
        generate: translates rows together.
        translation_of: writes a row's tokens as its translation.
    """
    results: dict[int, Translation | ItemError] = {}
    rows: list[RowT] = []
    for index, item in enumerate(batch):
        try:
            row = row_of(index, item)
        except DragomanError as error:
            results[index] = ItemError(error)
            continue
        if has_words(row):
            rows.append(row)
        else:
            results[index] = translation_of(row, ())
    for search, group in groups(rows):
        for row, tokens in zip(group, generate(group, search), strict=True):
            results[row.index] = translation_of(row, tokens)
    return [results[index] for index in range(len(batch))]
