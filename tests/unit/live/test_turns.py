"""Turn detection: where speech begins and ends, and what is no speech."""

from __future__ import annotations

import pytest

from deployments.live.turns import TurnDetector

FRAME = 512
SILENCE = 10 * FRAME


def changes(probabilities: list[float]) -> list[tuple[int, str]]:
    """Frame and kind of each change."""
    detector = TurnDetector()
    found: list[tuple[int, str]] = []
    for number, probability in enumerate(probabilities):
        change = detector.hear(number * FRAME, probability, 0.5, SILENCE)
        if change == "stopped":
            detector.reset()
        if change:
            found.append((number, change))
    return found


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        pytest.param([0.0] * 5 + [0.9] * 20, [(12, "started")], id="sure after a quarter second"),
        pytest.param([0.9] * 7 + [0.0] * 20, [], id="a click"),
        pytest.param(
            [0.9] * 20 + [0.0] * 12, [(7, "started"), (29, "stopped")], id="a long silence"
        ),
        pytest.param([0.9] * 20 + [0.0] * 9 + [0.9] * 5, [(7, "started")], id="a pause"),
        pytest.param([0.9] * 20 + [0.4] * 30, [(7, "started")], id="doubt goes on as it was"),
        pytest.param([0.4] * 30, [], id="doubt is no beginning"),
        pytest.param([0.9] * 4 + [0.0] * 3 + [0.9] * 5, [(7, "started")], id="a gap at the start"),
    ],
)
def test_turns_begin_and_end(probabilities: list[float], expected: list[tuple[int, str]]) -> None:
    assert changes(probabilities) == expected
