"""Following a named session: by its key, by a token, and from another ingress process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from deployments.config.schema import AppConfig
from deployments.config.security import Key, Security
from deployments.http.realtime.relay import Answer, Ask, Elsewhere, Relays
from deployments.security.keys import new_key
from tests.support.local import fake_config
from tests.support.realtime import (
    TRANSLATION,
    Place,
    Talk,
    realtime,
    silence,
    speech,
    talking,
    text_of,
    types_of,
)
from tests.support.sockets import until
from tests.unit.http.realtime.test_handshake import bearer, refusal

ANN, ANN_HASH = new_key()
BOB, BOB_HASH = new_key()
SAID, HEARD = "session.output_transcript.delta", "session.input_transcript.delta"
AUDIO = "session.output_audio.delta"
TALK = {"model": "asr", "to": "es", "text_only": "true", "name": "talk"}


def keyed() -> AppConfig:
    keys = (
        Key(name="ann", hash=ANN_HASH, scopes=("infer",)),
        Key(name="bob", hash=BOB_HASH, scopes=("infer",)),
    )
    return fake_config().model_copy(update={"security": Security(keys=keys)})


async def nobody(session: str) -> Sequence[bool]:
    """End a session in no process."""
    return []


@asynccontextmanager
async def two_places(**settings: Any) -> AsyncIterator[tuple[Place, Place]]:
    """Two ingress processes, which ask each other as Ray would have them."""
    relays: list[Relays] = []

    async def ask(question: Ask) -> Sequence[Answer]:
        return await asyncio.gather(*(relay.answer(question) for relay in relays))

    async def find(session: str, owner: str) -> Sequence[str | None]:
        return [relay.find(session, owner) for relay in relays]

    ways = Elsewhere(ask, find, nobody)
    async with (
        realtime(elsewhere=ways, **settings) as one,
        realtime(elsewhere=ways, **settings) as other,
    ):
        relays += [Relays(one.sessions), Relays(other.sessions)]
        yield one, other


async def speak(talk: Talk) -> None:
    await talk.append(speech(1.0))
    await talk.append(silence(0.6))
    await talk.send("session.close")
    await talk.rest()


async def created(url: str, **query: str) -> dict[str, Any]:
    async with talking(url) as talk:
        return await talk.next()


async def test_a_follower_reads_in_a_language_of_its_own() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, **TALK)) as talk:
        await talk.next()
        async with talking(place.at(TRANSLATION, follow="talk", language="pt")) as follower:
            assert (await follower.next())["type"] == "session.created"
            await speak(talk)
            events = await follower.rest()
            assert text_of(events, SAID) == "<en>pt:w0 w1 w2 w3"
            assert text_of(events, HEARD) == "w0 w1 w2 w3"
            assert AUDIO in types_of(events)
            assert types_of(events)[-1] == "session.closed"
            assert follower.socket.close_code == 1000


async def test_a_follower_sends_nothing() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, **TALK)) as talk:
        await talk.next()
        async with talking(place.at(TRANSLATION, follow="talk", language="pt")) as follower:
            await follower.next()
            await follower.append(speech(0.5))
            error = (await follower.next())["error"]
            assert error["param"] == "type"
            await follower.send("session.close")
            assert types_of(await follower.rest()) == ["session.closed"]
        (session,) = place.sessions
        assert session.heard_s == 0
        assert len(session.listeners) == 1


async def test_a_follower_that_leaves_is_forgotten() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, **TALK)) as talk:
        await talk.next()
        (session,) = place.sessions
        async with talking(place.at(TRANSLATION, follow="talk", language="pt")) as follower:
            await follower.next()
            assert len(session.listeners) == 2
            follower.socket.transport.abort()
            await until(lambda: len(session.listeners) == 1)


async def test_a_session_is_named_by_an_update_too() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        await talk.send("session.update", session={"dragoman": {"name": "late"}})
        changed = (await talk.until("session.updated"))[-1]
        assert changed["session"]["dragoman"]["name"] == "late"
        event = await created(place.at(TRANSLATION, follow="late", language="pt"))
        assert event["session"]["dragoman"] == {"follows": "late"}


async def test_a_name_is_one_sessions_alone() -> None:
    async with two_places() as (one, other), talking(one.at(TRANSLATION, **TALK)) as talk:
        await talk.next()
        for place in (one, other):
            status, _, error = await refusal(place.at(TRANSLATION, **TALK))
            assert (status, error["code"]) == (409, "session_name_taken")


async def renamed(talk: Talk, **output: Any) -> dict[str, Any]:
    changes = {"dragoman": {"name": "talk"}, "audio": {"output": output}}
    await talk.send("session.update", session=changes)
    return await talk.next()


async def test_an_update_whose_name_is_taken_touches_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSLATION, **TALK)) as talk,
        talking(place.at(TRANSLATION, model="asr", to="es")) as other,
    ):
        await talk.next()
        await other.next()
        session = next(each for each in place.sessions if each.name is None)
        updates: list[Any] = []
        monkeypatch.setattr(session, "update", updates.append)
        answer = await renamed(other, language="pt")
        assert answer["error"]["code"] == "session_name_taken"
        assert (updates, session.name) == ([], None)


async def test_a_name_goes_with_an_update_that_is_refused() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr", to="es")) as talk:
        await talk.next()
        assert (await renamed(talk, language="de"))["type"] == "error"
        (session,) = place.sessions
        assert session.name is None


async def test_a_name_of_another_process_is_taken_too() -> None:
    async with (
        two_places() as (one, other),
        talking(one.at(TRANSLATION, **TALK)) as talk,
        talking(other.at(TRANSLATION, model="asr", to="es")) as late,
    ):
        await talk.next()
        await late.next()
        assert (await renamed(late))["error"]["code"] == "session_name_taken"
        (session,) = other.sessions
        assert session.name is None


async def test_of_two_that_take_a_name_at_once_on_two_processes_not_both_get_it() -> None:
    async with two_places() as places:
        outcomes = await asyncio.gather(
            *(created(place.at(TRANSLATION, **TALK)) for place in places for _ in range(4)),
            return_exceptions=True,
        )
        named = [each for each in outcomes if not isinstance(each, BaseException)]
        assert len(named) <= 1


async def lines(http: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    async with http.stream("GET", "v1/realtime/follow", params=query) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [
            json.loads(line.removeprefix("data: "))
            async for line in answer.aiter_lines()
            if line.startswith("data: ")
        ]


async def test_text_is_followed_as_server_sent_events() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSLATION, **TALK)) as talk,
        httpx.AsyncClient(base_url=place.url) as http,
    ):
        await talk.next()
        reading = asyncio.create_task(lines(http, name="talk", language="pt"))
        (session,) = place.sessions
        await until(lambda: len(session.listeners) == 2)
        await speak(talk)
        events = await reading
        kinds = types_of(events)
        assert (kinds[0], kinds[-1]) == ("session.created", "session.closed")
        assert text_of(events, SAID) == "<en>pt:w0 w1 w2 w3"
        assert AUDIO not in kinds


async def test_a_listener_of_another_process_is_carried_to_the_session() -> None:
    async with two_places() as (one, other), talking(one.at(TRANSLATION, **TALK)) as talk:
        await talk.next()
        async with talking(other.at(TRANSLATION, follow="talk", language="pt")) as follower:
            await follower.next()
            await speak(talk)
            events = await follower.rest()
            assert text_of(events, SAID) == "<en>pt:w0 w1 w2 w3"
            assert AUDIO in types_of(events)
            assert follower.socket.close_code == 1000
        assert len(other.sessions) == 0


async def test_text_is_carried_too() -> None:
    async with (
        two_places() as (one, other),
        talking(one.at(TRANSLATION, **TALK)) as talk,
        httpx.AsyncClient(base_url=other.url) as http,
    ):
        await talk.next()
        reading = asyncio.create_task(lines(http, name="talk", language="pt"))
        (session,) = one.sessions
        await until(lambda: len(session.listeners) == 2)
        await speak(talk)
        assert text_of(await reading, SAID) == "<en>pt:w0 w1 w2 w3"


async def test_what_another_process_refuses_is_refused_in_the_handshake() -> None:
    async with two_places() as (one, other), talking(one.at(TRANSLATION, **TALK)) as talk:
        await talk.next()
        status, _, error = await refusal(other.at(TRANSLATION, follow="talk", language="xx"))
        assert (status, error["code"]) == (422, "unsupported_language_pair")


async def test_a_session_whose_process_is_gone_breaks_off() -> None:
    relays: list[Relays] = []

    async def ask(question: Ask) -> Sequence[Answer]:
        return [await relay.answer(question) for relay in relays]

    async def find(session: str, owner: str) -> Sequence[str | None]:
        return []

    async with realtime() as one, realtime(elsewhere=Elsewhere(ask, find, nobody)) as other:
        relays.append(Relays(one.sessions))
        async with (
            talking(one.at(TRANSLATION, **TALK)) as talk,
            talking(other.at(TRANSLATION, follow="talk", language="pt")) as follower,
        ):
            await talk.next()
            await follower.next()
            relays.clear()
            await talk.append(speech(0.5))
            await follower.rest()
            assert follower.socket.close_code == 1013


async def token(place: Place, key: str, name: str = "talk") -> httpx.Response:
    async with httpx.AsyncClient(base_url=place.url, headers=bearer(key)) as http:
        return await http.post("v1/realtime/listen_tokens", json={"name": name})


async def test_a_key_follows_its_own_sessions_alone() -> None:
    async with (
        realtime(keyed()) as place,
        talking(place.at(TRANSLATION, **TALK), additional_headers=bearer(ANN)) as talk,
    ):
        await talk.next()
        at = place.at(TRANSLATION, follow="talk", language="pt")
        async with talking(at, additional_headers=bearer(ANN)) as follower:
            assert (await follower.next())["type"] == "session.created"
        status, _, error = await refusal(at, additional_headers=bearer(BOB))
        assert (status, error["code"]) == (404, "session_not_found")
        assert (await token(place, BOB)).status_code == 404


async def test_a_token_follows_one_session_and_opens_nothing_else() -> None:
    async with (
        realtime(keyed()) as place,
        talking(place.at(TRANSLATION, **TALK), additional_headers=bearer(ANN)) as talk,
    ):
        await talk.next()
        value = (await token(place, ANN)).json()["value"]
        assert value.startswith("lt_")
        offered = ["realtime", f"openai-insecure-api-key.{value}"]
        at = place.at(TRANSLATION, follow="talk", language="pt")
        async with talking(at, subprotocols=offered) as follower:
            assert (await follower.next())["type"] == "session.created"
        for path, query in (
            (TRANSLATION, {"follow": "other", "language": "pt"}),
            (TRANSLATION, {"model": "asr"}),
            ("v1/realtime", {"intent": "transcription"}),
        ):
            status, _, error = await refusal(place.at(path, **query), subprotocols=offered)
            assert (status, error["code"]) == (403, "insufficient_scope")
        async with httpx.AsyncClient(base_url=place.url, headers=bearer(value)) as http:
            again = await http.post("v1/realtime/listen_tokens", json={"name": "talk"})
            assert again.status_code == 403
            assert (await http.get("v1/models")).status_code == 401


async def test_a_token_ends_with_its_session() -> None:
    async with realtime(keyed()) as place:
        headers = {"additional_headers": bearer(ANN)}
        async with talking(place.at(TRANSLATION, **TALK), **headers) as talk:
            await talk.next()
            value = (await token(place, ANN)).json()["value"]
            await talk.send("session.close")
            await talk.rest()
        async with talking(place.at(TRANSLATION, **TALK), **headers) as talk:
            await talk.next()
            at = place.at(TRANSLATION, follow="talk", language="pt")
            status, _, _ = await refusal(at, additional_headers=bearer(value))
            assert status == 404


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "a b"}, {"name": 5}])
async def test_a_token_needs_a_name(body: dict[str, Any]) -> None:
    async with realtime() as place, httpx.AsyncClient(base_url=place.url) as http:
        answer = await http.post("v1/realtime/listen_tokens", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "name"
