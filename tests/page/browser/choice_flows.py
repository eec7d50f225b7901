"""Live: what is chosen and what the server grants of it; glossaries."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.page.browser.visit import Visit, start

TERMS = [{"term": "harbour", "language": "en", "translations": {"pt": "cais"}}]


def updates(page: Page) -> list[dict[str, Any]]:
    """Note the session objects that the page sends."""
    sent: list[dict[str, Any]] = []

    def note(text: str | bytes) -> None:
        event = json.loads(text)
        if event["type"] == "session.update":
            sent.append(event["session"])

    page.on("websocket", lambda socket: socket.on("framesent", note))
    return sent


def flow_choice_of_what_can_be_spoken(visit: Visit) -> str:
    """Look through all languages: where the voices are too slow, text alone is suggested."""
    page = visit.page()
    languages, voice = page.get_by_label("Translate to"), page.get_by_label("Voice")
    names = languages.locator("option").all_inner_texts()
    slow = []
    for name in names:
        languages.select_option(label=name)
        chosen = voice.locator("option:checked").inner_text()
        is_spoken = name.endswith(" ♪")
        assert (chosen != "Text alone") == is_spoken, (name, chosen)
        if page.get_by_text(f"This server cannot speak {name} in time").is_visible():
            slow.append(name)
    spoken = [name for name in names if name.endswith(" ♪")]
    assert spoken
    assert not set(spoken) & set(slow)
    return f"of {len(names)}: {', '.join(spoken)}; too slow: {', '.join(slow) or 'none'}"


def flow_choice_that_is_refused(visit: Visit) -> str:
    """Choose what is only written, and what is not translated now: the session goes on."""
    if visit.asked["is_real"]:
        return "left out: it needs a server that refuses these languages"
    page = visit.page()
    start(page)
    to, told = (
        page.get_by_label("Translate to"),
        page.get_by_text("cannot speak English in time now"),
    )
    to.select_option("en")
    expect(told).to_be_visible()
    expect(page.locator(".panes.live .pane:last-child p[lang=en]").first).not_to_be_empty()
    to.select_option("pt")
    expect(told).to_have_count(0)
    to.select_option("de")
    expect(page.get_by_role("alert")).to_contain_text("cannot keep pace")
    expect(to).to_have_value("pt")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    return "English is written, German refused"


def flow_choice_of_a_glossary(visit: Visit) -> str:
    page = visit.page()
    expect(page.get_by_label("Glossary")).to_be_hidden()
    made = page.request.post(
        f"{visit.asked['url']}v1/glossaries", data={"name": "Port", "terms": TERMS}
    )
    assert made.ok, made.text()
    glossary = made.json()["id"]
    page.reload()
    page.get_by_label("Glossary").select_option(label="Port")
    sent = updates(page)
    start(page)
    assert sent[0]["glossary"] == glossary
    page.get_by_label("Glossary").select_option(label="None")
    page.wait_for_timeout(200)
    assert sent[-1]["glossary"] is None
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    assert page.request.delete(f"{visit.asked['url']}v1/glossaries/{glossary}").ok
    return "an id at the start, and none later"
