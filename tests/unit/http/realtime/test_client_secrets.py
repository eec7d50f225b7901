"""Client secrets: what they open, for how long, on which server, and for whom it counts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.realtime import TRANSCRIPTION, TRANSLATION, Place, realtime, talking
from tests.unit.http.realtime.test_handshake import KEY, bearer, keyed, refusal

SESSION = {"model": "asr", "audio": {"output": {"language": "pt"}}}
HEARING = {"type": "transcription", "audio": {"input": {"transcription": {"language": "pt"}}}}
SECRETS = {
    TRANSLATION: f"{TRANSLATION}/client_secrets",
    TRANSCRIPTION: "v1/realtime/client_secrets",
}


async def made(place: Place, path: str, body: dict[str, Any], key: str = KEY) -> httpx.Response:
    async with httpx.AsyncClient(base_url=place.url, headers=bearer(key)) as http:
        return await http.post(SECRETS[path], json=body)


async def secret(place: Place, path: str, session: dict[str, Any]) -> list[str]:
    """Return the subprotocols of a browser that has a secret."""
    value = (await made(place, path, {"session": session})).json()["value"]
    return ["realtime", f"openai-insecure-api-key.{value}"]


async def test_a_secret_opens_the_translation_that_it_was_made_for() -> None:
    async with realtime(keyed()) as place:
        offered = await secret(place, TRANSLATION, SESSION)
        for _ in range(2):  # as often as anybody likes
            async with talking(place.at(TRANSLATION, model="asr"), subprotocols=offered) as talk:
                session = (await talk.next())["session"]
                assert session["audio"]["output"]["language"] == "pt"
                assert talk.socket.subprotocol == "realtime"
                assert [each.owner for each in place.sessions] == ["ann"]


async def test_a_secret_opens_the_transcription_that_it_was_made_for() -> None:
    async with realtime(keyed()) as place:
        offered = await secret(place, TRANSCRIPTION, HEARING)
        async with talking(place.at(TRANSCRIPTION), subprotocols=offered) as talk:
            session = (await talk.next())["session"]
            assert session["audio"]["input"]["transcription"]["language"] == "pt"


async def test_the_answer_has_what_openais_has() -> None:
    async with realtime(keyed()) as place:
        answer = (await made(place, TRANSLATION, {"session": SESSION})).json()
        assert answer["value"].startswith("ek_")
        assert answer["session"]["type"] == "translation"
        assert answer["session"]["model"] == "asr"
        assert answer["session"]["expires_at"] == answer["expires_at"]
        hearing = (await made(place, TRANSCRIPTION, {"session": HEARING})).json()
        assert hearing["session"]["object"] == "realtime.transcription_session"


async def test_a_secret_is_good_on_every_ingress_and_after_a_restart() -> None:
    async with realtime(keyed()) as one:
        offered = await secret(one, TRANSLATION, SESSION)
    async with (
        realtime(keyed()) as other,
        talking(other.at(TRANSLATION, model="asr"), subprotocols=offered) as talk,
    ):
        assert (await talk.next())["type"] == "session.created"


async def test_another_server_does_not_know_it() -> None:
    async with realtime(keyed()) as one, realtime(keyed(), signing_key=b"x" * 32) as other:
        offered = await secret(one, TRANSLATION, SESSION)
        status, _, _ = await refusal(other.at(TRANSLATION, model="asr"), subprotocols=offered)
        assert status == 401


async def test_a_secret_opens_nothing_else() -> None:
    async with realtime(keyed()) as place:
        offered = await secret(place, TRANSLATION, SESSION)
        value = offered[1].partition(".")[2]
        status, _, _ = await refusal(
            place.at(TRANSCRIPTION, intent="transcription"), subprotocols=offered
        )
        assert status == 403
        assert (await made(place, TRANSLATION, {"session": SESSION}, value)).status_code == 403
        async with httpx.AsyncClient(base_url=place.url, headers=bearer(value)) as http:
            assert (await http.get("v1/models")).status_code == 401


async def test_sessions_of_a_secret_count_for_its_key() -> None:
    async with realtime(keyed(max_concurrent_per_ingress=1)) as place:
        offered = await secret(place, TRANSLATION, SESSION)
        at = place.at(TRANSLATION, model="asr")
        async with talking(at, subprotocols=offered):
            status, _, _ = await refusal(at, additional_headers=bearer(KEY))
            assert status == 429


async def test_without_keys_secrets_work_all_the_same() -> None:
    async with realtime() as place:
        offered = await secret(place, TRANSLATION, SESSION)
        async with talking(place.at(TRANSLATION, model="asr"), subprotocols=offered) as talk:
            assert (await talk.next())["session"]["audio"]["output"]["language"] == "pt"
        wrong = ["realtime", f"{offered[1][:-4]}AAAA"]
        status, _, _ = await refusal(place.at(TRANSLATION, model="asr"), subprotocols=wrong)
        assert status == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "session"),
        ({"session": {"audio": {}}}, "session.model"),
        ({"session": {**SESSION, "glossary": {}}}, "session.glossary.terms"),
        ({"session": SESSION, "expires_after": {"seconds": 9}}, "expires_after"),
        ({"session": SESSION, "expires_after": {"seconds": 7_201}}, "expires_after"),
        ({"session": SESSION, "expires_after": {"anchor": "now"}}, "expires_after"),
        ({"session": {"model": "m" * 6_000}}, "session"),
        ({"session": SESSION, "more": 1}, "more"),
    ],
    ids=["nothing", "no model", "glossary", "short", "long", "anchor", "large", "unknown"],
)
async def test_a_wrong_ask_names_its_field(body: dict[str, Any], param: str) -> None:
    async with realtime(keyed()) as place:
        answer = await made(place, TRANSLATION, body)
        assert answer.status_code in (400, 413)
        assert answer.json()["error"]["param"] == param


async def test_it_lasts_as_long_as_asked() -> None:
    async with realtime(keyed()) as place:
        asked = {"session": SESSION, "expires_after": {"anchor": "created_at", "seconds": 10}}
        short = (await made(place, TRANSLATION, asked)).json()
        usual = (await made(place, TRANSLATION, {"session": SESSION})).json()
        assert usual["expires_at"] - short["expires_at"] in (589, 590, 591)
