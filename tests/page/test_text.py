"""The Text tab: two panes, detection, warnings in place, a glossary, copy and listen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.page.visiting import Visit, chromium, visiting

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH, TYPED = "/v1/text/translations", "Good morning, how are you today?"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Any]:
    async with chromium() as started:
        yield started


def source(visit: Visit) -> Any:
    return visit.tab.get_by_role("textbox", name="Text")


async def answering(visit: Visit, **row: Any) -> list[dict[str, Any]]:
    """Let the page ask for translations what is noted here, and be answered with one row."""
    asked: list[dict[str, Any]] = []

    async def answer(route: Any) -> None:
        asked.append(route.request.post_data_json)
        translated = {"text": "Olá.", "pivot": None, "warnings": [], **row}
        await route.fulfill(json={"translations": [translated]})

    await visit.page.route(f"**{PATH}", answer)
    return asked


async def test_a_text_is_detected_and_translated_line_by_line(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        await source(visit).fill(f"{TYPED}\n\nThe price is 20 euros.")
        await visit.sees("In English (")
        await visit.button("Translate").click()
        await visit.sees("pt: The price is 20 euros.")
        output = visit.tab.get_by_role("group", name="Translation")
        lines = (await output.inner_text()).split("\n")
        assert [line for line in lines if line] == [f"pt: {TYPED}", "pt: The price is 20 euros."]
        assert await output.get_attribute("lang") == "pt"


async def test_the_keyboard_translates(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        await source(visit).fill(TYPED)
        await source(visit).press("Control+Enter")
        await visit.sees(f"pt: {TYPED}")


async def test_a_language_that_is_chosen_is_not_detected(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        asked = await answering(visit)
        await visit.choice("From").select_option("en")
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        await visit.sees("Olá.")
        assert asked == [{"text": [TYPED], "target_language": "pt", "source_language": "en"}]
        assert await visit.tab.get_by_text("In English").count() == 0


async def test_doubt_is_shown_where_it_is(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        warning = {"code": "negation_lost", "message": "the translation has none"}
        await answering(visit, warnings=[warning])
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        told = visit.tab.locator(".unsure .warnings li")
        await told.first.wait_for()
        assert await told.all_inner_texts() == ["The negation may be lost."]


async def test_swapping_goes_on_from_the_translation(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        await visit.choice("From").select_option("en")
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        await visit.sees(f"pt: {TYPED}")
        await visit.button("Swap").click()
        assert await source(visit).input_value() == f"pt: {TYPED}"
        assert await visit.choice("From").input_value() == "pt"
        assert await visit.choice("Into").input_value() == "en"


async def test_typed_terms_go_with_the_request(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        asked = await answering(visit)
        await visit.choice("Glossary").select_option("typed")
        await visit.labelled("Term 1").fill("harbour")
        await visit.labelled("Translation 1").fill("porto")
        await visit.button("Add a term").click()
        await visit.labelled("Term 2").fill("Ray")
        await visit.labelled("Sounds like 2").fill("rei")
        await visit.labelled("Capitals matter 2").check()
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        await visit.sees("Olá.")
        plain = {"language": "en", "sounds": {}, "case_sensitive": False}
        assert asked[0]["glossary"]["terms"] == [
            {**plain, "term": "harbour", "translations": {"pt": "porto"}},
            {
                **{**plain, "term": "Ray", "translations": {"pt": "Ray"}},
                **{"sounds": {"pt": "rei"}, "case_sensitive": True},
            },
        ]


async def test_a_kept_glossary_is_chosen(browser: Any) -> None:
    kept = {"gloss_1": {"id": "gloss_1", "name": "Port", "terms": []}}
    async with visiting(browser, "text", kept=kept) as visit:
        asked = await answering(visit)
        await visit.choice("Glossary").select_option(label="Port")
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        await visit.sees("Olá.")
        assert asked[0]["glossary"] == "gloss_1"


async def test_a_server_that_keeps_nothing_takes_terms_with_the_request_alone(browser: Any) -> None:
    async with visiting(browser, "text", nothing=True) as visit:
        await visit.choice("Glossary").select_option("typed")
        await visit.labelled("Term 1").wait_for()


async def test_a_server_without_glossaries_shows_none(browser: Any) -> None:
    async with visiting(
        browser,
        "text",
        refusals={"GET /v1/glossaries": (404, "not_found", "there is no such path")},
    ) as visit:
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        await visit.sees(f"pt: {TYPED}")
        assert not await visit.choice("Glossary").is_visible()


async def test_the_translation_is_spoken_and_copied(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        await visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        asked: list[dict[str, Any]] = []
        visit.page.on(
            "request",
            lambda each: each.url.endswith("/speech") and asked.append(json.loads(each.post_data)),
        )
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        await visit.choice("Voice").select_option("fake-pt")
        await visit.button("Listen").click()
        await visit.plays()
        assert [(row["input"], row["voice"]) for row in asked] == [(f"pt: {TYPED}", "fake-pt")]
        await visit.button("Copy").click()
        await visit.until("document.getElementById('announcer').textContent === 'Copied.'")
        copied = await visit.page.evaluate("navigator.clipboard.readText()")
        assert copied == f"pt: {TYPED}"


async def test_a_refusal_is_told_in_place(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        visit.api.refusals[f"POST {PATH}"] = 503, "overloaded", "too much is asked"
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        await visit.tab.get_by_role("alert").get_by_text("too much is asked").wait_for()


async def test_a_translation_into_arabic_runs_from_the_right(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        await answering(visit, text="صباح الخير")
        add = (
            "document.querySelectorAll('#panel-text select')[1].append(new Option('Arabic', 'ar'))"
        )
        await visit.page.evaluate(add)
        await visit.choice("Into").select_option("ar")
        await source(visit).fill(TYPED)
        await visit.button("Translate").click()
        await visit.sees("صباح الخير")
        output = visit.tab.get_by_role("group", name="Translation")
        assert await output.evaluate("element => getComputedStyle(element).direction") == "rtl"
