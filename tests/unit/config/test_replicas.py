"""What the number of a model's replicas may be, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.config.replicas import IDLE_S
from deployments.config.schema import ModelConfig
from models.devices.threads import default_threads, usable_cores
from tests.support.fakes import SLEEP

RANGES: dict[str, tuple[dict[str, Any], tuple[int, int, float | None]]] = {
    "a number": ({"replicas": 3}, (3, 3, None)),
    "from one": ({"replicas": {"max": 4}}, (1, 4, None)),
    "from two": ({"replicas": {"min": 2, "max": 4}}, (2, 4, None)),
    "from none": ({"replicas": {"min": 0, "max": 4}}, (1, 4, IDLE_S)),
    "from none, soon": ({"replicas": {"min": 0, "max": 4}, "idle_unload_s": 9}, (1, 4, 9.0)),
}


@pytest.mark.parametrize(("fields", "means"), RANGES.values(), ids=RANGES)
def test_a_range_of_replicas(fields: dict[str, Any], means: tuple[int, int, float | None]) -> None:
    model = ModelConfig.model_validate({"engine": SLEEP, **fields})
    assert (model.first_replicas, model.most_replicas, model.unload_after_s) == means


@pytest.mark.parametrize(
    ("replicas", "nodes", "a_node"), [(4, 1, 4), (4, 2, 2), (3, 2, 2), (1, 3, 1)]
)
def test_threads_are_shared_with_the_replicas_of_one_machine(
    replicas: int, nodes: int, a_node: int
) -> None:
    model = ModelConfig(engine=SLEEP, replicas=replicas)
    assert model.threads_on(nodes) == default_threads(a_node, usable_cores(), small=False)
