"""The application in this process behind httpx, and what it is asked on fakes."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np

from tests.support.bad_input import TRANSLATE, form, wav


def connect(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


LOUD = np.concatenate([np.zeros(8000), np.full(16_000, 700), np.zeros(8000)]).astype(np.int16)
SPEECH = wav(LOUD)
FRAME = 512  # of a VAD: what it finds begins and ends with one
SPOKEN = np.repeat(np.array([0, 700, 0], np.int16), 32 * FRAME)  # 1.024 s of speech in 3.072
SILENCE = wav(np.zeros(16_000, np.int16))
HEARD = "There are 16000 samples. The loudest is 700."
TRANSLATED = "pt: There are 16000 samples. pt: The loudest is 700."


async def translate(
    http: httpx.AsyncClient, data: bytes = SPEECH, /, **fields: str
) -> httpx.Response:
    return await http.post(TRANSLATE, **form(data, **fields))
