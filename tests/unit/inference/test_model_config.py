"""An operator's configuration in Triton's words, read as what it changes of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployments.catalogue.generation import Generation
from deployments.config.policy import BatchPolicy
from deployments.config.schema import ModelConfig
from deployments.graph.pipeline import Pipeline
from deployments.inference import model_config
from deployments.inference.served import Catalogue
from models.errors import InvalidRequest
from tests.support.fakes import SLEEP
from tests.support.local import fake_config, fake_fleet


@pytest.fixture
async def current() -> dict[str, Any]:
    config = fake_config()
    model = ModelConfig(engine=SLEEP, options={"base_ms": 7.0, "item_ms": 0.5})
    pipeline = Pipeline(await fake_fleet(config), config, None)  # type: ignore[arg-type]
    served = Catalogue(pipeline, config).get("speaker")
    return model_config.as_json(served, model, BatchPolicy())


async def test_what_was_read_changes_nothing(current: dict[str, Any]) -> None:
    assert not model_config.override(json.dumps(current), current)


QUEUE = "default_queue_policy"
POLICIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "rows": ({"max_batch_size": 3}, {"max_batch_size": 3}),
    "delay": (
        {"dynamic_batching": {"max_queue_delay_microseconds": 2500}},
        {"max_queue_delay_ms": 2.5, "delay_when_idle": True},
    ),
    "no delay": (
        {"dynamic_batching": {"max_queue_delay_microseconds": 0}},
        {"max_queue_delay_ms": 0.0},
    ),
    "the file's own delay, in Triton's meaning": (
        {"dynamic_batching": {"max_queue_delay_microseconds": 5000}},
        {"delay_when_idle": True},
    ),
    "a delay, and when": (
        {
            "dynamic_batching": {"max_queue_delay_microseconds": 2500},
            "parameters": {"delay_when_idle": {"string_value": "false"}},
        },
        {"max_queue_delay_ms": 2.5},
    ),
    "a queue without a bound": (
        {"dynamic_batching": {QUEUE: {"max_queue_size": 0}}},
        {"max_queue_size": 1 << 30},
    ),
    "order": ({"dynamic_batching": {"preserve_ordering": True}}, {"preserve_ordering": True}),
    "priorities": (
        {"dynamic_batching": {"priority_levels": 3, "default_priority_level": 2}},
        {"priority_levels": 3, "default_priority": 2},
    ),
    "queue": (
        {"dynamic_batching": {QUEUE: {"max_queue_size": 4, "default_timeout_microseconds": 500}}},
        {"max_queue_size": 4, "default_timeout_s": 0.0005},
    ),
    "cache": ({"response_cache": {"enable": True}}, {"response_cache": True}),
}


@pytest.mark.parametrize(("wanted", "policy"), POLICIES.values(), ids=POLICIES)
async def test_scheduling_is_a_batch_policy(
    current: dict[str, Any], wanted: dict[str, Any], policy: dict[str, Any]
) -> None:
    found = model_config.override(json.dumps(wanted), current)
    assert (found.policy, found.model) == (policy, {})


def parameters(**values: str) -> dict[str, Any]:
    return {"parameters": {key: {"string_value": text} for key, text in values.items()}}


MODELS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "instances": ({"instance_group": [{"count": 2}, {"kind": "KIND_AUTO"}]}, {"replicas": 3}),
    "weights": (parameters(weights="path:/x"), {"weights": "path:/x"}),
    "threads": (parameters(threads="4"), {"threads": 4}),
    "an option beside the others": (
        parameters(**{"options.base_ms": "9"}),
        {"options": {"base_ms": 9, "item_ms": 0.5}},
    ),
}


@pytest.mark.parametrize(("wanted", "model"), MODELS.values(), ids=MODELS)
async def test_the_rest_is_the_model_s_own_configuration(
    current: dict[str, Any], wanted: dict[str, Any], model: dict[str, Any]
) -> None:
    found = model_config.override(json.dumps(wanted), current)
    assert (found.model, found.policy) == (model, {})


WRONG: dict[str, tuple[Any, str]] = {
    "not JSON": ("{", "config must be a JSON object: failed to parse"),
    "no object": ([], "config must be a JSON object: the request JSON must be an object"),
    "half of a surrogate pair": ('{"a\\ud800": 1}', "it is not valid UTF-8"),
    "a number that is none": ('{"max_batch_size": Infinity}', "Infinity is no JSON number"),
    "an endless delay": (
        {"dynamic_batching": {"max_queue_delay_microseconds": 10**400}},
        "config: dynamic_batching expected a number of microseconds",
    ),
    "instances elsewhere": (
        {"instance_group": [{"count": 1, "kind": "KIND_GPU"}]},
        "config: instance_group kind cannot be changed",
    ),
    "instances on some GPUs": (
        {"instance_group": [{"count": 2, "gpus": [0]}]},
        "config: instance_group gpus is not known",
    ),
    "name": ({"name": "other"}, "config: name cannot be changed"),
    "input": ({"input": []}, "config: input cannot be changed"),
    "unknown key": ({"sequence_batching": {}}, "config: sequence_batching cannot be changed"),
    "unknown policy": (
        {"dynamic_batching": {"max_queue_delay": 1}},
        "config: dynamic_batching.max_queue_delay cannot be changed",
    ),
    "no object within": ({"dynamic_batching": 1}, "config: dynamic_batching must be an object"),
    "delay that is no number": (
        {"dynamic_batching": {"max_queue_delay_microseconds": "1"}},
        "config: dynamic_batching expected a number of microseconds",
    ),
    "instances that are no list": ({"instance_group": 2}, "config: instance_group must be a list"),
    "a count that is none": (
        {"instance_group": [{"count": "2"}]},
        "config: instance_group each count must be a whole number from 1",
    ),
    "unknown parameter": (parameters(x="1"), "config: parameters.x is unknown"),
    "bare parameter": ({"parameters": {"threads": 2}}, "config: parameters.threads must be"),
}


@pytest.mark.parametrize(("wanted", "says"), WRONG.values(), ids=WRONG)
async def test_what_cannot_be_changed_is_named(
    current: dict[str, Any], wanted: Any, says: str
) -> None:
    text = wanted if isinstance(wanted, str) else json.dumps(wanted)
    with pytest.raises(InvalidRequest, match=says.replace("[", r"\[")):
        model_config.override(text, current)


async def test_what_was_read_of_an_override_is_the_override(current: dict[str, Any]) -> None:
    changed = {**current, "max_batch_size": 3}
    assert model_config.override(json.dumps(changed), current).policy == {"max_batch_size": 3}


TYPES: dict[str, dict[str, Any]] = {
    "a text for rows": {"max_batch_size": "4"},
    "a flag for rows": {"max_batch_size": True},
    "a text for a flag": {"dynamic_batching": {"preserve_ordering": "yes"}},
    "a list for levels": {"dynamic_batching": {"priority_levels": []}},
    "a flag for a bound": {"dynamic_batching": {QUEUE: {"max_queue_size": False}}},
    "a text for threads": parameters(threads="four"),
    "too many replicas": {"instance_group": [{"count": 1_000_000}]},
}


@pytest.mark.parametrize("wanted", TYPES.values(), ids=TYPES)
async def test_a_value_of_another_type_is_refused(
    current: dict[str, Any], wanted: dict[str, Any]
) -> None:
    changes = model_config.override(json.dumps(wanted), current)
    with pytest.raises(InvalidRequest):
        Generation.of("speaker", ModelConfig(engine=SLEEP), changes)
