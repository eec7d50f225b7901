"""What a client sends wrong: one error each, which names the field, and the session lives."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from deployments.http.realtime.channel import MAX_EVENT_BYTES, MAX_PARTS
from tests.support.realtime import TRANSCRIPTION, TRANSLATION, Talk, realtime, speech, talking

APPEND = "session.input_audio_buffer.append"
ODD = base64.b64encode(b"abc").decode()
RATE = "session.audio.input.format.rate"
LOGPROBS = ["item.input_audio_transcription.logprobs"]


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


def given(**fields: Any) -> dict[str, Any]:
    return update(audio={"input": fields})


TRANSCRIPTION_EVENTS = {
    "wrong rate": (given(format={"type": "audio/pcm", "rate": 16_000}), RATE),
    "unknown format": (given(format={"type": "audio/opus"}), "session.audio.input.format.type"),
    "unknown field": (update(voice="alloy"), "session.voice"),
    "wrong session type": (update(type="realtime"), "session.type"),
    "no session": ({"type": "session.update"}, "session"),
    "session is a list": ({"type": "session.update", "session": []}, "session"),
    "logprobs": (update(include=LOGPROBS), "session.include"),
    "unknown model": (given(transcription={"model": "nobody"}), "model"),
    "wrong delay": (
        given(transcription={"delay": "soon"}),
        "session.audio.input.transcription.delay",
    ),
    "threshold is text": (
        given(turn_detection={"type": "server_vad", "threshold": "0.5"}),
        "session.audio.input.turn_detection.threshold",
    ),
    "unknown turn detection": (
        given(turn_detection={"type": "magic"}),
        "session.audio.input.turn_detection.type",
    ),
    "a conversation's event": ({"type": "response.create"}, "type"),
    "append without audio": ({"type": "input_audio_buffer.append"}, "audio"),
}
TRANSLATION_EVENTS = {
    "odd bytes": ({"type": APPEND, "audio": ODD}, "audio"),
    "no base64": ({"type": APPEND, "audio": "%%%"}, "audio"),
    "base64 of a URL": ({"type": APPEND, "audio": "__--"}, "audio"),
    "audio is a list": ({"type": APPEND, "audio": [0]}, "audio"),
    "unknown event": ({"type": "session.pause"}, "type"),
    "a transcription's event": ({"type": "input_audio_buffer.commit"}, "type"),
    "type is a number": ({"type": 7}, "type"),
    "unknown language": (
        update(audio={"output": {"language": "tlh"}}),
        "session.audio.output.language",
    ),
    "unknown voice": (
        update(audio={"output": {"language": "pt", "voice": "mute"}}),
        "session.audio.output.voice",
    ),
    "too many languages": (
        update(audio={"output": {"languages": [f"{c}{d}" for c in "abc" for d in "xyz"]}}),
        None,
    ),
    "a glossary": (update(glossary={"a": "b"}), "session.glossary.terms"),
    "another model": (update(model="other"), "session.model"),
    "a name that is none": (update(dragoman={"name": "a b"}), "session.dragoman.name"),
}


async def still_lives(talk: Talk) -> bool:
    await talk.send("session.update", session={})
    return bool((await talk.next())["type"] == "session.updated")


@pytest.mark.parametrize(
    ("event", "param"), TRANSCRIPTION_EVENTS.values(), ids=TRANSCRIPTION_EVENTS.keys()
)
async def test_a_transcription_answers_with_one_error(
    event: dict[str, Any], param: str | None
) -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await talk.next()
        await talk.socket.send(json.dumps({**event, "event_id": "e1"}))
        error = (await talk.next())["error"]
        assert (error["event_id"], error["type"]) == ("e1", "invalid_request_error")
        assert error["param"] == param
        assert await still_lives(talk)


@pytest.mark.parametrize(
    ("event", "param"), TRANSLATION_EVENTS.values(), ids=TRANSLATION_EVENTS.keys()
)
async def test_a_translation_answers_with_one_error(
    event: dict[str, Any], param: str | None
) -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr", to="pt")) as talk:
        await talk.next()
        await talk.socket.send(json.dumps({**event, "event_id": "e1"}))
        error = (await talk.next())["error"]
        assert (error["event_id"], error["type"]) == ("e1", "invalid_request_error")
        assert param in (None, error["param"])
        assert await still_lives(talk)


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x01",
        "no json",
        "[]",
        "null",
        '"text"',
        "[" * 5_000,
        '{"type": "session.update", "event_id": 5}',
        json.dumps({"type": "x", "event_id": "e" * 600}),
        "[" + "0," * MAX_PARTS + "0]",
        "1" * 5_000,
        '{"type":',
        "",
    ],
    ids=[
        *("binary", "text", "list", "null", "string", "depth", "numbered id", "long id"),
        *("many parts", "long number", "half", "empty"),
    ],
)
async def test_what_is_no_event_is_one_error_without_an_id(frame: str | bytes) -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr", to="pt")) as talk:
        await talk.next()
        await talk.socket.send(frame)
        assert (await talk.next())["error"]["event_id"] is None
        assert await still_lives(talk)


async def test_an_event_over_the_bound_is_one_error() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr", to="pt")) as talk:
        await talk.next()
        await talk.send(APPEND, event_id="e1", audio="A" * MAX_EVENT_BYTES)
        error = (await talk.next())["error"]
        assert error["event_id"] == "e1"
        assert str(MAX_EVENT_BYTES) in error["message"]
        assert await still_lives(talk)


async def test_audio_before_a_language_is_refused() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        await talk.next()
        await talk.append(speech(0.2))
        assert (await talk.next())["error"]["param"] == "session.audio.output.language"
        assert await still_lives(talk)


async def test_audio_after_the_close_is_refused() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr", to="pt")) as talk:
        (session,) = place.sessions
        session._models.gate.clear()  # type: ignore[attr-defined]
        await talk.append(speech(0.5))
        await talk.send("session.close")
        await talk.send(APPEND, event_id="late", audio="AAAA")
        error = (await talk.until("error"))[-1]["error"]
        session._models.gate.set()  # type: ignore[attr-defined]
        assert error["event_id"] == "late"
        assert (await talk.rest())[-1]["type"] == "session.closed"


async def test_a_wrong_update_changes_nothing() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        wrong = {"audio": {"output": {"language": "pt", "text_only": "perhaps"}}}
        await talk.send("session.update", session=wrong)
        await talk.send("session.update", session={})
        changed = (await talk.until("session.updated"))[-1]
        assert changed["session"]["audio"]["output"]["language"] is None
