"""Multipart forms that are made to cost much: of odd charsets, and of many large fields."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from deployments.http import forms
from tests.support.asgi import SPEECH
from tests.support.bad_input import TRANSCRIBE, heard


def of_charset(charset: str, prompt: bytes) -> dict[str, Any]:
    parts = [
        b'name="prompt"\r\n\r\n' + prompt,
        b'name="file"; filename="a.wav"\r\n\r\n' + SPEECH,
    ]
    shown = [b"--x\r\ncontent-disposition: form-data; " + part + b"\r\n" for part in parts]
    content_type = f"multipart/form-data; boundary=x; charset={charset}"
    return {"content": b"".join([*shown, b"--x--\r\n"]), "headers": {"content-type": content_type}}


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", "us-ascii", "ISO-8859-1", "windows-1252"])
async def test_usual_charsets_are_read(http: httpx.AsyncClient, charset: str) -> None:
    answer = await http.post(TRANSCRIBE, **of_charset(charset, b"Lisbon"))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "charset", ["punycode", "undefined", "idna", "unicode_escape", "utf-16", "zlib", "none-such"]
)
async def test_other_charsets_are_refused(http: httpx.AsyncClient, charset: str) -> None:
    answer = await http.post(TRANSCRIBE, **of_charset(charset, rb"a\ud800-b"))
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "content-type")
    assert "utf-8" in error["message"]


@pytest.mark.parametrize("over", [0, 1], ids=["as much as may be", "one more"])
async def test_fields_are_bounded_together(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, over: int
) -> None:
    monkeypatch.setattr(forms, "MAX_FIELDS_BYTES", 1_000)
    fields = {f"unknown{number}": "a" * 100 for number in range(10)}
    fields["unknown0"] += "a" * over
    answer = await http.post(TRANSCRIBE, **heard(SPEECH, **fields))
    assert answer.status_code == (413 if over else 200), answer.text
