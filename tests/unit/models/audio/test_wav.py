"""WAV files whose header states a wrong length, or none."""

from __future__ import annotations

import numpy as np
import pytest

from models.errors import InvalidRequest
from tests.support.damaged_files import (
    ID3,
    ID3V1,
    LENGTH_UNKNOWN,
    SECONDS,
    WAV_DATA,
    codes,
    decoded,
)
from tests.support.sounds import (
    wav,
)


class TestWav:
    def check(self, data: bytes, expected: list[str]) -> None:
        heard = decoded(data)
        assert codes(heard) == expected
        np.testing.assert_array_equal(heard.samples, np.frombuffer(WAV_DATA, np.int16))

    @pytest.mark.parametrize(
        "promised", [0, 0x7FFF_0000, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFD3, 0xFFFF_FFFF]
    )
    def test_a_length_that_was_never_filled_in_is_usual(self, promised: int) -> None:
        self.check(wav(WAV_DATA, promised_bytes=promised), [])

    @pytest.mark.parametrize("promised", [1_000_000_000, 2_000_000_000])
    def test_a_length_that_cannot_be(self, promised: int) -> None:
        self.check(wav(WAV_DATA, promised_bytes=promised), [LENGTH_UNKNOWN])

    @pytest.mark.parametrize("more", [1, 2, 8, 44, -2, -44])
    def test_a_length_that_is_a_little_wrong(self, more: int) -> None:
        heard = decoded(wav(WAV_DATA, promised_bytes=len(WAV_DATA) + more))
        assert codes(heard) == []
        assert heard.duration_s == pytest.approx(SECONDS, abs=0.002)

    @pytest.mark.parametrize("promised", [2, 32_000, 100_000])
    def test_a_length_that_was_not_brought_up_to_date(self, promised: int) -> None:
        self.check(wav(WAV_DATA, promised_bytes=promised), [LENGTH_UNKNOWN])

    @pytest.mark.parametrize(
        "before",
        [
            pytest.param(b"LIST\x04\0\0\0INFO", id="even"),
            pytest.param(b"note\x03\0\0\0abc\0", id="odd"),
            pytest.param(b"note\x03\0\0\0abc", id="odd-without-its-padding"),
            pytest.param(b"JUNK\x1c\0\0\0" + bytes(28), id="junk"),
            pytest.param(b"note\xff\xff\0\0abc", id="longer-than-it-is"),
            pytest.param(b"bext\0\0\0\0fact\x04\0\0\0\1\2\3\4", id="two"),
        ],
    )
    def test_chunks_before_the_samples(self, before: bytes) -> None:
        self.check(wav(WAV_DATA, before=before), [])

    @pytest.mark.parametrize(
        "behind",
        [
            pytest.param(b"LIST\x04\0\0\0INFO", id="list"),
            pytest.param(b"id3 \x04\0\0\0abcd", id="id3-chunk"),
            pytest.param(ID3 + b"\x55" * 99_999, id="id3-without-a-chunk"),
            pytest.param(ID3V1, id="id3v1"),
            pytest.param(bytes(50_000), id="zeros"),
            pytest.param(b"some text", id="a-few-bytes"),
        ],
    )
    def test_what_stands_behind_the_samples_is_no_sound(self, behind: bytes) -> None:
        self.check(wav(WAV_DATA, behind=behind), [])

    def test_no_samples_and_a_chunk(self) -> None:
        with pytest.raises(InvalidRequest, match="no samples"):
            decoded(wav(b"", behind=b"LIST\x04\0\0\0INFO"))

    def test_half_a_sample_at_the_end(self) -> None:
        self.check(wav(WAV_DATA + b"x"), [])
