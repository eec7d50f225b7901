"""Memory that large bodies lay in goes back once much of it is free."""

from __future__ import annotations

import pytest

from deployments.http import heap
from deployments.http.heap import Trimmer
from tests.support.sockets import until


async def test_the_heap_is_trimmed_once_for_all_that_was_freed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trims: list[int] = []
    monkeypatch.setattr(heap, "WORTH_BYTES", 100)
    monkeypatch.setattr(heap, "PAUSE_S", 0.01)
    monkeypatch.setattr(heap, "_trim", trims.append)
    trimmer = Trimmer()
    trimmer.freed(99)
    assert trimmer._timer is None
    for _ in range(5):
        trimmer.freed(50)
    await until(lambda: bool(trims))
    assert (trims, trimmer._timer) == ([0], None)
