"""Which clips ECAPA-TDNN embeds together, and how a long clip is cut."""

from __future__ import annotations

import numpy as np
import pytest

from models.speaker.ecapa.constants import CPU_MAX_PADDING, CPU_PASS_S, MAX_GRAPH_PASS_S
from models.speaker.ecapa.engine import cuda_pass_s, passes, windows
from models.speaker.ecapa.graph_shapes import graph_shape, graph_shapes

SECOND = 16_000


def cpu_passes(*durations_s: float) -> list[list[int]]:
    lengths = [round(duration_s * SECOND) for duration_s in durations_s]
    return passes(lengths, pass_s=CPU_PASS_S, max_padding=CPU_MAX_PADDING)


@pytest.mark.parametrize(
    ("durations_s", "expected"),
    [
        pytest.param((), [], id="nothing"),
        pytest.param((1, 1, 1), [[0, 1, 2]], id="of one length"),
        pytest.param((1, 1.05, 0.96), [[1, 0, 2]], id="of about one length, longest first"),
        pytest.param((1, 0.5, 1, 0.5), [[0, 2], [1, 3]], id="of two lengths"),
        pytest.param((10, 10), [[0], [1]], id="long clips go alone"),
        pytest.param((4, 4, 4, 4), [[0, 1, 2], [3]], id="as much as a pass holds"),
    ],
)
def test_clips_of_a_length_share_a_pass(
    durations_s: tuple[float, ...], expected: list[list[int]]
) -> None:
    assert cpu_passes(*durations_s) == expected


def test_every_clip_is_in_one_pass() -> None:
    durations_s = np.random.default_rng(0).uniform(0.1, 20, 200)

    together = [index for indices in cpu_passes(*durations_s) for index in indices]

    assert sorted(together) == list(range(200))


def test_no_pass_is_longer_than_its_bound() -> None:
    durations_s = np.random.default_rng(0).uniform(0.1, 6, 200)

    for indices in cpu_passes(*durations_s):
        assert len(indices) * durations_s[indices[0]] <= CPU_PASS_S + 0.001


def test_padding_has_its_bound() -> None:
    durations_s = np.random.default_rng(0).uniform(0.1, 3, 200)

    for indices in cpu_passes(*durations_s):
        assert durations_s[indices].min() >= (1 - CPU_MAX_PADDING) * durations_s[indices].max() - (
            1 / SECOND
        )


@pytest.mark.parametrize(
    ("duration_s", "expected_s"),
    [
        pytest.param(1, [1], id="short"),
        pytest.param(60, [60], id="just one"),
        pytest.param(61, [30.5, 30.5], id="two halves"),
    ],
)
def test_a_long_clip_is_cut_into_equal_windows(duration_s: float, expected_s: list[float]) -> None:
    found = windows(np.ones(round(duration_s * SECOND), np.float32), window_s=60)

    assert [len(window) / SECOND for window in found] == expected_s


SHAPES = [(1, 16_000), (1, 32_000), (4, 16_000), (4, 32_000)]


@pytest.mark.parametrize(
    ("rows", "samples", "expected"),
    [
        pytest.param(1, 16_000, (1, 16_000), id="just it"),
        pytest.param(1, 16_001, (1, 32_000), id="the next length"),
        pytest.param(2, 9_000, (4, 16_000), id="the next rows"),
        pytest.param(4, 32_001, None, id="too long"),
        pytest.param(5, 9_000, None, id="too many"),
    ],
)
def test_a_pass_takes_the_least_shape_that_holds_it(
    rows: int, samples: int, expected: tuple[int, int] | None
) -> None:
    assert graph_shape(SHAPES, rows, samples) == expected


def test_no_captured_shape_is_longer_than_a_pass() -> None:
    shapes = graph_shapes(MAX_GRAPH_PASS_S)
    assert max(rows * samples for rows, samples in shapes) == MAX_GRAPH_PASS_S * SECOND


@pytest.mark.parametrize(
    ("memory_limit_bytes", "expected_s"),
    [
        pytest.param(None, 320.0, id="all of it"),
        pytest.param(80 * 10**9, 320.0, id="more than a pass can use"),
        pytest.param(2_040_000_000, 60.0, id="a tenth of 20 GB"),
    ],
)
def test_a_pass_takes_half_of_the_share_of_memory(
    memory_limit_bytes: int | None, expected_s: float
) -> None:
    assert cuda_pass_s(memory_limit_bytes) == pytest.approx(expected_s)
