"""``POST /v1/audio/speech``, on fakes: files in every format."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.support.bad_input import SPEAK


@pytest.mark.parametrize("audio_format", ["mp3", "wav", "opus", "flac", "aac", "pcm"])
async def test_speech_in_every_format(http: httpx.AsyncClient, audio_format: str) -> None:
    body = {"input": "Hello.", "voice": "fake-en", "response_format": audio_format}
    response = await http.post(SPEAK, json=body)
    assert (response.status_code, len(response.content) > 500) == (200, True)


async def test_speed_is_an_items_own(http: httpx.AsyncClient) -> None:
    body = {"input": "Hello.", "voice": {"id": "fake-en"}, "response_format": "pcm"}
    slow, fast = await asyncio.gather(
        http.post(SPEAK, json={**body, "speed": 0.5}), http.post(SPEAK, json={**body, "speed": 2})
    )
    assert len(slow.content) == 4 * len(fast.content)
