"""``/v1/voices``: the voices there are, and what clones others."""

from __future__ import annotations

import httpx


async def test_voices_are_listed(http: httpx.AsyncClient) -> None:
    rows = (await http.get("/v1/voices")).json()["data"]
    assert [(row["id"], row["language"], row["model"]) for row in rows] == [
        ("fake-pt", "pt", "tts"),
        ("fake-en", "en", "tts"),
    ]


async def test_what_clones_voices_is_told_apart_from_the_voices(http: httpx.AsyncClient) -> None:
    (cloning,) = (await http.get("/v1/voices")).json()["cloning"]
    assert (cloning["voice"], cloning["model"], cloning["languages"]) == ("source", "tts", ["pt"])
    assert "translations of speech" in cloning["use"]
