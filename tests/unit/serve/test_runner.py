"""A batch on its model: halved where memory is short, held to its contract, counted, watched."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from deployments.serve.runner import Runner
from deployments.telemetry.model_report import ReplicaStats
from models.devices.device import DeviceRequest
from models.errors import DragomanError, InternalError, TooLarge, Unavailable
from models.runtime import ItemError, RuntimeSettings
from models.types import SpeakerItem, Voiceprint
from tests.support.fakes import SleepOptions, SleepSpeaker

OUT_OF_MEMORY = {
    "torch": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    "ctranslate2": RuntimeError("CUDA failed with error out of memory"),
    "onnxruntime": RuntimeError("Failed to allocate memory for requested buffer of size 524288"),
}


@pytest.fixture(autouse=True)
def loaded() -> Iterator[None]:
    """Keep what is loaded out of garbage collection, as a replica does."""
    gc.freeze()
    yield
    gc.unfreeze()


class Short(SleepSpeaker):
    """A fake on a GPU that holds so much cost at once; remembers the rows of each attempt."""

    def __init__(self, holds: float, error: Exception = OUT_OF_MEMORY["torch"]) -> None:
        settings = RuntimeSettings("speaker", "none", DeviceRequest())
        super().__init__(settings, SleepOptions(0.0, 0.0))
        self.holds, self.error = holds, error
        self.ran: list[int] = []
        self.breaks: Callable[[], Exception | None] = lambda: None
        self.loses = 0  # results

    def run(self, batch: Sequence[SpeakerItem]) -> list[Voiceprint | ItemError]:
        self.ran.append(len(batch))
        if (error := self.breaks()) is not None:
            raise error
        if len(batch) * max(item.length for item in batch) > self.holds:
            raise self.error
        return super().run(batch)[self.loses :]


@dataclass
class Told:
    """A watch that notes what it is told."""

    began: int = 0
    took: list[bool] = field(default_factory=list)

    def begin(self, cost: float) -> None:
        self.began += 1

    def end(self, cost: float, took_s: float | None) -> None:
        self.took.append(took_s is not None)


class Bench:
    def __init__(self, runtime: Short) -> None:
        self.runtime, self.stats, self.watch = runtime, ReplicaStats(), Told()
        self.runner = Runner("speaker", runtime, self.stats, self.watch, on_gpu=True)

    def run(self, *lengths_s: int) -> list[int | DragomanError]:
        """Each item's own number, or its error."""
        items = [
            SpeakerItem(np.full(length_s * 16_000, number, np.int16))
            for number, length_s in enumerate(lengths_s)
        ]
        results, _ = self.runner.run(items)
        return [
            r.error if isinstance(r, ItemError) else int(np.flatnonzero(r.embedding)[0])
            for r in results
        ]

    def is_given_up(self) -> bool:
        try:
            self.runner.health.check()
        except RuntimeError:
            return True
        return False


@pytest.mark.parametrize("error", OUT_OF_MEMORY.values(), ids=OUT_OF_MEMORY)
def test_a_batch_without_memory_runs_in_halves_and_every_item_is_answered(error: Exception) -> None:
    bench = Bench(Short(holds=2.0, error=error))
    assert bench.run(*[1] * 8) == list(range(8))
    assert bench.runtime.ran == [8, 4, 2, 2, 4, 2, 2]


def test_later_batches_are_not_larger_than_what_fitted() -> None:
    bench = Bench(Short(holds=2.0))
    bench.run(*[1] * 8)
    bench.runtime.ran.clear()
    assert bench.run(*[1] * 8) == list(range(8))
    assert bench.runtime.ran == [2, 2, 2, 2]


def test_answers_keep_their_order_where_lengths_differ() -> None:
    bench = Bench(Short(holds=6.0))
    bench.run(*[1] * 8)
    assert bench.run(1, 3, 1, 2, 3, 1) == list(range(6))


def test_what_was_learned_is_told() -> None:
    bench = Bench(Short(holds=2.0))
    bench.run(*[1] * 8)
    assert (bench.runner.memory_bound, bench.stats.memory_bound) == (2.0, 2.0)
    assert bench.stats.out_of_memory == 3
    assert (bench.stats.batches, bench.stats.failed_batches) == (1, 0)


def test_an_item_that_never_fits_fails_alone_and_says_why() -> None:
    bench = Bench(Short(holds=2.0))
    one, large, other = bench.run(1, 9, 1)
    assert (one, other) == (0, 2)
    assert isinstance(large, TooLarge)
    assert large.message == (
        "model 'speaker' has not enough memory for an item of length 9; send a shorter one"
    )


def test_items_that_never_fit_have_no_replica_ended() -> None:
    bench = Bench(Short(holds=2.0))
    bench.runtime.holds = 16.0
    bench.run(*[1] * 16)  # which holds more than one of 9 that needs more than its share
    bench.runtime.holds = 2.0
    errors = [bench.run(9)[0] for _ in range(5)]
    assert [type(error) for error in errors] == [TooLarge] * 5
    assert not bench.is_given_up()


def test_an_item_that_fitted_before_is_asked_to_come_again() -> None:
    bench = Bench(Short(holds=2.0))
    bench.run(1)
    bench.runtime.holds = 0.0
    (error,) = bench.run(1)
    assert isinstance(error, Unavailable)


def test_a_replica_whose_memory_is_gone_for_good_is_given_up() -> None:
    bench = Bench(Short(holds=2.0))
    bench.run(1)
    bench.runtime.holds = 0.0
    for _ in range(3):
        bench.run(1)
    assert bench.is_given_up()


def test_an_item_alone_is_tried_once_more_with_the_memory_freed() -> None:
    bench = Bench(Short(holds=2.0))
    bench.runtime.breaks = lambda: OUT_OF_MEMORY["torch"] if len(bench.runtime.ran) == 1 else None
    assert bench.run(1) == [0]


def test_another_error_is_the_whole_batch_s() -> None:
    bench = Bench(Short(holds=9.0))
    bench.runtime.breaks = lambda: ValueError("no")
    with pytest.raises(ValueError, match="no"):
        bench.run(1, 1)
    assert (bench.stats.failed_batches, bench.watch.took) == (1, [False])


def test_a_runtime_that_loses_a_result_fails_its_batch() -> None:
    bench = Bench(Short(holds=9.0))
    bench.runtime.loses = 1
    with pytest.raises(InternalError, match="1 results for 2 items"):
        bench.run(1, 1)


def test_the_watch_is_told_of_every_batch_s_begin_and_end() -> None:
    bench = Bench(Short(holds=2.0))
    bench.run(1, 1, 1)
    bench.run(1)
    assert (bench.watch.began, bench.watch.took) == (2, [True, True])
