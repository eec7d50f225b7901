"""What a model takes for pieces of live speech, measured when it is loaded."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from deployments.config.schema import ModelConfig
from deployments.serve.pace import ROWS, measured
from models.errors import InvalidRequest
from models.registry import find_engine
from models.runtime import ItemError, RuntimeSpec
from tests.support.local import FAKES


@pytest.mark.parametrize(
    ("kind", "costs"),
    [
        ("vad", [0.5, 4.0]),
        ("asr", [6.0, 24.0]),
        ("nmt", [44.0, 352.0]),
        ("tts", [24.0]),
        ("speaker", []),
    ],
)
def test_batches_of_live_pieces_are_measured(kind: str, costs: list[float]) -> None:
    config = ModelConfig(engine=FAKES[kind])
    runtime = find_engine(config.engine).create(config.settings(kind))
    spec, _ = runtime.load()
    ticks = count()
    found = measured(runtime, spec, lambda: float(next(ticks)))
    assert found == tuple((cost, 1.0) for cost in costs)


class Padding:
    def run(self, batch: list[Any]) -> list[Any]:
        return [None] * len(batch)


def test_cost_counts_what_a_model_pads_items_to() -> None:
    spec = RuntimeSpec("asr", "e", "none", "none", length_buckets=(8.0, 12.0, 30.0))
    found = measured(Padding(), spec)  # type: ignore[arg-type]
    assert [cost for cost, _ in found] == [8.0 * rows for rows in ROWS["asr"]]


class Refusing:
    def run(self, batch: list[Any]) -> list[Any]:
        return [ItemError(InvalidRequest("no"))] * len(batch)


def test_a_model_that_refuses_its_piece_has_no_pace() -> None:
    spec = RuntimeSpec("vad", "e", "none", "none")
    assert measured(Refusing(), spec) == ()  # type: ignore[arg-type]
