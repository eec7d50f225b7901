"""Keeps what is not prose around any translation engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from models.devices.device import DeviceReport
from models.runtime import ItemError, RuntimeSpec
from models.text.keep import Kept, Setting, Steps, keep
from models.text.kept_terms import keep_terms
from models.types import NmtItem, Translation


class Engine(Protocol):
    """A translation runtime that knows its vocabulary."""

    def load(self) -> tuple[RuntimeSpec, DeviceReport]: ...
    def warm_up(self) -> None: ...
    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]: ...
    def close(self) -> None: ...

    def lacks(self, text: str, source_language: str, target_language: str) -> bool:
        """Tell whether the vocabulary of a pair lacks a character of a text; False for unknown
        pairs.
        """


class KeepingNmt:
    """A translation runtime that answers an engine's batches with ``models.text.keep``.

    All texts of a batch go through the engine together. Texts in which something was lost ask once
    more, again together.

    A text goes on from the start of its sentence where nothing in it is changed for the model;
    else it is translated alone.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self) -> tuple[RuntimeSpec, DeviceReport]:
        spec, report = self._engine.load()
        return replace(spec, takes_terms=True), report

    def warm_up(self) -> None:
        self._engine.warm_up()

    def run(self, batch: Sequence[NmtItem]) -> list[Translation | ItemError]:
        """Translate each item; errors in place of items are the engine's."""
        rows = [self._row(item) for item in batch]
        while waiting := [row for row in rows if row.result is None]:
            texts = [row.asking(text) for row in waiting for text in row.wanted]
            left = iter(self._engine.run(texts))
            for row in waiting:
                row.go_on([next(left) for _ in row.wanted])
        return [row.result for row in rows if row.result is not None]

    def close(self) -> None:
        self._engine.close()

    def _row(self, item: NmtItem) -> _Row:
        pair = item.source_language, item.target_language
        lacks: Callable[[str], bool] = lambda text: self._engine.lacks(text, *pair)  # noqa: E731
        return _Row(item, steps := _steps(item, lacks), next(steps))


@dataclass(slots=True)
class _Row:
    """An item in progress: the texts that it waits for, or its result.

    The engine knows no terms: each text is asked for without.
    """

    item: NmtItem
    steps: Steps
    wanted: list[str]
    result: Translation | ItemError | None = None

    def asking(self, text: str) -> NmtItem:
        """Return the item that asks for the translation of a text."""
        item = replace(self.item, terms=()) if self.item.terms else self.item
        if text == item.text:
            return item
        return replace(item, text=text, before="", before_translated="")

    def go_on(self, found: Sequence[Translation | ItemError]) -> None:
        texts = [each.text for each in found if isinstance(each, Translation)]
        if len(texts) < len(found):
            self.result = next(each for each in found if isinstance(each, ItemError))
            self.steps.close()
            return
        try:
            self.wanted = self.steps.send(texts)
        except StopIteration as end:
            kept: Kept = end.value
            pair = self.item.source_language, self.item.target_language
            self.result = Translation(kept.text, *pair, kept.warnings)


def _steps(item: NmtItem, lacks: Callable[[str], bool]) -> Steps:
    if not _is_text(item.text):
        return _as_it_is(item.text)
    mends = item.max_tokens is None
    setting = Setting(
        item.source_language, item.target_language, lacks, mends=mends and not item.before
    )
    if item.terms:
        return keep_terms(item.text, setting, item.terms, mends=mends)
    return keep(item.text, setting)


def _as_it_is(text: str) -> Steps:
    """Pass on input that is no text, so that the engine reports what is wrong."""
    (translation,) = yield [text]
    return Kept(translation)


def _is_text(text: str) -> bool:
    """Tell whether there is anything to read, in valid Unicode."""
    return bool(text.strip()) and not any("\ud800" <= character <= "\udfff" for character in text)
