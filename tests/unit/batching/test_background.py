"""Work that nobody waits for goes behind all other, and no caller can ask for more than that."""

from __future__ import annotations

from deployments.batching.live import BACKGROUND, LIVE, UPDATE, level_of
from deployments.config.policy import BatchPolicy
from deployments.http.parsing import priority_of

POLICY = BatchPolicy(priority_levels=3, default_priority=2)


def test_it_is_behind_every_level() -> None:
    levels = [level_of(asked, POLICY) for asked in (LIVE, UPDATE, 1, 0, 3, BACKGROUND)]
    assert levels == sorted(levels)
    assert levels[-1] > levels[-2]


def test_a_header_asks_for_no_level_behind_it() -> None:
    asked = priority_of("9" * 40)
    assert level_of(asked, POLICY) == POLICY.default_priority
