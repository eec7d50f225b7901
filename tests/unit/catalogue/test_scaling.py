"""The number of replicas follows the queues: up while requests wait, down after a calm while."""

from __future__ import annotations

import pytest

from deployments.catalogue.scaling import CALM_S, LOOKS_UP, Load, Scaling
from deployments.config.schema import ReplicaRange

LOOK_S = 2.0
FREE, LATE = Load(0.0, 0), Load(3.0, 2)
BOUNDS = ReplicaRange(min=1, max=6, wait_s=1.0)


def after(looks: list[list[Load]], replicas: int, bounds: ReplicaRange = BOUNDS) -> int:
    """The number of replicas after looks at what each ingress has to do."""
    scaling = Scaling()
    for number, loads in enumerate(looks):
        replicas = scaling.wanted(bounds, replicas, loads, number * LOOK_S)
    return replicas


CALM = int(CALM_S / LOOK_S) + 1
UP = {
    "one late look changes nothing": ([[LATE]], 2, 2),
    "late looks in a row double it": ([[LATE]] * LOOKS_UP, 2, 4),
    "one ingress whose requests wait is enough": ([[FREE, LATE, FREE]] * LOOKS_UP, 1, 2),
    "a look between them that is not late": ([[LATE], [FREE], [LATE]], 2, 2),
    "never beyond the most": ([[LATE]] * LOOKS_UP, 5, 6),
    "a little late adds one": ([[Load(1.1, 2)]] * LOOKS_UP, 4, 5),
    "not late enough": ([[Load(0.9, 2)]] * 10, 2, 2),
    "no ingress answers": ([[]] * CALM, 3, 3),
}


@pytest.mark.parametrize(("looks", "before", "then"), UP.values(), ids=UP)
def test_up(looks: list[list[Load]], before: int, then: int) -> None:
    assert after(looks, before) == then


DOWN = {
    "unused": ([[FREE]] * CALM, 3, 2),
    "one by one": ([[FREE]] * (2 * CALM), 3, 1),
    "never below the fewest": ([[FREE]] * (5 * CALM), 3, 1),
    "not yet": ([[FREE]] * (CALM - 1), 3, 3),
    "the others would be busy": ([[Load(0.0, 2)]] * CALM, 3, 3),
    "the ingresses together keep them busy": ([[Load(0.0, 1)] * 3] * CALM, 3, 3),
    "half as busy": ([[Load(0.0, 1)]] * CALM, 3, 2),
    "somebody waited meanwhile": ([[FREE]] * (CALM - 2) + [[LATE]] + [[FREE]] * (CALM - 1), 3, 3),
}


@pytest.mark.parametrize(("looks", "before", "then"), DOWN.values(), ids=DOWN)
def test_down(looks: list[list[Load]], before: int, then: int) -> None:
    assert after(looks, before) == then


def test_a_model_that_may_have_none_keeps_one_until_it_is_unloaded_as_idle() -> None:
    assert after([[FREE]] * (3 * CALM), 2, ReplicaRange(min=0, max=2)) == 1
