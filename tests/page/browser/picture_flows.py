"""Pictures of the page: light, dark, on a phone, and with larger text."""

from __future__ import annotations

from tests.page.browser.visit import Visit, link_of, start

THIRD = ".panes.live .pane:last-child p:nth-child(3):not(:empty)"


def flow_pictures_of_live(visit: Visit) -> str:
    for name, settings in (
        ("live-light", {"color_scheme": "light"}),
        ("live-dark", {"color_scheme": "dark"}),
        ("live-phone", {"phone": True, "color_scheme": "light"}),
    ):
        page = visit.page(**settings)
        start(page)
        page.wait_for_selector(THIRD)
        visit.shoot(page, name)
        if name == "live-light":
            page.get_by_role("button", name="Share").click()
            page.wait_for_selector("img.qr")
            visit.shoot(page, "share-light")
            page.get_by_role("button", name="Close").click()
            link = link_of(page)
            listener = visit.window(phone=True, color_scheme="dark", locale="pt-PT")
            listener.goto(link)
            listener.wait_for_selector(".listener p[lang=pt]:nth-child(3):not(:empty)")
            visit.shoot(listener, "listener-phone-dark")
    return visit.asked["shots"]


def flow_pictures_of_models(visit: Visit) -> str:
    for name, settings in (
        ("models-light", {"color_scheme": "light"}),
        ("models-phone-dark", {"phone": True, "color_scheme": "dark"}),
    ):
        page = visit.page("models", **settings)
        page.wait_for_selector(".model dd")
        page.wait_for_timeout(2500)  # for a second look, which tells the load
        visit.shoot(page, name)
    return visit.asked["shots"]
