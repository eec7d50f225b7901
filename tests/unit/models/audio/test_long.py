"""Recordings that are decoded piece by piece: the same samples, few of them in memory."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio.long import LongFile
from models.errors import DragomanError, InvalidRequest, NotAudio, TooLarge
from models.types import AnswerWarning
from tests.support import audio_files, damaged_files
from tests.support.bad_input import hours_of_silence
from tests.support.sounds import picture, silent_video

PIECE = 4096


class File(io.BytesIO):
    """A file in memory that tells how much was read of it at once."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.largest = max(self.largest, len(data))
        return data


def read(
    data: bytes, max_duration_s: float = 60.0, skipped: int = 0
) -> tuple[list[NDArray[np.int16]], tuple[AnswerWarning, ...]]:
    """Return all pieces, and the warnings behind them."""
    pieces = LongFile(File(data)).pieces(PIECE, max_duration_s, skipped=skipped)  # type: ignore[arg-type]
    found = []
    while True:
        try:
            found.append(next(pieces))
        except StopIteration as end:
            return found, end.value


# FFmpeg gets the header of MP3 in WAV as it is, and trims by it.
@pytest.mark.parametrize("name", sorted({*audio_files.FILES} - {"wav-mp3"}))
def test_it_gives_the_samples_of_the_whole(name: str) -> None:
    data = audio_files.file(name)
    pieces, warnings = read(data)
    whole = audio_files.decoded(data)
    assert np.array_equal(np.concatenate(pieces), whole.samples)
    assert (warnings, {len(piece) for piece in pieces[:-1]}) == (whole.warnings, {PIECE})


@pytest.mark.parametrize("skipped", [1, 100, PIECE, 3 * PIECE + 7])
def test_it_goes_on_from_a_sample(skipped: int) -> None:
    data = audio_files.file("mp3")
    pieces, _ = read(data, skipped=skipped)
    whole = audio_files.decoded(data).samples
    assert np.array_equal(np.concatenate(pieces), whole[skipped:])


def test_no_more_than_a_piece_is_in_memory() -> None:
    file = File(hours_of_silence(1200))
    largest = total = 0
    for piece in LongFile(file).pieces(PIECE, 1300.0):  # type: ignore[arg-type]
        largest, total = max(largest, len(piece)), total + len(piece)
    assert (largest, total) == (PIECE, 1200 * 16_000)


def test_a_longer_recording_is_refused_where_it_gets_too_long() -> None:
    data = hours_of_silence(60)
    pieces = LongFile(File(data)).pieces(PIECE, 10.0)  # type: ignore[arg-type]
    came: list[int] = []
    with pytest.raises(TooLarge):
        came.extend(map(len, pieces))
    assert sum(came) <= 11 * 16_000


@pytest.mark.parametrize("name", ["wav", "flac", "mp3"])
def test_what_is_cut_short_says_so(name: str) -> None:
    data = damaged_files.file(name)
    _, warnings = read(data[: int(len(data) * 0.6) + 5])
    assert [warning.code for warning in warnings] in (["audio_cut_short"], ["audio_damaged"])


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"", InvalidRequest, id="nothing"),
        pytest.param(b"no sound at all" * 100, NotAudio, id="no sound"),
        pytest.param(picture(), NotAudio, id="a picture"),
        pytest.param(silent_video(), NotAudio, id="a silent video"),
        pytest.param(audio_files.file("wav")[:44], InvalidRequest, id="a header"),
        pytest.param(audio_files.file("m4a")[:2000], InvalidRequest, id="no index"),
    ],
)
def test_what_holds_no_sound_is_refused(data: bytes, error: type[DragomanError]) -> None:
    with pytest.raises(error):
        read(data)


def test_a_stated_length_is_told() -> None:
    assert LongFile(File(audio_files.file("wav"))).stated_s() == pytest.approx(  # type: ignore[arg-type]
        audio_files.decoded(audio_files.file("wav")).duration_s, abs=0.01
    )
