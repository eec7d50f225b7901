"""Media types: what a raw body holds, and which answer is preferred."""

from __future__ import annotations

import pytest

from deployments.http.media_types import PcmFormat, is_pcm, pcm_format, preferred
from models.errors import InvalidRequest

JSON, VECTOR = "application/json", "application/octet-stream"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(None, JSON, id="none"),
        pytest.param("", JSON, id="empty"),
        pytest.param("*/*", JSON, id="anything"),
        pytest.param("application/*", JSON, id="any-application"),
        pytest.param(JSON, JSON, id="json"),
        pytest.param(VECTOR, VECTOR, id="vector"),
        pytest.param(VECTOR.upper(), VECTOR, id="upper-case"),
        pytest.param(f"{VECTOR}; q=0.5, {JSON}", JSON, id="json-preferred"),
        pytest.param(f"{JSON};q=0.5, {VECTOR};q=0.6", VECTOR, id="vector-preferred"),
        pytest.param(f"{JSON}, {VECTOR};q=0.9", JSON, id="vector-second"),
        pytest.param(f"{VECTOR}, {JSON}", VECTOR, id="equal-vector-first"),
        pytest.param(f"{JSON}, {VECTOR}", JSON, id="equal-json-first"),
        pytest.param(f"{VECTOR}, */*", VECTOR, id="vector-or-anything"),
        pytest.param(f"*/*, {VECTOR}", VECTOR, id="anything-or-vector"),
        pytest.param(f"{JSON}, text/plain, */*", JSON, id="as-browsers-send-it"),
        pytest.param(f"{VECTOR};q=0.1, */*;q=0.5", JSON, id="anything-else-preferred"),
        pytest.param(f"{JSON};q=0, */*", VECTOR, id="anything-but-json"),
        pytest.param(f"{VECTOR};q=0", JSON, id="no-vector"),
        pytest.param("text/html", JSON, id="neither"),
        pytest.param(f"{VECTOR};q=nan, {JSON};q=0.1", JSON, id="a-weight-that-is-none"),
        pytest.param(f"{VECTOR};q=7", JSON, id="a-weight-out-of-range"),
        pytest.param(f'{VECTOR};version="1";q=0.7, {JSON};q=0.6', VECTOR, id="parameters"),
        pytest.param(",,;q=,/", JSON, id="nonsense"),
    ],
)
def test_the_highest_rated_answer_is_preferred(accept: str | None, expected: str) -> None:
    assert preferred(accept, (JSON, VECTOR)) == expected


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        pytest.param("audio/pcm; rate=16000", PcmFormat(16_000, 1), id="mono"),
        pytest.param("audio/pcm;rate=8000;channels=2", PcmFormat(8_000, 2), id="stereo"),
        pytest.param('Audio/PCM; Rate="44100"; Channels=6', PcmFormat(44_100, 6), id="quoted"),
        pytest.param("audio/pcm; rate=16000; bits=16", PcmFormat(16_000, 1), id="width"),
        pytest.param(
            "audio/pcm; endianness=little-endian; rate=16000", PcmFormat(16_000, 1), id="order"
        ),
        pytest.param("audio/pcm; rate=16000; charset=utf-8", PcmFormat(16_000, 1), id="charset"),
    ],
)
def test_raw_samples(content_type: str, expected: PcmFormat) -> None:
    assert is_pcm(content_type)
    assert pcm_format(content_type) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param("", id="no-rate"),
        pytest.param("rate=", id="empty-rate"),
        pytest.param("rate=fast", id="rate-of-letters"),
        pytest.param("rate=-16000", id="negative-rate"),
        pytest.param("rate=16000.5", id="fraction"),
        pytest.param("rate=100", id="rate-too-low"),
        pytest.param("rate=999999999999999999999", id="rate-too-high"),
        pytest.param("rate=16000; channels=0", id="no-channel"),
        pytest.param("rate=16000; channels=65", id="too-many-channels"),
        pytest.param("rate=16000; channels=two", id="channels-of-letters"),
        pytest.param("rate=16000; bits=24", id="another-width"),
        pytest.param("rate=16000; endianness=big-endian", id="another-order"),
        pytest.param("rate=16000; encoding=float", id="another-encoding"),
    ],
)
def test_what_would_be_misheard_is_refused(parameters: str) -> None:
    with pytest.raises(InvalidRequest, match="audio/pcm; rate=16000") as caught:
        pcm_format(f"audio/pcm; {parameters}")
    assert caught.value.param == "content-type"


@pytest.mark.parametrize("content_type", ["audio/pcma; rate=8000", "audio/pcmu", "audio/wav", ""])
def test_other_types_are_no_raw_samples(content_type: str) -> None:
    assert not is_pcm(content_type)
