"""How the GE2E speaker encoder prepares a clip: its volume and its partials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.speaker.clips import TARGET_DBFS, normalise
from models.speaker.ge2e.constants import PARTIAL_SAMPLES, STEP_SAMPLES
from models.speaker.ge2e.engine import partial_count, partials

REFERENCES = Path(__file__).parents[3] / "data" / "speaker" / "resemblyzer.npz"
HALF_WINDOW = 200


def dbfs(audio: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(audio)))))


def test_partials_are_as_many_as_resemblyzer_cuts() -> None:
    with np.load(REFERENCES) as references:
        lengths, expected = references["slices"].T

    assert [partial_count(int(n)) for n in lengths] == expected.tolist()


def test_a_short_clip_is_one_partial_with_silence_after_it() -> None:
    (partial,) = partials(np.ones(1_600, np.float32))

    heard = np.flatnonzero(partial)
    assert (heard[0], heard[-1]) == (HALF_WINDOW, HALF_WINDOW + 1_599)


def test_partials_overlap_by_their_step() -> None:
    clip = np.arange(1, 60_001, dtype=np.float32)

    first, second, *_ = partials(clip)

    np.testing.assert_array_equal(first[STEP_SAMPLES:], second[:-STEP_SAMPLES])


def test_partials_do_not_copy_the_clip() -> None:
    rows = partials(np.ones(10 * 16_000, np.float32))

    assert rows.strides[0] == STEP_SAMPLES * rows.itemsize


@pytest.mark.parametrize("n_samples", [1, 25_599, 25_600, 25_601, 31_520, 100_000])
def test_every_partial_has_the_size_of_the_network(n_samples: int) -> None:
    rows = partials(np.ones(n_samples, np.float32))

    assert rows.shape == (partial_count(n_samples), PARTIAL_SAMPLES)


def test_a_quiet_clip_is_made_louder() -> None:
    quiet = np.sin(np.arange(16_000, dtype=np.float32)) * np.float32(1e-4)

    assert dbfs(normalise(quiet)) == pytest.approx(TARGET_DBFS, abs=1e-3)


def test_a_loud_clip_stays_as_it_is() -> None:
    loud = np.sin(np.arange(16_000, dtype=np.float32))

    np.testing.assert_array_equal(normalise(loud), loud)


def test_the_callers_samples_are_not_written_to() -> None:
    samples = np.full(16_000, 0.5, np.float32)
    samples.setflags(write=False)

    normalise(samples)

    assert (samples == 0.5).all()


def test_int16_counts_from_full_scale() -> None:
    assert normalise(np.full(1_600, -32_768, np.int16))[0] == -1.0
