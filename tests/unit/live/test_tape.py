"""The tape of a session: places, what is dropped, and quiet streams made loud."""

from __future__ import annotations

import numpy as np

from deployments.live.tape import Tape
from models.audio.samples import loudness_dbfs


def test_places_stay_as_audio_is_dropped() -> None:
    tape, samples = Tape(), np.arange(20_000, 30_000).astype(np.int16)
    for start in range(0, 10_000, 1_000):
        tape.add(samples[start : start + 1_000])
        tape.drop(start - 500)
    assert (tape.start, tape.end) == (8_500, 10_000)
    assert np.array_equal(tape.cut(9_000, 9_700), samples[9_000:9_700])


def test_what_has_not_come_is_not_dropped() -> None:
    tape = Tape()
    tape.add(np.full(100, 20_000, np.int16))
    tape.drop(500)
    tape.add(np.full(100, 20_001, np.int16))
    assert tape.cut(100, 200).tolist() == [20_001] * 100


def test_a_quiet_stream_is_made_loud_and_never_clips() -> None:
    tape, noise = Tape(), np.random.default_rng(0)
    for level in (3, 60, 90, 90):  # noise of a line, then a quiet speaker
        tape.add(noise.normal(0, level, 16_000).astype(np.int16))
    assert loudness_dbfs(tape.cut(0, 16_000)) < -75
    assert -20 < loudness_dbfs(tape.cut(48_000, 64_000)) < -15
    assert np.abs(tape.cut(0, 64_000).astype(int)).max() < 32_767


def test_a_loud_stream_is_as_it_was() -> None:
    tape = Tape()
    loud = np.random.default_rng(0).normal(0, 3_000, 16_000).astype(np.int16)
    tape.add(loud)
    tape.add(loud // 100)
    assert np.array_equal(tape.cut(0, 32_000), np.concatenate([loud, loud // 100]))
