"""Links for listeners: the address with its token, the QR code, and what the token opens there."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import httpx
import pytest

from tests.support.realtime import TRANSLATION, Place, realtime, talking
from tests.unit.http.realtime.test_handshake import KEY, bearer, keyed

PAGE = "https://speech.example.com/"
TALK = {"model": "asr", "to": "pt", "text_only": "true", "name": "talk"}
LANGUAGES = "v1/realtime/languages"


async def token(place: Place, **fields: Any) -> httpx.Response:
    async with (
        talking(place.at(TRANSLATION, **TALK), additional_headers=bearer(KEY)) as talk,
        httpx.AsyncClient(base_url=place.url, headers=bearer(KEY)) as http,
    ):
        await talk.next()
        return await http.post("v1/realtime/listen_tokens", json={"name": "talk", **fields})


async def test_the_link_has_the_token_in_its_fragment() -> None:
    async with realtime(keyed()) as place:
        answer = (await token(place, page=PAGE)).json()
        assert answer["link"] == f"{PAGE}#listen={answer['value']}&name=talk"


async def test_the_code_is_a_drawing_without_a_script() -> None:
    async with realtime(keyed()) as place:
        drawn = ElementTree.fromstring((await token(place, page=PAGE)).json()["qr_svg"])
        kinds = {each.tag.rpartition("}")[2] for each in drawn.iter()}
        assert kinds == {"svg", "path"}
        assert "viewBox" in drawn.attrib


async def test_no_link_is_made_unasked() -> None:
    async with realtime(keyed()) as place:
        answer = await token(place)
        assert set(answer.json()) == {"value", "expires_at", "name", "session"}


@pytest.mark.parametrize(
    "page",
    [
        *("javascript:alert(1)", "speech.example.com", f"{PAGE}#x", PAGE + "a" * 512, "http://", 7),
        *("http://[", "http://a.b/\n", 'http://a.b/"onload="'),
    ],
    ids=[
        *("script", "no scheme", "a fragment", "too long", "no host", "no text"),
        *("half a number", "two lines", "markup"),
    ],
)
async def test_what_is_no_address_of_a_page_is_refused(page: Any) -> None:
    async with realtime(keyed()) as place:
        answer = await token(place, page=page)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "page"
        assert "page must" in answer.json()["error"]["message"]


async def test_a_listener_learns_which_languages_there_are() -> None:
    async with realtime(keyed()) as place:
        value = (await token(place)).json()["value"]
        async with httpx.AsyncClient(base_url=place.url, headers=bearer(value)) as http:
            rows = (await http.get(LANGUAGES)).json()["data"]
            assert (await http.get("v1/models")).status_code == 401
        assert rows == [
            {"language": "en", "spoken": True, "in_time": True},
            {"language": "fr", "spoken": False, "in_time": False},
            {"language": "pt", "spoken": True, "in_time": True},
        ]


async def test_languages_are_for_who_has_a_key_or_a_token() -> None:
    async with realtime(keyed()) as place, httpx.AsyncClient(base_url=place.url) as http:
        assert (await http.get(LANGUAGES)).status_code == 401
