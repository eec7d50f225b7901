"""The work around the model: check items, make them rows, group them, and bound lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from models.errors import TooLarge, UnsupportedPair
from models.nmt.ctranslate2.family import Family
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

_WARM_UP_ROWS = (1, 8)
_WARM_UP_TEXT = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12."  # about as long as a sentence
_WARM_UP_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Row:
    """One item, ready for the model.

    ``source`` and ``prefix`` are its tokens. ``max_tokens`` bounds those behind the prefix.
    """

    index: int  # in the batch
    item: NmtItem
    source: list[str]
    prefix: list[str]
    max_tokens: int


# Translates rows together: the tokens of each behind its prefix, without the end of the sentence.
Generate: TypeAlias = Callable[[Sequence[Row], Search], list[list[str]]]


class Translator:
    """The ``run`` of the engine, given the way to generate."""

    def __init__(self, family: Family, options: BatchOptions, generate: Generate) -> None:
        self._family, self._options, self._generate = family, options, generate
        self._max_source_tokens = min(options.max_source_tokens, family.positions)
        self._max_target_tokens = family.positions - PREFIX_TOKENS

    def warm_up(self) -> None:
        source, target = self._family.pairs[0]
        item = NmtItem(_WARM_UP_TEXT, source, target, max_tokens=_WARM_UP_TOKENS)
        for rows in _WARM_UP_ROWS:
            self([item] * rows)

    def __call__(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        """Translate each item.

        In place of an item there is an ``ItemError`` with

        - ``UnsupportedPair``: the model does not translate its pair;
        - ``InvalidRequest``: its search is out of bounds, or its text holds half of a
          surrogate pair;
        - ``TooLarge``: its text has more than ``max_source_tokens`` tokens.

        A text without words, such as an empty one, is translated to an empty text.
        """
        return translate(batch, self._row, _has_words, self._generate, self._translation)

    def _translation(self, row: Row, tokens: Sequence[str]) -> Translation:
        text = self._family.text(tokens[: row.max_tokens])
        return Translation(text, row.item.source_language, row.item.target_language)

    def _row(self, index: int, item: NmtItem) -> Row:
        self._check_pair(item)
        check_search(item, self._max_target_tokens)
        tokens = self._family.tokens(item)
        count = len(tokens.source)
        if count > self._max_source_tokens:
            raise TooLarge(
                f"text: {count} tokens in one sentence; at most "
                f"{self._max_source_tokens} are translated at once",
                param="text",
            )
        factor = self._options.max_length_factor
        bound = item.max_tokens or bound_tokens(count, factor, self._max_target_tokens)
        return Row(index, item, tokens.source, tokens.prefix, bound)

    def _check_pair(self, item: NmtItem) -> None:
        family = self._family
        source, target = item.source_language, item.target_language
        if source in family.sources and target in family.targets and source != target:
            return
        known = f"from {' '.join(family.sources)} to {' '.join(family.targets)}"
        raise UnsupportedPair(
            f"this model does not translate {source} to {target}; it translates {known}",
            param="target_language",
        )


def _has_words(row: Row) -> bool:
    return bool(row.source)
