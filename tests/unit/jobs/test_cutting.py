"""Recordings are cut at silences, into parts that together are the recording."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.jobs.cutting import MOST_SAMPLES, PIECE_SAMPLES, Part, parts, quietest
from models.types import VadItem, VadResult
from models.vad.silero import FRAME_SAMPLES

FRAMES = PIECE_SAMPLES // FRAME_SAMPLES


async def vad(item: VadItem) -> VadResult:
    """Hear speech wherever a frame is loud, and hand on how much has been heard."""
    frames = [item.samples[at : at + FRAME_SAMPLES] for at in range(0, item_length(item), 512)]
    heard = 0 if item.state is None else int(item.state[0])
    state = np.array([heard + item_length(item)], np.float32)
    return VadResult((), np.array([np.abs(f).max() for f in frames]) > 1, state)  # type: ignore[arg-type]


def item_length(item: VadItem) -> int:
    return len(item.samples)


async def cut(samples: NDArray[np.int16], start: int = 0) -> list[Part]:
    pieces = iter(range(start, len(samples), PIECE_SAMPLES))

    async def read() -> NDArray[np.int16] | None:
        at = next(pieces, None)
        return None if at is None else samples[at : at + PIECE_SAMPLES]

    found: AsyncIterator[Part] = parts(read, vad, start)
    return [part async for part in found]


def recording(seconds: int, silences_s: Sequence[tuple[float, float]]) -> NDArray[np.int16]:
    samples = np.random.default_rng(1).integers(8000, 9000, seconds * 16_000).astype(np.int16)
    for start_s, end_s in silences_s:
        samples[round(start_s * 16_000) : round(end_s * 16_000)] = 0
    return samples


async def test_the_parts_are_the_recording() -> None:
    samples = recording(700, [(at, at + 0.5) for at in range(5, 700, 7)])
    found = await cut(samples)
    assert np.array_equal(np.concatenate([part.samples for part in found]), samples)
    assert [part.start for part in found[1:]] == [part.end for part in found[:-1]]
    assert all(len(part.samples) <= MOST_SAMPLES for part in found)
    assert len(found) == 3


async def test_a_part_ends_in_a_long_silence_of_its_last_third() -> None:
    samples = recording(400, [(100.0, 110.0), (230.0, 233.0), (270.0, 270.4)])
    first, second = await cut(samples)
    assert 231.0 < first.end / 16_000 < 232.0
    assert second.end == len(samples)


async def test_what_goes_on_from_a_part_is_cut_the_same() -> None:
    samples = recording(700, [(at, at + 0.5) for at in range(5, 700, 7)])
    first, *others = await cut(samples)
    again = await cut(samples, first.end)
    assert [part.start for part in again] == [part.start for part in others]


async def test_nothing_has_no_parts() -> None:
    assert await cut(np.zeros(0, np.int16)) == []


@pytest.mark.parametrize(
    ("probabilities", "frame"),
    [
        pytest.param([0.9] * 20 + [0.5] + [0.9] * 9, 20, id="no silence: the least like speech"),
        pytest.param([0.9] * 22 + [0.1] * 4 + [0.9] * 4, 24, id="the middle of a silence"),
        pytest.param([0.0] * 15 + [0.9] * 15, 21, id="silence before the last third"),
        pytest.param([0.9] * 21 + [0.1] + [0.9] + [0.1] * 7, 26, id="the longest"),
        pytest.param([0.9, 0.9], 1, id="two frames"),
    ],
)
def test_the_quietest_frame(probabilities: list[float], frame: int) -> None:
    found = quietest(np.array(probabilities, np.float32))
    assert abs(found - frame) <= 1
    assert 0 < found < len(probabilities)
