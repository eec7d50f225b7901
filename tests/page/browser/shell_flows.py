"""The frame of the page: tabs, settings, the key, the weight of it all, and who can use it."""

from __future__ import annotations

from urllib.parse import urlsplit

from playwright.sync_api import Response, expect

from tests.page.browser.visit import Visit

MAX_BYTES = 150_000


def flow_shell_by_keyboard(visit: Visit) -> str:
    page = visit.page()
    tabs = page.get_by_role("tab")
    names = tabs.all_inner_texts()
    tabs.first.focus()
    for name in [*names[1:], names[0]]:
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute(
            "aria-selected", "true"
        )
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
    page.keyboard.press("End")
    expect(tabs.last).to_be_focused()
    return f"tabs {', '.join(names)}"


def flow_shell_settings_are_remembered(visit: Visit) -> str:
    page = visit.page()
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Colours").select_option("dark")
    page.get_by_label("Size of text").select_option("3")
    page.get_by_label("Language of this page").select_option("pt")
    expect(page.get_by_role("tab", name="Ao vivo")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "pt"
    page.reload()
    expect(page.get_by_role("tab", name="Ao vivo")).to_be_visible()
    shown = page.evaluate(
        "[getComputedStyle(document.documentElement).fontSize,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    assert shown == ["24.96px", "rgb(15, 21, 20)"], shown
    return "Portuguese, dark, very large"


def flow_shell_asks_for_a_key(visit: Visit) -> str:
    visit.forgiven = ["401"]
    page = visit.window()
    page.goto(visit.asked["keyed_url"])
    field = page.get_by_label("API key")
    field.fill("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(field).to_have_value("")
    field.fill(visit.asked["keyed_key"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    key = visit.asked["keyed_key"]
    assert page.evaluate("Object.values(sessionStorage)") == [key]
    assert key not in page.evaluate("JSON.stringify(localStorage) + document.cookie + location")
    return "asked again for a wrong key; the right one is in the session alone"


def flow_shell_without_a_key_says_so(visit: Visit) -> str:
    visit.forgiven = ["401"]
    page = visit.window()
    page.goto(visit.asked["keyed_url"])
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("API key")).to_be_visible()
    return "and asks again when told to"


def flow_shell_weight(visit: Visit) -> str:
    page = visit.window()
    sizes: dict[str, int] = {}

    def weigh(answer: Response) -> None:
        path = urlsplit(answer.url).path
        if path == "/" or path.startswith("/page/"):
            sizes[path] = int(answer.headers["content-length"])

    page.on("response", weigh)
    page.goto(visit.asked["url"])
    for tab in page.get_by_role("tab").all():
        tab.click()
        expect(page.get_by_role("tabpanel", name=tab.inner_text())).to_be_visible()
    assert "/page/app.css" in sizes
    assert sum(sizes.values()) < MAX_BYTES
    return f"{sum(sizes.values()) / 1000:.1f} kB in {len(sizes)} files, with every tab open"


def flow_shell_is_accessible(visit: Visit) -> str:
    found = []
    for scheme in ("light", "dark"):
        page = visit.page(color_scheme=scheme)
        for tab in page.get_by_role("tab").all():
            tab.click()
            page.wait_for_selector("[role=tabpanel]:not([hidden]) > *")
            page.wait_for_timeout(500)
            found.append(f"{scheme} {tab.inner_text()}: {visit.check_access(page)}")
    page.get_by_role("button", name="Settings").click()
    found.append(f"settings: {visit.check_access(page)}")
    return "; ".join(found)
