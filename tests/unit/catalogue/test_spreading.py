"""How many replicas a node may have, and when they are placed anew."""

from __future__ import annotations

import pytest

from deployments.catalogue.spreading import WAIT_S, Lying, Spreading, most_on_a_node

ROOMY = 20
LIMITS = {
    "one replica": (1, [ROOMY, ROOMY], None),
    "one node": (12, [ROOMY], None),
    "no node yet": (3, [], None),
    "a node without CPUs": (3, [0, ROOMY], None),
    "a node each": (3, [ROOMY] * 3, 1),
    "more nodes than replicas": (3, [ROOMY] * 5, 1),
    "fewer nodes": (3, [ROOMY] * 2, 2),
    "twice as many": (6, [ROOMY] * 3, 2),
    "not even": (7, [ROOMY] * 3, 3),
    "a GPU on one of three nodes": (3, [0, 0, 3], None),
    "few GPUs on one node, many on another": (9, [1, 8], 8),
    "more than Serve bounds": (256, [256, 256], None),
    "not enough": (9, [1, 4], None),
}


@pytest.mark.parametrize(("replicas", "room", "limit"), LIMITS.values(), ids=LIMITS)
def test_a_node_has_as_few_as_fit(replicas: int, room: list[int], limit: int | None) -> None:
    assert most_on_a_node(replicas, room) == limit


TWO, THREE = [ROOMY] * 2, [ROOMY] * 3
WELL = {
    "one on each": (Lying(("a", "b", "c"), 1), THREE),
    "even without a limit": (Lying(("a", "b", "c"), None), THREE),
    "all on the one node": (Lying(("a", "a", "a"), None), [ROOMY]),
    "no place, but no limit either": (Lying(("a", "a", None), None), THREE),
    "one has died": (Lying(("a", "b"), 1), THREE),
    "packed while they are being replaced": (Lying(("a", "a", "b"), 1, False), THREE),
}
BADLY = {
    "packed": (Lying(("a", "a", "a"), None), THREE, 1),
    "a node has come": (Lying(("a", "a", "b"), 2), THREE, 1),
    "a node was lost": (Lying(("a", "b", None), 1), TWO, None),
    "others have taken the room": (Lying(("a", "b", None), 1, False), THREE, None),
}


@pytest.mark.parametrize(("lying", "room"), WELL.values(), ids=WELL)
def test_replicas_that_lie_well_stay(lying: Lying, room: list[int]) -> None:
    spreading = Spreading()
    assert not any(spreading.is_due(lying, 3, room, now) for now in (0, WAIT_S, 9 * WAIT_S))


@pytest.mark.parametrize(("lying", "room", "limit"), BADLY.values(), ids=BADLY)
def test_replicas_that_lie_badly_for_a_while_are_placed_anew(
    lying: Lying, room: list[int], limit: int | None
) -> None:
    spreading = Spreading()
    due = [spreading.is_due(lying, 3, room, now) for now in (0, WAIT_S - 1, WAIT_S, WAIT_S + 1)]
    assert due == [False, False, True, False]
    assert spreading.next_limit(lying, 3, room) == limit


def test_a_node_that_comes_back_in_time_changes_nothing() -> None:
    spreading = Spreading()
    lost, whole = Lying(("a", "b", None), 1), Lying(("a", "b", "c"), 1)
    assert not spreading.is_due(lost, 3, TWO, 0)
    assert not spreading.is_due(whole, 3, THREE, WAIT_S)
    assert not spreading.is_due(lost, 3, TWO, WAIT_S + 1)


def test_a_limit_that_others_made_impossible_is_tried_again_on_other_nodes_only() -> None:
    spreading = Spreading()
    stuck, packed = Lying(("a", "b", None), 1), Lying(("a", "a", "b"), None)
    spreading.is_due(stuck, 3, THREE, 0)
    assert spreading.is_due(stuck, 3, THREE, WAIT_S)
    assert spreading.limit(3, THREE) is None
    assert not any(spreading.is_due(packed, 3, THREE, now) for now in (WAIT_S, 9 * WAIT_S))
    assert spreading.limit(3, [ROOMY] * 4) == 1
