"""A glossary of a live session: in the handshake, in updates, and refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from models.text.glossary import Entry, Glossary
from tests.support.realtime import TRANSCRIPTION, TRANSLATION, Place, realtime, talking

TERM = {"term": "deed", "language": "en", "translations": {"pt": "escritura"}}
OWN = {"name": "legal", "terms": [TERM]}
GLOSSARY = Glossary([Entry("deed", "en", (("pt", "escritura"),))])
QUERIES = {
    TRANSLATION: {"model": "asr", "to": "pt"},
    TRANSCRIPTION: {"intent": "transcription"},
}


def used(place: Place) -> Glossary | None:
    (session,) = place.sessions
    return session.options.glossary


@pytest.mark.parametrize("path", QUERIES, ids=["translation", "transcription"])
async def test_a_session_takes_one_and_lets_go_of_it(path: str) -> None:
    async with realtime() as place, talking(place.at(path, **QUERIES[path])) as talk:
        await talk.next()
        await talk.send("session.update", session={"glossary": OWN})
        shown = (await talk.next())["session"]
        assert (shown["glossary"], used(place)) == ({"name": "legal"}, GLOSSARY)
        await talk.send("session.update", session={"glossary": None})
        assert "glossary" not in (await talk.next())["session"]
        assert used(place) is None


async def test_an_update_of_other_things_keeps_it() -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr", to="pt")) as talk:
        await talk.next()
        for session in ({"glossary": OWN}, {"audio": {"output": {"text_only": True}}}):
            await talk.send("session.update", session=session)
            await talk.next()
        assert used(place) == GLOSSARY


@pytest.mark.parametrize(
    ("glossary", "code", "param"),
    [
        ("gloss_0", "nothing_kept", "session.glossary"),
        ({"terms": [{**TERM, "term": ""}]}, "invalid_value", "session.glossary.terms.0.term"),
        (7, "invalid_value", "session.glossary"),
    ],
    ids=["kept nowhere", "a wrong term", "a number"],
)
async def test_a_wrong_one_changes_nothing(glossary: Any, code: str, param: str) -> None:
    async with realtime() as place, talking(place.at(TRANSLATION, model="asr", to="pt")) as talk:
        await talk.next()
        await talk.send("session.update", session={"glossary": OWN})
        await talk.next()
        await talk.send("session.update", session={"glossary": glossary})
        error = (await talk.next())["error"]
        assert (error["code"], error["param"]) == (code, param)
        assert used(place) == GLOSSARY
