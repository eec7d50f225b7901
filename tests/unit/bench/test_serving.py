"""The servers of benches: their configurations are valid and hold what was asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.attacks.target import MODEL
from bench.growth import long_audio, overload, scale
from bench.serving import (
    BenchFailed,
    Config,
    check,
    config_of,
    default_config,
    load_in_loop,
    sleeper,
)
from deployments.config.files import ServeFile
from load.connections import prepared
from load.steps import Failure, Load, Outcome, Recording
from tests.support.answering import answering

CONFIGS: dict[str, Callable[[], Config]] = {
    "the default": default_config,
    "two models": lambda: default_config(only=("vad", "asr")),
    "replicas": lambda: default_config(replicas={"nmt": 2}),
    "a sleeper": lambda: config_of({MODEL: sleeper(2, base_ms=5.0)}),
    "security": lambda: config_of({MODEL: sleeper()}, security={"keys": []}),
    "overload": overload.config,
    "scale": lambda: scale.sleepers(4, 2),
    "long audio": long_audio.fake_config,
}


@pytest.mark.parametrize("made", CONFIGS.values(), ids=CONFIGS)
def test_every_configuration_is_valid(made: Callable[[], Config]) -> None:
    ServeFile.model_validate(made())


def test_only_some_models_have_their_aliases_and_policies() -> None:
    (application,) = default_config(only=("vad", "asr"))["applications"]
    args, (ingress,) = application["args"], application["deployments"]
    assert {*args["models"]} == {*ingress["user_config"]["batching"]} == {"vad", "asr"}
    assert {*args["aliases"].values()} <= {"vad", "asr"}


def test_limits_are_set_beside_the_others() -> None:
    limits = default_config(limits={"max_audio_s": 3700})["applications"][0]["args"]["limits"]
    assert limits == {**default_config()["applications"][0]["args"]["limits"], "max_audio_s": 3700}


def test_a_failed_request_is_told_with_what_it_was_told() -> None:
    failure = Failure("503 queue_full", True, "the queue of nmt is full")
    recording = Recording(Load("closed", 1), [Outcome(0.0, 0.0, 0.1, None, failure)])
    with pytest.raises(BenchFailed, match="503 queue_full: the queue of nmt is full"):
        check(recording)


async def test_so_many_answers_are_counted_after_so_many_that_are_not() -> None:
    async with answering() as url:
        loaded = await load_in_loop(url, [prepared(f"{url}/x", json=1)], 2, counted=5, ahead=3)

    assert (len(loaded.answers), len(loaded.took_s), loaded.all_answers) == (5, 5, 8)
    assert loaded.whole_s > loaded.duration_s
