"""Plans: what a request resolves once, and keeps whatever is unloaded while it runs."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import pytest

from deployments.catalogue.selection import Fleet
from deployments.config.schema import ModelConfig
from deployments.graph.plan import Planner, TranscribeOptions, TranslateOptions
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.errors import Unavailable, UnknownLanguage, Unprocessable, UnsupportedPair
from models.types import SOURCE_VOICE
from tests.support.bad_input import TRANSLATE, form, wav
from tests.support.fakes import FAKE_NMT
from tests.support.local import fake_config, fake_fleet, fake_remotes

SPEECH = wav(np.full(16_000, 700, np.int16))
TO_PORTUGUESE = TranslateOptions("pt")


async def two_translators() -> Fleet:
    """A fleet of which either translation model does what the other does."""
    config = fake_config()
    config.models["other"] = ModelConfig(engine=FAKE_NMT)
    return await fake_fleet(config)


# ---- what is kept ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields", [{}, {"source_language": "en"}], ids=["a language heard", "a language named"]
)
async def test_a_translation_is_kept_whose_model_is_unloaded_while_it_is_spoken(
    fields: dict[str, str],
) -> None:
    config, speaking = fake_config(), asyncio.Event()
    remotes = fake_remotes(config)
    remotes["tts"].hold_all(speaking)
    fleet = await fake_fleet(config, remotes)
    transport = httpx.ASGITransport(asgi_app(fleet, config, Admission(64)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        asked = asyncio.create_task(http.post(TRANSLATE, **form(SPEECH, **fields)))
        async with asyncio.timeout(10):
            while not fleet.pick("tts").batcher.in_flight:
                await asyncio.sleep(0.001)
        await fleet.directory.unload("nmt")
        speaking.set()
        answer = await asked
    assert answer.status_code == 200, answer.text
    assert answer.json()["translation"]["text"].startswith("pt: There are 16000 samples.")


async def test_a_plan_keeps_its_routes_when_a_model_is_unloaded() -> None:
    fleet = await fake_fleet(fake_config())
    translating = Planner(fleet).speech_translation(TO_PORTUGUESE).translating
    await fleet.directory.unload("nmt")
    assert translating.route_from("en") is not None


async def test_a_plan_made_later_has_other_routes() -> None:
    fleet = await two_translators()
    planner = Planner(fleet)
    before = planner.text_translation("en", "pt")
    await fleet.directory.unload("nmt")
    after = planner.text_translation("en", "pt")
    assert [route.models[0].name for route in (before, after)] == ["nmt", "other"]


async def test_routes_are_made_once_for_the_models_there_are() -> None:
    fleet = await two_translators()
    first, again = fleet.routes(), fleet.routes()
    await fleet.directory.unload("other")
    assert first is again
    assert fleet.routes() is not first


# ---- languages that are heard ----------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "language", "hops"),
    [
        pytest.param("pt", "en", [("en", "pt")], id="direct"),
        pytest.param("fr", "pt", [("pt", "en"), ("en", "fr")], id="through English"),
        pytest.param("pt", "fr", None, id="nothing translates it"),
        pytest.param("pt", "pt", None, id="the target itself"),
    ],
)
async def test_the_route_of_a_language_that_is_heard(
    target: str, language: str, hops: list[tuple[str, str]] | None
) -> None:
    options = TranslateOptions(target, speak=False)
    plan = Planner(await fake_fleet(fake_config())).speech_translation(options)
    route = plan.translating.route_from(language)
    assert (route and [(hop.source, hop.target) for hop in route.hops]) == hops


async def test_speech_may_be_in_any_language_that_is_translated() -> None:
    plan = Planner(await fake_fleet(fake_config())).speech_translation(TO_PORTUGUESE)
    assert plan.hearing.options.languages == ("pt", "en")


async def test_what_an_unloaded_model_might_translate_is_not_passed_on() -> None:
    fleet = await two_translators()
    await fleet.directory.unload("other")
    translating = Planner(fleet).speech_translation(TO_PORTUGUESE).translating
    with pytest.raises(Unavailable, match="'other' is unloaded"):
        translating.route_from("fr")


async def test_a_model_that_is_unloaded_is_not_needed_where_another_translates() -> None:
    fleet = await two_translators()
    await fleet.directory.unload("other")
    translating = Planner(fleet).speech_translation(TO_PORTUGUESE).translating
    assert [translating.route_from(code) is None for code in ("en", "pt")] == [False, True]


# ---- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param(TranslateOptions("pt", "fr"), UnsupportedPair, id="no such pair"),
        pytest.param(TranslateOptions("xx"), UnknownLanguage, id="an unknown target"),
        pytest.param(TranslateOptions("pt", "xx"), UnknownLanguage, id="an unknown source"),
        pytest.param(TranslateOptions("fr", "en"), Unprocessable, id="no voice of the language"),
        pytest.param(
            TranslateOptions("fr", "en", SOURCE_VOICE), Unprocessable, id="a voice nobody clones"
        ),
    ],
)
async def test_what_is_impossible_has_no_plan(
    options: TranslateOptions, error: type[Exception]
) -> None:
    planner = Planner(await fake_fleet(fake_config()))
    with pytest.raises(error):
        planner.speech_translation(options)


@pytest.mark.parametrize("kind", ["vad", "asr", "nmt", "tts", "speaker"])
async def test_a_plan_needs_all_its_models(kind: str) -> None:
    fleet = await fake_fleet(fake_config())
    await fleet.directory.unload(kind)
    with pytest.raises(Unavailable, match=f"'{kind}' is unloaded"):
        Planner(fleet).speech_translation(TranslateOptions("pt", embed=True))


async def test_a_likeness_that_nobody_can_tell_refuses_no_plan() -> None:
    fleet = await fake_fleet(fake_config())
    await fleet.directory.unload("speaker")
    plan = Planner(fleet).speech_translation(TranslateOptions("pt", voice=SOURCE_VOICE))
    assert plan.likeness is None


async def test_an_unknown_language_is_refused_by_the_name_of_its_field() -> None:
    planner = Planner(await fake_fleet(fake_config()))
    with pytest.raises(UnknownLanguage) as refused:
        planner.transcription(TranscribeOptions("xx"), param="source_language")
    assert refused.value.param == "source_language"
