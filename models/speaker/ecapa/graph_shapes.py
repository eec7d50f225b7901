"""Chooses the passes that are captured as CUDA graphs, and the one that a pass is padded to."""

from __future__ import annotations

from collections.abc import Sequence

from models.speaker.ecapa.constants import GRAPH_DURATIONS_S, GRAPH_ROWS
from models.types import SAMPLE_RATE_HZ


def graph_shapes(pass_s: float) -> list[tuple[int, int]]:
    """Return rows and samples of each pass to capture; none holds more audio than ``pass_s``."""
    return [
        (rows, round(duration_s * SAMPLE_RATE_HZ))
        for rows in GRAPH_ROWS
        for duration_s in GRAPH_DURATIONS_S
        if rows * duration_s <= pass_s
    ]


def graph_shape(
    shapes: Sequence[tuple[int, int]], rows: int, samples: int
) -> tuple[int, int] | None:
    """Return the least shape that holds so many rows of so many samples; None: none does."""
    fitting = [shape for shape in shapes if shape[0] >= rows and shape[1] >= samples]
    return min(fitting, key=lambda shape: shape[0] * shape[1], default=None)
