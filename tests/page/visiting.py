"""A browser on the page, over the application on fakes and what `promised` answers.

It is Debian's Chromium, driven by Playwright; without one of the two the tests are skipped.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from deployments.config.schema import AppConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.page.promised import Promised
from tests.support.bad_input import wav
from tests.support.local import fake_config, fake_fleet
from tests.support.sockets import serving

playwright = pytest.importorskip("playwright.async_api")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no Chromium", allow_module_level=True)

ARGUMENTS = (
    *("--no-sandbox", "--autoplay-policy=no-user-gesture-required"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
)
TIMEOUT_MS = 10_000
RATE_HZ = 16_000


def spoken(seconds: float = 4.0) -> bytes:
    """A WAV file of two tones with silence between them: the fakes hear speech."""
    tone = 8000 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)
    tone[len(tone) * 2 // 5 : len(tone) * 3 // 5] = 0
    return wav(tone.astype(np.int16))


def uploaded(name: str = "talk.wav", data: bytes | None = None, kind: str = "audio/wav") -> Any:
    return {"name": name, "mimeType": kind, "buffer": spoken() if data is None else data}


@dataclass
class Visit:
    """One page in a browser.

    Attributes:
        page: Playwright's.
        tab: the panel of the tab that was opened.
        api: what is promised, behind the page.
        url: of the server.
        problems: what the page's console told, but for answers that refuse.
    """

    page: Any
    tab: Any
    api: Promised
    url: str
    problems: list[str] = field(default_factory=list)

    def button(self, name: str) -> Any:
        return self.tab.get_by_role("button", name=name, exact=True)

    def labelled(self, name: str) -> Any:
        return self.tab.get_by_label(name, exact=True)

    def choice(self, name: str) -> Any:
        return self.tab.get_by_role("combobox", name=name, exact=True)

    async def sees(self, text: str) -> None:
        """Wait until the tab shows a text."""
        await self.tab.get_by_text(text).first.wait_for()

    async def choose_file(self, label: str, **named: Any) -> None:
        await self.labelled(label).set_input_files(uploaded(**named))

    async def until(self, expression: str) -> None:
        """Wait until an expression is true in the page, whose policy forbids it to look itself."""
        async with asyncio.timeout(TIMEOUT_MS / 1000):
            while not await self.page.evaluate(expression):
                await asyncio.sleep(0.05)

    async def plays(self) -> None:
        """Wait until a sound has begun."""
        await self.until("window.played > 0")


# Counts the sounds that have begun, also of those that are no elements of the page.
COUNTING = """
window.played = 0;
const { play } = HTMLMediaElement.prototype;
HTMLMediaElement.prototype.play = function () {
  this.addEventListener("playing", () => (window.played += 1), { once: true });
  return play.call(this);
};
"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Any]:
    """Start the browser, which is shared by the tests of a file."""
    async with playwright.async_playwright() as engine:
        browser = await engine.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@asynccontextmanager
async def visiting(
    browser: Any,
    tab: str,
    config: AppConfig | None = None,
    language: str = "en",
    **promised: Any,
) -> AsyncIterator[Visit]:
    """Open a tab of the page; afterwards its console must have told of no error."""
    config = config or fake_config()
    api = Promised(asgi_app(await fake_fleet(config), config, Admission(64)), **promised)
    context = await browser.new_context(locale=language)
    async with serving(api) as url, context:
        await context.add_init_script(COUNTING)
        page = await context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        visit = Visit(page, page.locator(f"#panel-{tab}"), api, url)
        page.on("pageerror", lambda error: visit.problems.append(str(error)))
        page.on("console", lambda message: _note(visit, message))
        await page.goto(f"{url}#{tab}")
        await visit.tab.wait_for()
        yield visit
    assert visit.problems == []


def _note(visit: Visit, message: Any) -> None:
    if message.type == "error" and "Failed to load resource" not in message.text:
        visit.problems.append(message.text)
