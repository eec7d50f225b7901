"""``POST /v1/text/detections``, and translations of texts whose language nobody names."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.bad_input import TEXT

DETECT = "/v1/text/detections"
ENGLISH, PORTUGUESE = "Where is the nearest station?", "Onde fica a estação mais próxima?"
JAPANESE = "一番近い駅はどこにありますか。"


async def detected(http: httpx.AsyncClient, text: str | list[str]) -> list[dict[str, Any]]:
    response = await http.post(DETECT, json={"text": text})
    assert response.status_code == 200
    rows: list[dict[str, Any]] = response.json()["detections"]
    return rows


async def translated(
    http: httpx.AsyncClient, text: str | list[str], target: str
) -> list[dict[str, Any]]:
    response = await http.post(TEXT, json={"text": text, "target_language": target})
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["translations"]
    return rows


def codes(row: dict[str, Any]) -> list[str]:
    return [warning["code"] for warning in row["warnings"]]


async def test_the_language_of_each_text_is_told(http: httpx.AsyncClient) -> None:
    rows = await detected(http, [ENGLISH, PORTUGUESE, JAPANESE])
    assert [row["language"] for row in rows] == ["en", "pt", "ja"]
    assert all(row["probability"] == row["languages"][0]["probability"] > 0.9 for row in rows)


async def test_a_text_without_letters_has_no_language(http: httpx.AsyncClient) -> None:
    (row,) = await detected(http, "12:30")
    assert (row["language"], row["probability"], row["languages"]) == (None, 0, [])
    assert codes(row) == ["no_letters"]


async def test_a_short_text_is_unsure(http: httpx.AsyncClient) -> None:
    (row,) = await detected(http, "Hm")
    assert codes(row) == ["unsure_language"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 400, id="no-text"),
        pytest.param({"text": []}, 400, id="no-texts"),
        pytest.param({"text": 7}, 400, id="a-number"),
        pytest.param({"text": "a" * 10_001}, 413, id="too-long"),
        pytest.param({"text": ["a"] * 257}, 413, id="too-many"),
    ],
)
async def test_a_bad_request_names_the_text(
    http: httpx.AsyncClient, body: dict[str, Any], status: int
) -> None:
    response = await http.post(DETECT, json=body)
    assert (response.status_code, response.json()["error"]["param"]) == (status, "text")


# ---- translations -------------------------------------------------------------------------


@pytest.mark.parametrize("named", [None, "auto"])
async def test_the_source_is_detected_where_none_is_named(
    http: httpx.AsyncClient, named: str | None
) -> None:
    body = {"text": PORTUGUESE, "target_language": "en", "source_language": named}
    (row,) = (await http.post(TEXT, json=body)).json()["translations"]
    assert (row["text"], row["source_language"]) == (f"en: {PORTUGUESE}", "pt")
    assert row["source_language_probability"] > 0.9
    assert row["warnings"] == []


async def test_each_text_is_translated_from_its_own_language(http: httpx.AsyncClient) -> None:
    rows = await translated(http, [PORTUGUESE, ENGLISH], "fr")
    assert [row["text"] for row in rows] == [f"fr: en: {PORTUGUESE}", f"fr: {ENGLISH}"]
    assert [row["pivot"] for row in rows] == ["en", None]


async def test_a_text_in_the_target_language_is_passed_on(http: httpx.AsyncClient) -> None:
    (row,) = await translated(http, ENGLISH, "en")
    assert (row["text"], row["source_language"]) == (ENGLISH, "en")
    assert codes(row) == ["untranslated"]


async def test_a_text_without_letters_is_passed_on(http: httpx.AsyncClient) -> None:
    numbers, nothing = await translated(http, ["12:30", ""], "pt")
    assert (numbers["text"], numbers["source_language"]) == ("12:30", None)
    assert (codes(numbers), codes(nothing)) == (["untranslated"], [])


async def test_a_language_that_is_not_translated_is_passed_on_among_others(
    http: httpx.AsyncClient,
) -> None:
    japanese, portuguese = await translated(http, [JAPANESE, PORTUGUESE], "en")
    assert (japanese["text"], japanese["source_language"]) == (JAPANESE, "ja")
    assert codes(japanese) == ["untranslated"]
    assert portuguese["text"] == f"en: {PORTUGUESE}"


async def test_languages_that_are_not_translated_are_refused(http: httpx.AsyncClient) -> None:
    response = await http.post(TEXT, json={"text": JAPANESE, "target_language": "en"})
    assert response.status_code == 422
    assert "ja to en" in response.json()["error"]["message"]


async def test_an_unsure_language_is_told(http: httpx.AsyncClient) -> None:
    response = await http.post(TEXT, json={"text": "Hm", "target_language": "en"})
    (row,) = response.json()["translations"]
    assert codes(row) == ["unsure_language"]
    assert response.headers["x-warnings"] == "unsure_language"
