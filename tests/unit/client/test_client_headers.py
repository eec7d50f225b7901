"""Values that travel in headers, as the client reads them."""

from __future__ import annotations

import pytest

from dragoman_client.headers import decode_text, retry_after_s, server_timing_ms


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("UTF-8''Ol%C3%A1%2C%20tudo", "Olá, tudo", id="percent-encoded"),
        pytest.param("utf-8'pt'%E6%97%A5%E6%9C%AC", "日本", id="small letters, with a language"),
        pytest.param("UTF-8''it%27s", "it's", id="encoded apostrophe"),
        pytest.param("UTF-8''a'b", "a'b", id="bare apostrophe"),
        pytest.param("UTF-8''", "", id="empty"),
        pytest.param("plain text", "plain text", id="not encoded"),
        pytest.param("it's not 'encoded", "it's not 'encoded", id="apostrophes in plain text"),
        pytest.param(None, "", id="absent"),
    ],
)
def test_decoding_of_header_texts(value: str | None, text: str) -> None:
    assert decode_text(value) == text


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        pytest.param("3", 3.0, id="seconds"),
        pytest.param("Thu, 01 Jan 1970 00:01:00 GMT", 10.0, id="date"),
        pytest.param("Thu, 01 Jan 1970 00:01:00 -0000", 10.0, id="date of no zone"),
        pytest.param("Thu, 01 Jan 1970 00:00:10 GMT", 0.0, id="past date"),
        pytest.param("-1", None, id="negative"),
        pytest.param("²", None, id="a digit that is no number"),
        pytest.param("soon", None, id="a word"),
        pytest.param(None, None, id="absent"),
    ],
)
def test_reading_of_retry_after(value: str | None, wait_s: float | None) -> None:
    assert retry_after_s(value, now_s=50) == wait_s


@pytest.mark.parametrize(
    ("value", "timings"),
    [
        pytest.param("asr;dur=1.5, tts;dur=2", {"asr": 1.5, "tts": 2.0}, id="two"),
        pytest.param('asr;desc="A, b";dur="1.5", x;dur=1', {"asr": 1.5, "x": 1.0}, id="quoted"),
        pytest.param("cache, asr;dur=x", {}, id="no durations"),
        pytest.param(None, {}, id="absent"),
    ],
)
def test_reading_of_server_timing(value: str | None, timings: dict[str, float]) -> None:
    assert server_timing_ms(value) == timings
