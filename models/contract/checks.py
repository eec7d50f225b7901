"""Checks of an engine: load it, run made batches through it, and say what breaks the contract."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from models.contract.inputs import as_float32, bad_items, items
from models.contract.results import FRAME_SAMPLES, different, wrong, wrong_words
from models.contract.spec import wrong_spec
from models.errors import DragomanError
from models.registry import RuntimeClass
from models.runtime import ItemError, Runtime, RuntimeSettings, RuntimeSpec
from models.types import Samples

Status: TypeAlias = Literal["ok", "failed", "not seen"]


class _Broken(Exception):
    """Carry what breaks the contract."""


class _NotSeen(Exception):
    """Carry why a check could not tell."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the report."""

    name: str
    status: Status
    detail: str


def check_engine(
    runtime_class: RuntimeClass, settings: RuntimeSettings, recordings: Sequence[Samples] = ()
) -> Iterator[Check]:
    """Load an engine, put it through the contract, and close it.

    Args:
        runtime_class: the engine.
        settings: what the configuration would say of its model.
        recordings: speech at 16 kHz, where made sounds will not do.

    Yields:
        One row a check, as soon as it is done. After a failed load there is no other.
    """
    contract = _Contract(runtime_class, settings, recordings)
    load = _row("load", contract.load)
    yield load
    if load.status != "failed":
        for name, check in contract.checks().items():
            yield _row(name, check)
    if contract.is_made:
        yield _row("close", contract.close)


def _row(name: str, check: Callable[[], str]) -> Check:
    try:
        return Check(name, "ok", check())
    except _Broken as error:
        return Check(name, "failed", str(error))
    except _NotSeen as error:
        return Check(name, "not seen", str(error))
    except Exception as error:  # whatever an engine raises breaks the contract
        return Check(name, "failed", f"{type(error).__name__}: {error}")


class _Contract:
    """Hold what the checks of one engine share."""

    def __init__(
        self,
        runtime_class: RuntimeClass,
        settings: RuntimeSettings,
        recordings: Sequence[Samples],
    ) -> None:
        self._class, self._settings, self._recordings = runtime_class, settings, recordings
        self._runtime: Runtime[Any, Any]  # from load() on
        self._spec: RuntimeSpec
        self._items: list[Any] = []
        self._alone: list[Any] = []  # the result of each item in a batch of its own
        self.is_made = False

    def checks(self) -> dict[str, Callable[[], str]]:
        """List what comes between load and close, in order."""
        return {
            "warm up": self.warm_up,
            "results": self.results,
            "alone = together": self.together,
            "order": self.order,
            **self._of_kind(),
            "a bad item": self.bad_item,
            "empty batch": self.empty,
            "pickle": self.pickled,
        }

    def _of_kind(self) -> dict[str, Callable[[], str]]:
        """List the checks of the engine's kind alone."""
        sound = {"int16 = float32": self.float32}
        return {
            "vad": {**sound, "pieces = whole": self.pieces},
            "asr": {**sound, "detect": self.detect, "prefix": self.prefix},
            "speaker": sound,
        }.get(self._class.engine.kind, {})

    def load(self) -> str:
        self._runtime = self._class.create(self._settings)
        self.is_made = True
        started = time.perf_counter()
        loaded: Any = self._runtime.load()
        took_s = time.perf_counter() - started
        if fault := wrong_spec(self._class.engine, loaded):
            raise _Broken(fault)
        self._spec, report = loaded
        self._items = items(self._spec.kind, self._spec, self._recordings)
        return f"{self._spec.engine} on {report.actual} ({report.library}), {took_s:.1f} s"

    def warm_up(self) -> str:
        started = time.perf_counter()
        self._runtime.warm_up()
        return f"{time.perf_counter() - started:.1f} s"

    def results(self) -> str:
        """Run each good item alone: its result must be one, and right in form."""
        self._alone = [self._run([item])[0] for item in self._items]
        for number, (item, result) in enumerate(zip(self._items, self._alone, strict=True)):
            if fault := wrong(item, result, self._spec):
                raise _Broken(f"item {number}: {fault}")
        return f"{len(self._items)} items of {self._spec.kind}, each alone"

    def together(self) -> str:
        """Run the items in one batch: each result must be the one that it had alone."""
        self._compare(self._run(self._items), self._alone)
        return f"{len(self._items)} items in one batch"

    def order(self) -> str:
        """Run the items backwards: the results must follow."""
        self._compare(self._run(self._items[::-1]), self._alone[::-1])
        pairs = zip(self._alone, self._alone[1:], strict=False)
        if not any(different(self._spec.kind, one, other) for one, other in pairs):
            hint = "" if self._spec.kind == "tensors" else "; speech (--audio) may tell them apart"
            raise _NotSeen(f"all answers are alike{hint}")
        return "the same batch backwards"

    def float32(self) -> str:
        """Run sound as float32: the results must be those of int16."""
        self._compare(self._run([as_float32(item) for item in self._items]), self._alone)
        return "the same batch as float32"

    def pieces(self) -> str:
        """Hear a stream in two pieces: the probabilities must be those of the whole."""
        item, whole = self._items[0], self._alone[0]
        middle = len(whole.probabilities) // 2
        pieces = [item.samples[: middle * FRAME_SAMPLES], item.samples[middle * FRAME_SAMPLES :]]
        before = self._run([replace(item, samples=pieces[0])])[0]
        after = self._run([replace(item, samples=pieces[1], state=before.state)])[0]
        joined = np.concatenate([before.probabilities, after.probabilities])
        self._compare([replace(whole, probabilities=joined)], [whole])
        return "a stream goes on from VadResult.state"

    def detect(self) -> str:
        """Tell languages alone: those that the spec has."""
        items = [replace(item, task="detect", language=None) for item in self._items]
        for number, (item, result) in enumerate(zip(items, self._run(items), strict=True)):
            if fault := wrong(item, result, self._spec):
                raise _Broken(f"item {number}: {fault}")
        return "languages without a text"

    def prefix(self) -> str:
        """Go on from the first words of each text; who cannot do so must refuse."""
        words = [result.text.split() for result in self._alone]
        several = [number for number, said in enumerate(words) if len(said) > 1]
        if not several:
            raise _NotSeen("no item has a text of two words")
        begun = [" " + " ".join(words[n][: len(words[n]) // 2]) for n in several]
        items = [
            replace(self._items[number], prefix=text, word_timestamps=True)
            for number, text in zip(several, begun, strict=True)
        ]
        results = self._run(items)
        if not self._spec.takes_prefix:
            if not all(isinstance(result, ItemError) for result in results):
                raise _Broken("spec.takes_prefix is False, so an item with a prefix is refused")
            return "refused, as the spec says"
        for number, item, result in zip(several, items, results, strict=True):
            if fault := wrong(item, result, self._spec) or wrong_words(item, result):
                raise _Broken(f"item {number}: {fault}")
        self._compare(results, [self._run([item])[0] for item in items])
        return "texts go on from their first words, with the times of all, alone as together"

    def bad_item(self) -> str:
        """Run a bad item among good ones: it is refused, and they are as they were alone."""
        first, *rest = self._items
        bad = bad_items(self._spec.kind, first)
        for what, item in bad.items():
            before, result, *after = self._run([first, item, *rest])
            if not isinstance(result, ItemError):
                raise _Broken(f"{what}: an ItemError was expected, not {type(result).__name__}")
            if not isinstance(result.error, DragomanError):
                raise _Broken(f"{what}: the error must be a DragomanError, not {result.error!r}")
            self._compare([before, *after], self._alone)
        return f"refused, its neighbours unharmed: {', '.join(bad)}"

    def empty(self) -> str:
        self._run([])
        return "no items, no results"

    def pickled(self) -> str:
        """Send results through pickle, as they cross processes."""
        copies = pickle.loads(pickle.dumps(self._alone))
        self._compare(copies, self._alone)
        return "results cross processes"

    def close(self) -> str:
        self._runtime.close()
        return "closed"

    def _run(self, batch: Sequence[Any]) -> list[Any]:
        results: Any = self._runtime.run(batch)
        if not isinstance(results, list) or len(results) != len(batch):
            what = (
                f"{len(results)} results" if isinstance(results, list) else type(results).__name__
            )
            raise _Broken(f"run must return a list of {len(batch)} results, not {what}")
        return results

    def _compare(self, found: Sequence[Any], expected: Sequence[Any]) -> None:
        if len(found) != len(expected):
            raise _NotSeen("there are no results to compare with")
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            if fault := different(self._spec.kind, one, other):
                raise _Broken(f"item {number} differs from itself alone: {fault}")
