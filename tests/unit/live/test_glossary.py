"""A glossary in a live session: in its prompts, its translations and its speech."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deployments.catalogue.selection import Fleet
from deployments.config.schema import ModelConfig
from deployments.live.demand import Demand
from deployments.live.models import Begun
from deployments.live.options import LiveOptions
from models.text.glossary import Entry, Glossary
from models.types import AsrItem, Transcript
from tests.support.fakes import TERMED_NMT
from tests.support.hearing_stage import Stage
from tests.support.local import fake_config, fake_fleet
from tests.support.spoken_levels import silence, spoken, words, written
from tests.unit.live.test_graph_models import door

DEED = Entry("deed", "en", (("pt", "escritura"),))
NAME = Entry("Kestrelle", "en", (("pt", "Kestrelle"),), (("pt", "questréle"),))
TO_PT = LiveOptions(targets=("pt",), speaks=True, glossary=Glossary([DEED, NAME]))


def with_castrel(item: AsrItem) -> Transcript:
    """Hear "castrel" behind each text, unless the prompt tells the name."""
    heard = written(item)
    if item.task == "detect" or not heard.segments:
        return heard
    (segment,) = heard.segments
    assert segment.words is not None
    said = "Kestrelle" if "Kestrelle" in (item.prompt or "") else "castrel"
    renamed = tuple(replace(w, text=w.text.replace("w9", said)) for w in segment.words)
    text = "".join(word.text for word in renamed)[len(item.prefix or "") :]
    return replace(heard, text=text, segments=(replace(segment, text=text, words=renamed),))


@pytest.fixture
async def fleet() -> Fleet:
    config = fake_config()
    models = {**config.models, "nmt": ModelConfig(engine=TERMED_NMT)}
    return await fake_fleet(config.model_copy(update={"models": models}))


async def test_what_sounds_like_a_term_is_asked_for_with_it() -> None:
    stage = Stage(LiveOptions(prompt="A talk", glossary=TO_PT.glossary))
    stage.models.writes = with_castrel
    await stage.say(silence(1), spoken(1, 2, 9, 4, 5, 6), silence(1.5))
    assert stage.texts() == [words(1, 2, 9, 4, 5, 6).replace("w9", "Kestrelle")]
    prompts = {item.prompt for item in stage.models.asked}
    assert prompts <= {None, "A talk", "Kestrelle. A talk"}
    assert "Kestrelle. A talk" in prompts


async def test_a_recogniser_without_prompts_is_told_no_terms() -> None:
    stage = Stage(LiveOptions(glossary=TO_PT.glossary))
    stage.models.writes = with_castrel
    stage.models.takes_prefix = stage.models.takes_prompt = False
    await stage.say(silence(1), spoken(1, 2, 9, 4, 5, 6), silence(1.5))
    assert {item.prompt for item in stage.models.asked} == {None}


async def test_speech_without_terms_is_asked_for_as_ever() -> None:
    told, plain = Stage(LiveOptions(glossary=TO_PT.glossary)), Stage()
    for stage in (told, plain):
        await stage.say(silence(1), spoken(1, 2, 3, 4, 5, 6), silence(1.5))
    assert [item.prompt for item in told.models.asked] == [None] * len(plain.models.asked)
    assert told.texts() == plain.texts()


async def test_a_clause_is_translated_with_its_terms(fleet: Fleet) -> None:
    models = door(fleet, TO_PT)
    assert (
        await models.translate("Here is the deed for you.", "en", "pt")
    ).text == "pt: Here is the escritura for you."
    begun = Begun("Here is", "pt: Here is")
    assert (
        await models.translate("the deed of our house.", "en", "pt", begun)
    ).text == "pt: the escritura of our house."
    models.close()


async def test_a_session_without_it_is_translated_without(fleet: Fleet) -> None:
    with_terms, without = door(fleet, TO_PT), door(fleet, replace(TO_PT, glossary=None))
    assert (
        await with_terms.translate("Here is the deed for you.", "en", "pt")
    ).text == "pt: Here is the escritura for you."
    assert (
        await without.translate("Here is the deed for you.", "en", "pt")
    ).text == "pt: Here is the deed for you."
    with_terms.close()
    without.close()


async def test_a_clause_is_spoken_as_it_sounds(fleet: Fleet) -> None:
    models = door(fleet, TO_PT)
    told = await models.speak("A Kestrelle.", "pt", None, 1.0, None)
    spelt = await models.speak("A questréle.", "pt", None, 1.0, None)
    assert told.samples.tolist() == spelt.samples.tolist()
    models.close()


def test_it_asks_no_more_of_the_models() -> None:
    assert Demand.of(TO_PT) == Demand.of(replace(TO_PT, glossary=None))


def test_another_glossary_is_a_change() -> None:
    assert replace(TO_PT, glossary=Glossary([DEED])) != TO_PT
