"""Pictures of every tab: light, dark, and on a phone."""

from __future__ import annotations

from collections.abc import Iterator

from playwright.sync_api import Page, expect

from tests.page.browser.visit import Visit, link_of, start

SECOND = ".panes.live .pane:last-child p:nth-child(2):not(:empty)"
TEXT = (
    "The ferry to the islands leaves at nine.\n"
    "Please keep your tickets until the end.\n"
    "It does not stop at the old harbour."
)
SIZE = {"width": 1100, "height": 760}


def views(visit: Visit, tab: str) -> Iterator[tuple[str, Page]]:
    """Open a tab in each look; its name goes into that of the picture."""
    yield "light", visit.page(tab, color_scheme="light", viewport=SIZE)
    yield "dark", visit.page(tab, color_scheme="dark", viewport=SIZE)
    yield "phone", visit.page(tab, phone=True, color_scheme="light")


def flow_pictures_of_live(visit: Visit) -> str:
    for look, page in views(visit, "live"):
        page.get_by_label("Spoken language").select_option("en")
        start(page)
        page.wait_for_selector(SECOND)
        visit.shoot(page, f"live-{look}")
        if look == "light":
            page.get_by_role("button", name="Share").click()
            page.wait_for_selector("img.qr")
            visit.shoot(page, "share-light")
            page.get_by_role("button", name="Close").click()
            listener = visit.window(phone=True, color_scheme="dark", locale="pt-PT")
            listener.goto(link_of(page))
            listener.wait_for_selector(".listener p[lang=pt]:nth-child(2):not(:empty)")
            visit.shoot(listener, "listener-phone-dark")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Start")).to_be_enabled()
    return visit.asked["shots"]


def flow_pictures_of_file(visit: Visit) -> str:
    for look, page in views(visit, "file"):
        page.get_by_label("Audio or video file").set_input_files(visit.asked["wav"])
        page.get_by_role("button", name="Translate").click()
        expect(page.locator("#panel-file").get_by_text("Done. Sentences:")).to_be_visible()
        page.get_by_role("button", name="Translate").scroll_into_view_if_needed()
        visit.shoot(page, f"file-{look}")
    return visit.asked["shots"]


def flow_pictures_of_text(visit: Visit) -> str:
    for look, page in views(visit, "text"):
        page.get_by_role("textbox", name="Text").fill(TEXT)
        page.get_by_role("button", name="Translate").click()
        expect(page.locator(".output p").nth(2)).not_to_be_empty()
        visit.shoot(page, f"text-{look}")
    return visit.asked["shots"]


def flow_pictures_of_voices(visit: Visit) -> str:
    for look, page in views(visit, "voices"):
        expect(page.get_by_role("button", name="Hear it speak").first).to_be_visible()
        visit.shoot(page, f"voices-{look}")
    return visit.asked["shots"]


def flow_pictures_of_models(visit: Visit) -> str:
    for look, page in views(visit, "models"):
        page.wait_for_selector(".model dd")
        page.wait_for_timeout(2500)  # for a second look, which tells the load
        visit.shoot(page, f"models-{look}")
    return visit.asked["shots"]
