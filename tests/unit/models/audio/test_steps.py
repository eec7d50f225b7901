"""Long work in steps: they are short, and what they come to is what the whole comes to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest

from models.audio import decode, encode
from models.audio.resample import Resampler
from models.audio.samples import to_int16
from models.audio.steps import Steps, finished
from models.errors import TooLarge
from models.types import Audio
from tests.support.sounds import tone

LENGTH_S, RATE_HZ = 20, 22_050
SOUND = Audio(to_int16(np.tile(tone(RATE_HZ, 1.0), LENGTH_S)), RATE_HZ)


def steps_of(steps: Steps[Any]) -> list[int]:
    """What was held after each step."""
    return list(steps)


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "flac", "opus"])
def test_a_file_is_decoded_in_short_steps(audio_format: encode.AudioFormat) -> None:
    data = encode.encode(SOUND, audio_format)
    held = steps_of(decode.decode_steps(data, max_duration_s=60))
    whole = decode.decode(data, max_duration_s=60)
    assert held == sorted(held)
    assert max(np.diff(held)) <= 2 * 16_000  # bytes: a second
    assert whole.samples.nbytes >= held[-1] >= 0.99 * whole.samples.nbytes


def test_what_is_too_long_ends_on_the_way() -> None:
    data = encode.encode(SOUND, "mp3")
    held = [0]
    with pytest.raises(TooLarge):
        held.extend(decode.decode_steps(data, max_duration_s=5))
    assert held[-1] <= 5 * 2 * 16_000


def test_steps_that_are_closed_go_no_further() -> None:
    steps = decode.decode_steps(encode.encode(SOUND, "mp3"), max_duration_s=60)
    next(steps)
    steps.close()
    assert list(steps) == []


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
def test_resampling_in_steps_is_resampling_at_once(rate_hz: int) -> None:
    at_once = Resampler(rate_hz)
    at_once.add(decode.frame_of(to_int16(SOUND.samples), RATE_HZ))
    np.testing.assert_array_equal(decode.resample(SOUND, rate_hz).samples, at_once.finish())


@pytest.mark.parametrize("audio_format", get_args(encode.AudioFormat))
def test_encoding_in_steps_is_encoding_at_once(audio_format: encode.AudioFormat) -> None:
    at_once = encode.encoder(audio_format, RATE_HZ, length=len(SOUND.samples))
    assert encode.encode(SOUND, audio_format) == at_once.add(SOUND) + at_once.finish()


@pytest.mark.parametrize(
    "begin",
    [
        lambda: decode.resample_steps(SOUND, 16_000),
        lambda: decode.pcm16_steps(SOUND.samples.tobytes(), RATE_HZ, max_duration_s=60),
        lambda: encode.encode_steps(SOUND, "mp3"),
        lambda: encode.add_steps(encode.encoder("mp3", RATE_HZ), SOUND),
    ],
    ids=["resample", "pcm16", "encode", "add"],
)
def test_a_step_is_a_second(begin: Callable[[], Steps[Any]]) -> None:
    assert len(steps_of(begin())) == LENGTH_S


def test_all_steps_give_their_result() -> None:
    def steps() -> Steps[str]:
        yield 1
        return "result"

    assert finished(steps()) == "result"
