"""Who may open a session: keys in both places, hosts, pages, models, and what else is refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from deployments.config.live import Live
from deployments.config.schema import AppConfig
from deployments.config.security import Key, Quotas, Security
from deployments.security.keys import new_key
from tests.support.local import fake_config
from tests.support.realtime import (
    TRANSCRIPTION,
    TRANSLATION,
    Place,
    realtime,
    silence,
    speech,
    talking,
    types_of,
)

KEY, HASH = new_key()
METRICS_KEY, METRICS_HASH = new_key()


def keyed(**limits: Any) -> AppConfig:
    keys = (
        Key(name="ann", hash=HASH, scopes=("infer",), **limits),
        Key(name="prometheus", hash=METRICS_HASH, scopes=("metrics",)),
    )
    return fake_config().model_copy(update={"security": Security(keys=keys)})


async def refusal(url: str, **settings: Any) -> tuple[int, httpx.Headers, dict[str, Any]]:
    """Status, headers and error of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, **settings):
            pass
    response = refused.value.response
    headers = httpx.Headers(list(response.headers.raw_items()))
    return response.status_code, headers, json.loads(response.body or b"")["error"]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_a_key_in_the_header_opens_a_session() -> None:
    async with (
        realtime(keyed()) as place,
        talking(place.at(TRANSLATION, model="asr"), additional_headers=bearer(KEY)) as talk,
    ):
        assert (await talk.next())["type"] == "session.created"
        assert talk.socket.subprotocol is None
        (session,) = place.sessions
        assert session.owner == "ann"


async def test_a_key_in_the_subprotocol_opens_a_session_and_realtime_is_chosen() -> None:
    offered = ["realtime", f"openai-insecure-api-key.{KEY}", "openai-beta.realtime-v1"]
    async with (
        realtime(keyed()) as place,
        talking(place.at(TRANSLATION, model="asr"), subprotocols=offered) as talk,
    ):
        assert (await talk.next())["type"] == "session.created"
        assert talk.socket.subprotocol == "realtime"


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({}, 401, "no_api_key"),
        ({"additional_headers": bearer("wrong")}, 401, "invalid_api_key"),
        ({"subprotocols": ["realtime", "openai-insecure-api-key.wrong"]}, 401, "invalid_api_key"),
        ({"additional_headers": bearer(METRICS_KEY)}, 403, "insufficient_scope"),
        ({"additional_headers": bearer(KEY), "origin": "https://evil.example"}, 403, None),
    ],
    ids=["no key", "wrong key", "wrong subprotocol", "wrong scope", "foreign page"],
)
async def test_strangers_are_refused_over_http(
    settings: dict[str, Any], status: int, code: str | None
) -> None:
    async with realtime(keyed()) as place:
        got, headers, error = await refusal(place.at(TRANSLATION, model="asr"), **settings)
        assert got == status
        assert code in (None, error["code"])
        assert headers["x-request-id"]
        assert headers["content-type"] == "application/json"
        assert len(place.sessions) == 0


async def test_a_foreign_host_is_refused() -> None:
    async with realtime() as place:
        url = httpx.URL(place.at(TRANSLATION, model="asr"))
        foreign = str(url.copy_with(host="evil.example"))
        status, _, error = await refusal(foreign, host="127.0.0.1", port=url.port)
        assert (status, error["code"]) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    ("path", "query", "status", "param"),
    [
        (TRANSLATION, {}, 400, "model"),
        (TRANSLATION, {"model": "nobody"}, 404, "model"),
        (TRANSLATION, {"model": "nmt"}, 404, "model"),
        (TRANSLATION, {"model": "asr", "delay": "soon"}, 400, "session.audio.input.delay"),
        (TRANSLATION, {"model": "asr", "text_only": "maybe"}, 400, "text_only"),
        (TRANSLATION, {"model": "asr", "to": "xx"}, 422, None),
        (TRANSLATION, {"model": "asr", "name": "a b"}, 400, "session.dragoman.name"),
        (TRANSLATION, {"model": "asr", "glossary": "mine"}, 422, "session.glossary"),
        (TRANSLATION, {"follow": "nobody"}, 404, None),
        (TRANSCRIPTION, {}, 400, "intent"),
        (TRANSCRIPTION, {"model": "asr"}, 400, "intent"),
        (TRANSCRIPTION, {"intent": "conversation"}, 400, "intent"),
        (TRANSCRIPTION, {"intent": "transcription", "model": "nobody"}, 404, "model"),
        ("v1/realtime/nothing", {}, 404, None),
        ("v1/models", {}, 404, None),
    ],
    ids=[
        *("no model", "unknown model", "another kind", "delay", "flag", "pair", "name"),
        *("glossary", "nobody to follow", "no intent", "model without intent"),
        *("a conversation", "unknown recogniser", "no path", "a path of HTTP"),
    ],
)
async def test_what_cannot_be_is_refused_before_it_opens(
    path: str, query: dict[str, str], status: int, param: str | None
) -> None:
    async with realtime() as place:
        got, _, error = await refusal(place.at(path, **query))
        assert got == status
        assert param in (None, error["param"])
        assert len(place.sessions) == 0


@pytest.mark.parametrize("path", [TRANSLATION, TRANSCRIPTION])
async def test_a_plain_request_is_told_to_upgrade(path: str) -> None:
    async with realtime() as place, httpx.AsyncClient(base_url=place.url) as http:
        answer = await http.get(path)
        assert answer.status_code == 426
        assert answer.headers["upgrade"] == "websocket"
        assert "WebSocket" in answer.json()["error"]["message"]


async def test_unknown_parameters_are_ignored() -> None:
    query = {"model": "asr", "api-version": "1", "x": ""}
    async with realtime() as place, talking(place.at(TRANSLATION, **query)) as talk:
        assert (await talk.next())["type"] == "session.created"


async def test_a_request_id_is_answered() -> None:
    named = {"additional_headers": {"x-request-id": "mine"}}
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr"), **named) as talk:
        assert talk.socket.response is not None
        assert talk.socket.response.headers["x-request-id"] == "mine"


async def test_beyond_the_most_sessions_the_handshake_is_503() -> None:
    async with (
        realtime(limits=Live(max_sessions=1)) as place,
        talking(place.at(TRANSLATION, model="asr")),
    ):
        status, headers, error = await refusal(place.at(TRANSLATION, model="asr"))
        assert (status, error["code"]) == (503, "overloaded")
        assert int(headers["retry-after"]) >= 1


async def test_a_closed_session_makes_room_for_another() -> None:
    async with realtime(limits=Live(max_sessions=1)) as place:
        for _ in range(3):
            async with talking(place.at(TRANSLATION, model="asr")) as talk:
                await talk.send("session.close")
                assert types_of(await talk.rest())[-1] == "session.closed"


async def test_a_draining_server_takes_none() -> None:
    async with realtime() as place:
        place.admission.draining = True
        status, headers, error = await refusal(place.at(TRANSLATION, model="asr"))
        assert (status, error["code"]) == (503, "draining")
        assert headers["retry-after"]


async def test_a_key_has_no_more_sessions_than_it_may() -> None:
    async with realtime(keyed(max_concurrent_per_ingress=1)) as place:
        at = place.at(TRANSLATION, model="asr")
        async with talking(at, additional_headers=bearer(KEY)):
            status, headers, error = await refusal(at, additional_headers=bearer(KEY))
            assert (status, error["code"]) == (429, "too_many_running")
            assert headers["retry-after"]


async def listed(place: Place, config: AppConfig) -> str:
    async with httpx.AsyncClient(base_url=place.url, headers=bearer(METRICS_KEY)) as http:
        return (await http.get("metrics")).text


async def test_audio_counts_for_the_key() -> None:
    config = keyed()
    async with realtime(config) as place:
        at = place.at(TRANSLATION, model="asr", to="pt")
        async with talking(at, additional_headers=bearer(KEY)) as talk:
            await talk.append(silence(1.5))
            await talk.send("session.close")
            await talk.rest()
        lines = (await listed(place, config)).splitlines()
        assert 'dragoman_key_audio_seconds_total{key="ann"} 1.5' in lines


async def test_a_key_whose_audio_is_used_up_is_told_and_loses_nothing() -> None:
    config = keyed(quotas=Quotas(audio_s_per_day_per_ingress=1.0))
    async with realtime(config) as place:
        at = place.at(TRANSLATION, model="asr", to="pt", text_only="true")
        async with talking(at, additional_headers=bearer(KEY)) as talk:
            await talk.append(speech(1.0))
            await talk.append(speech(1.0))
            events = await talk.rest()
            assert types_of(events)[-3:] == [
                "session.output_transcript.delta",
                "error",
                "session.closed",
            ]
            assert events[-2]["error"]["code"] == "insufficient_quota"
            assert events[-3]["delta"] == "<en>pt:w0 w1 w2 w3"
            assert talk.socket.close_code == 1008
