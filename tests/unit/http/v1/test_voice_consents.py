"""Consents: kept once the text was heard in one voice, listed in pages, renamed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.voices import (
    ANNA,
    BERT,
    CONSENTS,
    SAYS_ELSE,
    VOICES,
    consent_of,
    keeping,
    speech_of,
)


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with await keeping(tmp_path) as client:
        yield client


async def test_a_consent_is_kept_and_shown(http: httpx.AsyncClient) -> None:
    made = (await consent_of(http, speech_of(ANNA))).json()
    shown = (await http.get(f"{CONSENTS}/{made['id']}")).json()
    assert shown == made
    assert (made["object"], made["name"], made["language"]) == (
        "audio.voice_consent",
        "Anna",
        "pt-BR",
    )
    assert made["expires_at"] - made["created_at"] == 365 * 86_400


async def test_it_gets_another_name(http: httpx.AsyncClient) -> None:
    made = (await consent_of(http, speech_of(ANNA))).json()
    renamed = (await http.post(f"{CONSENTS}/{made['id']}", json={"name": "Bea"})).json()
    assert renamed == {**made, "name": "Bea"}


async def test_the_list_comes_in_pages_the_newest_first(http: httpx.AsyncClient) -> None:
    names = ["one", "two", "three"]
    ids = [(await consent_of(http, speech_of(ANNA), name=each)).json()["id"] for each in names]
    first = (await http.get(CONSENTS, params={"limit": 2})).json()
    rest = (await http.get(CONSENTS, params={"limit": 2, "after": first["last_id"]})).json()
    assert [row["id"] for row in first["data"] + rest["data"]] == ids[::-1]
    assert (first["has_more"], rest["has_more"]) == (True, False)


QUERIES = {"after": "cons_1", "limit": "0"}


@pytest.mark.parametrize(("name", "value"), QUERIES.items(), ids=QUERIES)
async def test_a_wrong_page_is_refused(http: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await http.get(CONSENTS, params={name: value})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, name)


RECORDINGS = {
    "another text": (speech_of(SAYS_ELSE), 422, "something else was heard"),
    "two voices": (speech_of(ANNA, BERT), 422, "of one speaker, and 2 were heard"),
    "too short": (speech_of(ANNA, each_s=2.0), 422, "at least 3 s of speech"),
    "silence": (speech_of(0), 422, "none was heard"),
    "no sound": (b"This is no audio at all. " * 100, 415, ""),
    "too long": (speech_of(ANNA, each_s=121.0), 413, ""),
}


@pytest.mark.parametrize(("data", "status", "says"), RECORDINGS.values(), ids=RECORDINGS)
async def test_a_recording_is_refused(
    http: httpx.AsyncClient, data: bytes, status: int, says: str
) -> None:
    answer = await consent_of(http, data)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, "recording")
    assert says in error["message"]
    assert (await http.get(CONSENTS)).json()["data"] == []


@pytest.mark.parametrize("language", ["ja", "auto", "nonsense"])
async def test_a_language_without_a_text_is_refused(http: httpx.AsyncClient, language: str) -> None:
    error = (await consent_of(http, speech_of(ANNA), language=language)).json()["error"]
    assert error["param"] == "language"
    assert "en, pt, fr" in error["message"]


async def test_the_texts_are_those_that_the_recogniser_hears(http: httpx.AsyncClient) -> None:
    rows = (await http.get("/v1/audio/consent_texts")).json()["data"]
    assert [row["language"] for row in rows] == ["en", "pt", "fr"]
    assert all(row["text"] for row in rows)


INVISIBLE = {"two lines": "a\nb", "a command": "\x1b[31m", "turned": "\u202eevil", "blank": "  "}


@pytest.mark.parametrize("name", INVISIBLE.values(), ids=INVISIBLE)
async def test_a_name_that_cannot_be_seen_is_refused(http: httpx.AsyncClient, name: str) -> None:
    new = await consent_of(http, speech_of(ANNA), name=name)
    kept = (await consent_of(http, speech_of(ANNA))).json()["id"]
    renamed = await http.post(f"{CONSENTS}/{kept}", json={"name": name})
    voice = await http.post(
        VOICES, data={"name": name, "consent": kept}, files={"audio_sample": ("a", b"a")}
    )
    answers = [new, renamed, voice]
    assert [(each.status_code, each.json()["error"]["param"]) for each in answers] == [
        (400, "name")
    ] * len(answers)
