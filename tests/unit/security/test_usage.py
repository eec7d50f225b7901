"""Each endpoint counts for the key that asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import numpy as np
import pytest

from deployments.config.security import Key, Security
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.security.keys import KnownKeys, new_key
from tests.support.bad_input import EMBED, SPEAK, TEXT, TRANSCRIBE, TRANSLATE, form, wav
from tests.support.local import fake_config, fake_fleet

SECRET, HASH = new_key()
SECOND = np.full(16_000, 700, np.int16)
PCM = {"content-type": "audio/pcm; rate=16000"}
HELLO = "Hello you."
INFER = "/v2/models/{}/infer"

Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


def tensors(**inputs: list[list[float]] | list[list[str]]) -> dict[str, object]:
    rows = [
        {
            "name": name,
            "datatype": "BYTES" if isinstance(values[0][0], str) else "FP32",
            "shape": [len(values), len(values[0])],
            "data": values,
        }
        for name, values in inputs.items()
    ]
    return {"inputs": rows}


ASKS: dict[str, tuple[Ask, float, int]] = {
    "speech": (
        lambda http: http.post(TRANSLATE, **form(wav(SECOND), target_language="pt")),
        1.0,
        0,
    ),
    "transcript": (lambda http: http.post(TRANSCRIBE, files={"file": wav(SECOND)}), 1.0, 0),
    "embeddings": (
        lambda http: http.post(EMBED, files=[("file", wav(SECOND)), ("compare", wav(SECOND))]),
        2.0,
        0,
    ),
    "raw samples": (lambda http: http.post(EMBED, content=SECOND.tobytes(), headers=PCM), 1.0, 0),
    "texts": (
        lambda http: http.post(
            TEXT,
            json={"text": [HELLO, HELLO], "source_language": "en", "target_language": "pt"},
        ),
        0.0,
        2 * len(HELLO),
    ),
    "a voice": (
        lambda http: http.post(SPEAK, json={"input": HELLO, "voice": "fake-pt"}),
        0.0,
        len(HELLO),
    ),
    "a voice, streamed": (
        lambda http: http.post(
            SPEAK, json={"input": HELLO, "voice": "fake-pt", "stream_format": "sse"}
        ),
        0.0,
        len(HELLO),
    ),
    "tensors of audio": (
        lambda http: http.post(INFER.format("speaker"), json=tensors(AUDIO=[[0.1] * 16_000])),
        1.0,
        0,
    ),
    "tensors of text": (
        lambda http: http.post(
            INFER.format("nmt"),
            json=tensors(TEXT=[[HELLO]], SOURCE_LANGUAGE=[["en"]], TARGET_LANGUAGE=[["pt"]]),
        ),
        0.0,
        len(HELLO),
    ),
    "no work": (lambda http: http.get("/v1/models"), 0.0, 0),
}


@pytest.mark.parametrize(("ask", "audio_s", "characters"), ASKS.values(), ids=ASKS)
async def test_what_is_sent_counts_for_its_key(ask: Ask, audio_s: float, characters: int) -> None:
    security = Security(keys=(Key(name="ann", hash=HASH, scopes=("infer",)),))
    config, known_keys = (
        fake_config().model_copy(update={"security": security}),
        KnownKeys(security),
    )
    app = asgi_app(await fake_fleet(config), config, Admission(8), known_keys=known_keys)
    transport, headers = httpx.ASGITransport(app), {"authorization": f"Bearer {SECRET}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as http:
        answer = await ask(http)
    used = known_keys.figures.usage["ann"]
    assert answer.status_code == 200, answer.text
    found = (used.requests, round(used.audio_s, 3), used.characters)
    assert found == (1, audio_s, characters)
