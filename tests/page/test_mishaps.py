"""What a newcomer may meet: no server, no model, no microphone, the wrong key, the wrong file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deployments.config.security import Key, Security
from deployments.security.keys import new_key
from tests.page.visiting import Visit, chromium, visiting
from tests.support.local import fake_config

pytestmark = pytest.mark.asyncio(loop_scope="module")
FILE, TRANSLATIONS = "Audio or video file", "**/v1/speech/translations"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Any]:
    async with chromium() as started:
        yield started


async def refused(visit: Visit, words: str) -> None:
    """Wait for an alert with these words."""
    await visit.page.get_by_role("alert").get_by_text(words).wait_for()


async def test_a_server_that_is_gone_is_told_in_the_readers_language(browser: Any) -> None:
    async with visiting(browser, "text", language="pt-PT") as visit:
        await visit.tab.get_by_role("textbox", name="Texto").fill("Olá")
        await visit.page.route("**/v1/**", lambda route: route.abort())
        await visit.button("Traduzir").click()
        await refused(visit, "A ligação ao servidor falhou.")


async def test_a_file_that_does_not_reach_the_server_says_so(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await visit.page.route(TRANSLATIONS, lambda route: route.abort())
        await visit.choose_file(FILE)
        await visit.button("Translate").click()
        await refused(visit, "The connection to the server failed.")


async def test_an_empty_file_is_not_sent(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(request.method))
        await visit.choose_file(FILE, data=b"")
        await visit.button("Translate").click()
        await refused(visit, "This file is empty.")
        assert "POST" not in asked


async def test_a_file_that_is_no_sound_is_refused_in_words(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await visit.choose_file(FILE, name="notes.pdf", data=b"%PDF-1.7 " * 99, kind="text/pdf")
        await visit.button("Translate").click()
        await visit.tab.get_by_role("alert").wait_for()
        assert "audio" in await visit.tab.get_by_role("alert").inner_text()


async def test_a_file_that_is_too_large_is_refused_in_words(browser: Any) -> None:
    async with visiting(browser, "file", fake_config(max_body_bytes=100_000)) as visit:
        visit.api.nothing = True  # so that it cannot go on as a job
        await visit.page.reload()
        await visit.choose_file(FILE, data=bytes(8_000_000))
        await visit.button("Translate").click()
        await visit.tab.get_by_role("alert").wait_for()
        assert "100000" in await visit.tab.get_by_role("alert").inner_text()


async def test_a_key_that_is_taken_no_more_is_asked_for_again(browser: Any) -> None:
    key, digest = new_key()
    keys = (Key(name="ann", hash=digest, scopes=("infer",)),)
    config = fake_config().model_copy(update={"security": Security(keys=keys)})
    async with visiting(browser, "file", config, key=key) as visit:
        await visit.page.evaluate("sessionStorage.setItem('dragoman.key', 'an-old-one')")
        await visit.choose_file(FILE)
        await visit.button("Translate").click()
        await refused(visit, "The server does not take this key")
        await visit.page.get_by_label("API key").fill(key)
        await visit.page.keyboard.press("Enter")
        await visit.sees("Done. Sentences: 2.")


async def test_kinds_without_a_model_are_named(browser: Any) -> None:
    config = fake_config()
    models = {name: model for name, model in config.models.items() if name != "tts"}
    config = config.model_copy(update={"models": models, "aliases": {}})
    async with visiting(browser, "text", config) as visit:
        await visit.page.get_by_text("This server has no model now for: Speech.").wait_for()
        await visit.page.get_by_role("button", name="Try again").click()
        await visit.tab.get_by_role("textbox", name="Text").fill("Good morning")
        await visit.button("Translate").click()
        await visit.sees("pt: Good morning")
        assert await visit.choice("Voice").locator("option").all_inner_texts() == ["None"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("NotAllowedError", "The browser does not let this page hear."),
        ("NotFoundError", "There is no microphone."),
        ("NotReadableError", "Another program holds the microphone."),
    ],
)
async def test_a_microphone_that_cannot_be_had_is_told_in_words(
    browser: Any, name: str, words: str
) -> None:
    async with visiting(browser, "voices") as visit:
        await visit.page.evaluate(
            "(name) => void (navigator.mediaDevices.getUserMedia ="
            " () => Promise.reject(new DOMException('no', name)))",
            name,
        )
        await visit.button("Add a voice").click()
        part = visit.tab.get_by_role("group", name="Consent", exact=True)
        await part.get_by_role("button", name="Record", exact=True).click()
        await refused(visit, words)


async def test_captions_of_both_texts_run_from_the_right_where_their_language_does(
    browser: Any,
) -> None:
    async with visiting(browser, "text") as visit:
        directions = await visit.page.evaluate(
            """async () => {
            const { Pane, write } = await import("./page/js/live/pane.js");
            const [said, translated] = ["1", "2"].map((title) => new Pane(title, {}));
            document.body.append(said.node, translated.node);
            const tell = (type, more) =>
                write({ type: `session.${type}`, ...more }, said, translated, "he");
            tell("input_transcript.partial", { text: "…" });
            tell("input_transcript.delta", { delta: "صباح الخير", language: "ar" });
            tell("output_transcript.delta", { delta: "בוקר טוב" });
            return [said, translated].map(({ log }) =>
                [...log.querySelectorAll("p")].map((each) => getComputedStyle(each).direction));
            }"""
        )
        assert directions == [["rtl"], ["rtl"]]


async def test_a_code_that_names_no_language_is_shown_as_it_is(browser: Any) -> None:
    async with visiting(browser, "text") as visit:
        name = await visit.page.evaluate(
            "import('./page/js/i18n.js').then((i18n) => i18n.languageName('no_such_code'))"
        )
        assert name == "no_such_code"
