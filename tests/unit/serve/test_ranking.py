"""The replica of a batch: a free one here, then a free one elsewhere, then a busy one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from deployments.serve.ranking import ranked


@dataclass(frozen=True)
class Replica:
    name: str
    is_near: bool
    batches: int


@pytest.mark.parametrize(
    ("replicas", "order"),
    [
        pytest.param("h0", [["h0"]], id="one"),
        pytest.param("h0 h0", [["h0", "h0"]], id="all here"),
        pytest.param("h1 h0", [["h0"], ["h1"]], id="one of those here is busy"),
        pytest.param("t0 h0", [["h0"], ["t0"]], id="here before there"),
        pytest.param("t0 h1", [["t0"], ["h1"]], id="free there before busy here"),
        pytest.param("t1 h1 t0", [["t0"], ["h1"], ["t1"]], id="busy here before busy there"),
        pytest.param("", [], id="none"),
    ],
)
def test_replicas_are_ranked(replicas: str, order: list[list[str]]) -> None:
    known = [Replica(name, name[0] == "h", int(name[1])) for name in replicas.split()]
    found = ranked(known, lambda replica: replica.batches)
    assert [[replica.name for replica in rank] for rank in found] == order


def test_equal_replicas_take_turns() -> None:
    known = [Replica("a", False, 0), Replica("b", False, 0)]
    firsts = {ranked(known, lambda replica: replica.batches)[0][0].name for _ in range(200)}
    assert firsts == {"a", "b"}
