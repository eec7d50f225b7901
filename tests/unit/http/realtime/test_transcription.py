"""Transcription sessions on the wire: turns, commits, formats, and how stock clients end them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from tests.support.realtime import (
    TRANSCRIPTION,
    Talk,
    realtime,
    silence,
    speech,
    talking,
    text_of,
    types_of,
)

ITEM = "conversation.item"
DELTA = f"{ITEM}.input_audio_transcription.delta"
COMPLETED = f"{ITEM}.input_audio_transcription.completed"
BUFFER = "input_audio_buffer"
CALLER_COMMITS = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == kind]


async def append(talk: Talk, *parts: Any) -> None:
    for part in parts:
        await talk.append(part, TRANSCRIPTION)


async def test_with_server_vad_turns_end_by_themselves() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await append(talk, silence(0.5), speech(0.5), silence(0.6))
        events = await talk.until(COMPLETED)
        assert types_of(events) == [
            "session.created",
            f"{BUFFER}.speech_started",
            DELTA,
            DELTA,
            f"{BUFFER}.speech_stopped",
            f"{BUFFER}.committed",
            f"{ITEM}.added",
            f"{ITEM}.done",
            COMPLETED,
        ]
        assert events[1]["audio_start_ms"] == 500
        assert events[4]["audio_end_ms"] == 1500
        items = {e.get("item_id") or e["item"]["id"] for e in events[1:]}
        assert len(items) == 1


async def test_a_completed_turn_has_its_text_language_and_usage() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await append(talk, speech(1.0), silence(0.6))
        events = await talk.until(COMPLETED)
        done = events[-1]
        assert done["transcript"] == text_of(events, DELTA) == "w0 w1 w2 w3"
        assert done["languages"] == [{"code": "en"}]
        assert done["usage"] == {"type": "duration", "seconds": 1.5}
        assert done["content_index"] == 0
        (item,) = (event["item"] for event in of(events, f"{ITEM}.done"))
        assert item["content"] == [{"type": "input_audio", "transcript": None}]
        assert (item["object"], item["role"], item["status"]) == (
            *("realtime.item", "user"),
            "completed",
        )


async def test_each_turn_names_the_one_before() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await append(talk, speech(0.5), silence(0.6), speech(0.5), silence(0.6))
        events = [*(await talk.until(COMPLETED)), *(await talk.until(COMPLETED))]
        first, second = of(events, f"{BUFFER}.committed")
        assert first["previous_item_id"] is None
        assert second["previous_item_id"] == first["item_id"]


async def test_without_turn_detection_the_client_commits() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await talk.send("session.update", session=CALLER_COMMITS)
        await append(talk, speech(0.5), silence(1.0))
        await talk.send(f"{BUFFER}.commit")
        events = await talk.until(COMPLETED)
        kinds = types_of(events)
        assert f"{BUFFER}.speech_started" not in kinds
        assert kinds[-4:] == [f"{BUFFER}.committed", f"{ITEM}.added", f"{ITEM}.done", COMPLETED]
        assert events[1]["session"]["audio"]["input"]["turn_detection"] is None


@pytest.mark.parametrize(
    ("eagerness", "silence_s"), [("high", 0.8), ("auto", 1.2), ("medium", 1.2), ("low", 2.0)]
)
async def test_semantic_vad_waits_longer(eagerness: str, silence_s: float) -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        vad = {"type": "semantic_vad", "eagerness": eagerness}
        await talk.send("session.update", session={"audio": {"input": {"turn_detection": vad}}})
        changed = (await talk.until("session.updated"))[-1]
        assert changed["session"]["audio"]["input"]["turn_detection"] == vad
        (session,) = place.sessions
        assert session.options.turns is not None
        assert session.options.turns.silence_s == silence_s


@pytest.mark.parametrize("sent_s", [0.0, 0.09], ids=["nothing", "under 100 ms"])
async def test_too_little_to_commit_is_an_error_that_clients_forgive(sent_s: float) -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await append(talk, speech(sent_s))
        await talk.send(f"{BUFFER}.commit", event_id="mine")
        error = (await talk.until("error"))[-1]["error"]
        assert error["code"] == "input_audio_buffer_commit_empty"
        assert error["event_id"] == "mine"
        assert error["type"] == "invalid_request_error"


async def test_clear_forgets_what_was_sent() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await talk.send("session.update", session=CALLER_COMMITS)
        await append(talk, speech(0.5))
        await talk.send(f"{BUFFER}.clear")
        await talk.send(f"{BUFFER}.commit", event_id="mine")
        kinds = types_of(await talk.until("error"))
        assert f"{BUFFER}.cleared" in kinds
        assert f"{BUFFER}.committed" not in kinds


async def test_it_ends_as_openai_agents_ends_it() -> None:
    """Commit with an id, then clear; cleared comes, and a completed for each committed."""
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        vad = {"turn_detection": {"type": "semantic_vad"}}
        await talk.send(
            "session.update", session={"type": "transcription", "audio": {"input": vad}}
        )
        await append(talk, speech(0.5))
        await talk.send(f"{BUFFER}.commit", event_id="end")
        await talk.send(f"{BUFFER}.clear", event_id="clear")
        events = await talk.until(f"{BUFFER}.cleared")
        assert len(of(events, f"{BUFFER}.committed")) == len(of(events, COMPLETED)) == 1
        assert of(events, "error") == []


@pytest.mark.parametrize("encoding", ["audio/pcmu", "audio/pcma"])
async def test_g711_is_taken_at_8_khz(encoding: str) -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        given = {"format": {"type": encoding}}
        await talk.send("session.update", session={"audio": {"input": given}})
        loud = np.zeros(8_000, np.uint8) if encoding == "audio/pcmu" else np.full(8_000, 0x2A)
        audio = base64.b64encode(loud.astype(np.uint8).tobytes()).decode()
        await talk.send(f"{BUFFER}.append", audio=audio)
        events = [await talk.next() for _ in range(7)]
        assert text_of(events, DELTA) == "w0 w1 w2 w3"


async def test_options_reach_the_session() -> None:
    how = {
        "language": "pt",
        "languages": ["pt", "en"],
        "prompt": "A talk on bees.",
        "keywords": ["Apis", "queen"],
        "delay": "high",
    }
    vad = {"type": "server_vad", "threshold": 0.7, "prefix_padding_ms": 200}
    vad |= {"silence_duration_ms": 800, "idle_timeout_ms": 5_000}
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        given = {"transcription": how, "turn_detection": vad}
        await talk.send("session.update", session={"audio": {"input": given}})
        await talk.until("session.updated")
        (session,) = place.sessions
        options = session.options
        assert (options.language, options.languages) == ("pt", ("pt", "en"))
        assert options.prompt == "A talk on bees., Apis, queen"
        assert options.delay == "high"
        turns = options.turns
        assert turns is not None
        assert (turns.threshold, turns.prefix_padding_s, turns.silence_s, turns.idle_timeout_s) == (
            *(0.7, 0.2),
            *(0.8, 5.0),
        )


async def test_transcription_null_leaves_the_turns_alone() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await talk.send("session.update", session={"audio": {"input": {"transcription": None}}})
        await append(talk, speech(0.5), silence(0.6))
        kinds = types_of(await talk.until(f"{ITEM}.done"))
        assert DELTA not in kinds
        assert f"{BUFFER}.committed" in kinds


async def test_nobody_speaks_is_told_on_request() -> None:
    vad = {"type": "server_vad", "idle_timeout_ms": 1_000}
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription")) as talk,
    ):
        await talk.send("session.update", session={"audio": {"input": {"turn_detection": vad}}})
        await append(talk, silence(1.5))
        event = (await talk.until(f"{BUFFER}.timeout_triggered"))[-1]
        assert (event["audio_start_ms"], event["audio_end_ms"]) == (0, 1000)
        assert event["item_id"]


async def test_a_client_may_send_before_it_reads() -> None:
    async with (
        realtime() as place,
        talking(place.at(TRANSCRIPTION, intent="transcription", model="asr")) as talk,
    ):
        await append(talk, speech(0.5), silence(0.6))
        assert types_of(await talk.until(COMPLETED))[0] == "session.created"
