"""The stages' bench: its inputs, counts and comparisons."""

from __future__ import annotations

import pytest

from bench.serving import Counts
from bench.stage_inputs import Stage, stages
from bench.stages import FULL, Figures, Seen, counted, pairs
from models.text.sentences import split
from models.types import NmtItem, TtsItem

BY_NAME = {stage.name: stage for stage in stages()}
OF_19 = Stage("of 19 texts", "nmt", "/", [NmtItem("Hello.", "en", "pt")] * 19, [{}] * 19)


@pytest.fixture(params=list(BY_NAME.values()), ids=list(BY_NAME))
def stage(request: pytest.FixtureRequest) -> Stage:
    found: Stage = request.param
    return found


def test_each_item_is_one_request(stage: Stage) -> None:
    assert len(stage.requests("http://127.0.0.1")) == len(stage.items)


def test_requests_go_to_the_stage(stage: Stage) -> None:
    for request in stage.requests("http://127.0.0.1"):
        assert request.startswith(f"POST {stage.endpoint} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("name", ["tts-en", "tts-pt"])
def test_a_text_to_speak_is_one_item_to_the_server_too(name: str) -> None:
    for item in BY_NAME[name].items:
        assert isinstance(item, TtsItem)
        assert len(split(item.text, "en").sentences) == 1


@pytest.mark.parametrize(
    ("rate", "at_least", "rounds"),
    [
        pytest.param(0.1, 1, 1, id="one-round-at-least"),
        pytest.param(100.0, 1, 11, id="as-many-as-last-so-long"),
        pytest.param(0.1, 64, 4, id="as-many-as-the-callers-need"),
    ],
)
def test_inputs_are_counted_in_whole_rounds(rate: float, at_least: int, rounds: int) -> None:
    assert counted(OF_19, rate, 2.0, at_least) == rounds * 19


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        pytest.param(1, 38, id="whole-rounds"),
        pytest.param(32, 64, id="the-last-batch-is-full"),
        pytest.param(2, 38, id="it-is-full-already"),
    ],
)
def test_a_turn_ends_with_a_batch(batch: int, expected: int) -> None:
    assert counted(OF_19, 0.1, 2.0, at_least=20, batch=batch) == expected


@pytest.mark.parametrize(
    ("turn_s", "expected"),
    [
        pytest.param(FULL.seconds, FULL.pairs, id="as-planned"),
        pytest.param(FULL.seconds / 2, FULL.pairs, id="no-more-than-planned"),
        pytest.param(FULL.seconds * 2, FULL.pairs / 2, id="half-of-twice-as-long"),
        pytest.param(100 * FULL.seconds, 1, id="one-at-least"),
    ],
)
def test_slow_turns_come_in_fewer_pairs(turn_s: float, expected: float) -> None:
    assert pairs(FULL, turn_s) == expected


def test_a_ratio_is_of_one_round() -> None:
    figures = Figures(
        "nmt", "nmt", {1: 10.0}, limits=[100.0, 50.0], served={32: Seen([90.0, 50.0])}
    )

    assert (figures.to_limit(32).least, figures.to_limit(32).most) == (0.9, 1.0)


def test_the_best_batch_is_the_fastest() -> None:
    assert Figures("nmt", "nmt", {1: 10.0, 8: 30.0, 32: 20.0}).best_batch == 8


def test_counts_between_two_moments() -> None:
    ran = Counts(30, 5, 100.0, 20.0, 7.0) - Counts(10, 1, 60.0, 10.0, 4.0)

    assert (ran.mean_batch, ran.padding_share, ran.busy_s) == (5.0, 0.25, 3.0)
