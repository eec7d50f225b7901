"""Models: their figures, load and unload."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.browser.visit import Visit


def flow_models_shows_them(visit: Visit) -> str:
    page = visit.page("models")
    cards = page.get_by_role("article")
    expect(cards.first).to_be_visible()
    names = [card.get_by_role("heading").inner_text() for card in cards.all()]
    text = cards.first.inner_text()
    for said in ("Device", "Why", "Busy", "Queue", "Items a batch", "Live lag", "Memory"):
        assert said in text, text
    return ", ".join(names)


def flow_models_unload_and_load(visit: Visit) -> str:
    if visit.asked["key"]:
        return "left out: the server is not ours alone"
    visit.forgiven = ["503"]  # of the readiness that the page asks for, while a model is loaded
    page = visit.page("models")
    page.on("dialog", lambda dialog: dialog.accept())
    card = page.get_by_role("article", name="speaker")
    card.get_by_role("button", name="Unload").click()
    expect(card.get_by_text("unloaded", exact=True)).to_be_visible()
    card.get_by_role("button", name="Load").click()
    expect(card.get_by_text("ready", exact=True)).to_be_visible()
    return "and it is ready again"
