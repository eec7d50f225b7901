"""Translation sessions on the wire: their events, in order, with their fields."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from deployments.http.realtime.own_events import OwnEvents
from deployments.http.realtime.translation import Writer
from deployments.live.events import TranslationDelta
from tests.support.realtime import (
    TRANSLATION,
    Talk,
    realtime,
    silence,
    speech,
    talking,
    text_of,
    types_of,
)

TO_PT = {"audio": {"output": {"language": "pt"}, "input": {"transcription": {"model": "asr"}}}}
CREATED, UPDATED, CLOSED = "session.created", "session.updated", "session.closed"
HEARD, SAID = "session.input_transcript.delta", "session.output_transcript.delta"
AUDIO = "session.output_audio.delta"


async def said(talk: Talk, session: dict[str, Any] = TO_PT) -> list[dict[str, Any]]:
    """Everything that a session answers to a second of speech."""
    await talk.send("session.update", session=session)
    await talk.append(speech(1.0))
    await talk.append(silence(0.6))
    await talk.send("session.close")
    return await talk.rest()


async def test_a_session_goes_from_created_to_closed_and_loses_nothing() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        events = await said(talk)
        kinds = types_of(events)
        assert kinds[:2] == [CREATED, UPDATED]
        assert kinds[-1] == CLOSED
        assert set(kinds[2:-1]) == {HEARD, SAID, AUDIO}
        assert kinds.index(SAID) < kinds.index(AUDIO)
        assert text_of(events, HEARD) == "w0 w1 w2 w3"
        assert text_of(events, SAID) == "<en>pt:w0 w1 w2 w3"
        assert talk.socket.close_code == 1000


async def test_a_space_is_between_what_two_turns_say() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        await talk.send("session.update", session=TO_PT)
        for _ in range(2):
            await talk.append(speech(0.5))
            await talk.append(silence(0.6))
        await talk.send("session.close")
        assert text_of(await talk.rest(), HEARD) == "w0 w1 w2 w3"


@pytest.mark.parametrize(
    ("told", "names_language", "expected"),
    [
        ([("pt", "Um."), ("es", "Dos."), ("es", " Tres.")], False, ["Um.", " Dos.", " Tres."]),
        ([("pt", "Um."), ("pt", "Dois.")], False, ["Um.", " Dois."]),
        ([("pt", "Um."), ("zh", "二。")], False, ["Um.", "二。"]),
        ([("pt", "Um."), ("es", "Uno."), ("pt", "Dois.")], True, ["Um.", "Uno.", " Dois."]),
    ],
    ids=["another language", "the same one again", "one without spaces", "two at once"],
)
def test_what_a_reader_puts_together_does_not_run_together(
    told: list[tuple[str, str]], names_language: bool, expected: list[str]
) -> None:
    deltas = []

    class Reader:
        def tell(self, kind: str, /, **fields: Any) -> None:
            deltas.append(fields["delta"])

    own = OwnEvents(Reader(), lambda event: None, is_on=False)
    writer = Writer(Reader(), own, has_input=False, names_language=names_language)
    for target, text in told:
        writer.show(TranslationDelta(target, text, 0.0, 1.0))
    assert deltas == expected


async def test_every_event_has_an_id_of_its_own() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        ids = [event["event_id"] for event in await said(talk)]
        assert len(set(ids)) == len(ids)


async def test_places_are_in_steps_of_200_ms_and_cover_what_they_tell() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        places = [event["elapsed_ms"] for event in await said(talk) if "elapsed_ms" in event]
        assert {place % 200 for place in places} == {0}
        assert places[0] == 400  # of a word from 0 to 250 ms
        assert max(places) == 1000


async def test_speech_is_pcm16_at_24_khz() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        spoken = [event for event in await said(talk) if event["type"] == AUDIO]
        assert {(e["sample_rate"], e["channels"], e["format"]) for e in spoken} == {
            (24_000, 1, "pcm16")
        }
        size = sum(len(base64.b64decode(event["delta"])) for event in spoken)
        assert size / 48_000 == pytest.approx(len("<en>pt:w0 w1 w2 w3") * 0.05, abs=0.01)


async def test_the_session_is_whole_in_its_events() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        created, changed = (await said(talk))[:2]
        assert created["session"]["audio"]["input"]["transcription"] is None
        assert created["session"]["audio"]["output"] == {"language": None}
        assert changed["session"] == {
            **created["session"],
            "audio": {
                "input": {"transcription": {"model": "asr"}, "noise_reduction": None},
                "output": {"language": "pt"},
            },
        }
        assert created["session"]["type"] == "translation"
        assert created["session"]["model"] == "asr"


async def test_nobody_gets_the_transcript_unasked() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        events = await said(talk, {"audio": {"output": {"language": "pt"}}})
        assert HEARD not in types_of(events)


async def test_an_update_changes_only_what_it_has_and_null_switches_off() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        await talk.send("session.update", session=TO_PT)
        await talk.send("session.update", session={"audio": {"output": {"language": "es"}}})
        await talk.send("session.update", session={"audio": {"input": {"transcription": None}}})
        *_, second, third = [await talk.next() for _ in range(4)]
        assert second["session"]["audio"]["input"]["transcription"] == {"model": "asr"}
        assert second["session"]["audio"]["output"]["language"] == "es"
        assert third["session"]["audio"]["input"]["transcription"] is None
        assert third["session"]["audio"]["output"]["language"] == "es"


async def test_text_alone_is_not_spoken() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        events = await said(talk, {"audio": {"output": {"language": "pt", "text_only": True}}})
        assert AUDIO not in types_of(events)
        assert SAID in types_of(events)


async def test_several_languages_name_themselves() -> None:
    output = {"languages": ["pt", "es"], "text_only": True}
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        events = await said(talk, {"audio": {"output": output}})
        told = {e["language"]: e["delta"] for e in events if e["type"] == SAID}
        assert told == {"pt": "<en>pt:w0 w1 w2 w3", "es": "<en>es:w0 w1 w2 w3"}


async def test_all_can_be_asked_in_the_query() -> None:
    query = {"model": "asr", "to": "pt,es", "delay": "low", "text_only": "true", "language": "en"}
    async with realtime() as place, talking(place.at(TRANSLATION, **query)) as talk:
        audio = (await talk.next())["session"]["audio"]
        assert audio["input"]["delay"] == "low"
        assert audio["input"]["language"] == "en"
        assert audio["output"]["languages"] == ["pt", "es"]
        (session,) = place.sessions
        assert session.options.targets == ("pt", "es")
        assert session.options.delay == "low"


async def test_noise_reduction_is_taken_and_said_to_have_no_effect() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        noise = {"noise_reduction": {"type": "near_field"}}
        await talk.send("session.update", session={"audio": {"input": noise}})
        changed = (await talk.until(UPDATED))[-1]["session"]
        assert changed["audio"]["input"]["noise_reduction"] is None
        assert [each["code"] for each in changed["warnings"]] == ["noise_reduction_off"]


async def test_own_events_come_only_after_opting_in() -> None:
    own = {**TO_PT, "dragoman": {"events": True}}
    async with realtime() as place:
        async with talking(place.at(TRANSLATION, model="asr")) as talk:
            asked = await said(talk, own)
        async with talking(place.at(TRANSLATION, model="asr", dragoman_events="true")) as talk:
            in_query = await said(talk)
    for events in (asked, in_query):
        done = next(e for e in events if e["type"] == "session.output_transcript.done")
        assert done["text"] == "<en>pt:w0 w1 w2 w3"
        assert done["source_text"] == "w0 w1 w2 w3"
        assert (done["start_ms"], done["end_ms"]) == (0, 1000)
        assert "session.input_transcript.done" in types_of(events)
        assert "dragoman.lag" in types_of(events)


async def test_a_second_close_is_ignored() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        await talk.send("session.close")
        await talk.send("session.close")
        assert types_of(await talk.rest()) == [CREATED, CLOSED]


async def test_audio_faster_than_real_time_waits_in_the_socket() -> None:
    """While the session is behind, nothing more is read, and all comes in order."""
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr")) as talk:
        (await talk.send("session.update", session=TO_PT))
        await talk.until(UPDATED)
        (session,) = place.sessions
        ear: Any = session._hearing
        ear.room.clear()
        for _ in range(20):
            await talk.append(speech(0.25))
        await talk.send("session.close")
        assert session.heard_s <= 0.5
        ear.room.set()
        events = await talk.rest()
        assert text_of(events, HEARD) == " ".join(f"w{n}" for n in range(20))
        assert events[-1]["type"] == CLOSED
