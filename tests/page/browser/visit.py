"""A visit to the page: its windows, what went wrong in them, and what is measured there."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LOCAL = ("127.0.0.1", "localhost")
SERIOUS = ("serious", "critical")


def launched(playwright: Playwright, wav: str) -> Browser:
    """Start Chromium: its microphone hears a file again and again, and no other host is found."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise FileNotFoundError(f"none of {', '.join(BROWSERS)} is installed")
    return playwright.chromium.launch(
        executable_path=path,
        args=[
            "--no-sandbox",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={wav}",
            "--auto-select-desktop-capture-source=Entire screen",
            "--enable-precise-memory-info",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        ],
    )


class Visit:
    """Windows of one flow, each with storage of its own.

    Attributes:
        asked: the addresses, keys and paths that the tests were given.
    """

    def __init__(self, browser: Browser, asked: dict[str, Any]) -> None:
        self.browser, self.asked = browser, asked
        self._contexts: list[BrowserContext] = []
        self._troubles: list[str] = []
        self.forgiven: list[str] = []  # parts of messages that a flow provokes

    def window(self, *, phone: bool = False, **settings: Any) -> Page:
        """Open an empty window. ``settings`` are those of Playwright's contexts."""
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 900}
        settings = {"viewport": size, "locale": "en-GB", "accept_downloads": True, **settings}
        if phone:
            settings = {"device_scale_factor": 2, "has_touch": True, **settings}
        context = self.browser.new_context(**settings)
        context.set_default_timeout(1000 * self.asked["patience_s"])
        self._contexts.append(context)
        page = context.new_page()
        expect.set_options(timeout=1000 * self.asked["patience_s"])
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self._troubles.append(f"raised: {error}"))
        page.on("request", lambda request: self._check_host(request.url))
        return page

    def page(self, tab: str = "live", url: str | None = None, **settings: Any) -> Page:
        """Open the page with a tab, and give its key where it asks for one."""
        page = self.window(**settings)
        page.goto(f"{url or self.asked['url']}#{tab}")
        if self.asked["key"] and url is None:
            page.get_by_label("API key").fill(self.asked["key"])
            page.keyboard.press("Enter")
        page.wait_for_selector("[role=tabpanel]:not([hidden])")
        return page

    def _listen(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self._troubles.append(f"console: {message.text}")

    def _check_host(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname not in LOCAL:
            self._troubles.append(f"asked another host: {url}")

    def troubles(self) -> list[str]:
        """Return what went wrong, but for what the flow provoked."""
        return [each for each in self._troubles if not any(part in each for part in self.forgiven)]

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def check_access(self, page: Page) -> str:
        """Have axe look at what is shown. Raises AssertionError: it finds something serious."""
        source = Path(self.asked["axe"]).read_text(encoding="utf-8")
        page.evaluate(source)  # past the page's policy, which holds for the page's own scripts
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        worst = [
            {"id": each["id"], "impact": each["impact"], "at": [n["target"] for n in each["nodes"]]}
            for each in found["violations"]
        ]
        assert not [each for each in worst if each["impact"] in SERIOUS], json.dumps(worst)
        return ", ".join(f"{each['id']} ({each['impact']})" for each in worst) or "nothing"

    def shoot(self, page: Page, name: str) -> None:
        """Take a picture of what is shown."""
        folder = Path(self.asked["shots"])
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(folder / f"{name}.png"), scale="css")


def until(page: Page, expression: str, patience_s: float = 20) -> None:
    """Wait until it is true; Playwright's own way needs what the page's policy forbids."""
    limit_s = time.monotonic() + patience_s
    while not page.evaluate(expression):
        assert time.monotonic() < limit_s, f"it is not so: {expression}"
        page.wait_for_timeout(50)


def start(page: Page, target: str | None = None) -> None:
    """Start a live session, and wait for its first translation."""
    if target is not None:
        page.get_by_label("Translate to").select_option(target)
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector(".panes.live .pane:last-child p:not(:empty)")


def link_of(page: Page) -> str:
    """Share the session that runs, and return the link."""
    page.get_by_role("button", name="Share").click()
    page.wait_for_selector("img.qr")
    link = page.get_by_label("Link").input_value()
    page.get_by_role("button", name="Close").click()
    return link


def follow_in_another(listener: Page) -> str:
    """Choose another language than Portuguese on a listener's page, and return it."""
    select = listener.get_by_label("Language", exact=True)
    select.locator("option[value=pt]").wait_for(state="attached")
    known = select.locator("option").evaluate_all("(all) => all.map((each) => each.value)")
    language = "fr" if "fr" in known else "en"
    select.select_option(language)
    return language
