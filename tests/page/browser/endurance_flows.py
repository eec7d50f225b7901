"""Minutes of live speech with two listeners: what the page holds at the end, and at the start."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import CDPSession, Page, expect

from tests.page.browser.visit import Visit, follow_in_another, link_of, start

SETTLE_S = 10.0
MAX_GROWTH_MB = 8.0  # of the heap; texts and the sound of a few minutes


def held(page: Page, session: CDPSession) -> dict[str, float]:
    """Return what a page holds after its garbage is collected: its heap, nodes and listeners."""
    session.send("HeapProfiler.collectGarbage")
    counted: dict[str, Any] = session.send("Memory.getDOMCounters")
    heap: float = page.evaluate("performance.memory.usedJSHeapSize")
    return {
        "heap_mb": round(heap / 2**20, 2),
        "nodes": counted["nodes"],
        "listeners": counted["jsEventListeners"],
    }


def flow_endurance(visit: Visit) -> str:
    page = visit.page()
    start(page)
    link = link_of(page)
    listeners = [visit.window(phone=True, locale=locale) for locale in ("pt-PT", "en-GB")]
    for listener in listeners:
        listener.goto(link)
        listener.wait_for_selector(".listener p[lang]:not(:empty)")
    language = follow_in_another(listeners[1])
    devtools = page.context.new_cdp_session(page)
    page.wait_for_timeout(1000 * SETTLE_S)
    first = held(page, devtools)
    until = time.monotonic() + 60 * visit.asked["minutes"]
    page.wait_for_timeout(30 * 1000 * visit.asked["minutes"])
    listeners[1].goto("about:blank")  # leaves, and comes back
    page.wait_for_timeout(min(20_000, 10 * 1000 * visit.asked["minutes"]))
    listeners[1].goto(link)
    listeners[1].wait_for_selector(f".listener p[lang={language}]:not(:empty)")
    page.wait_for_timeout(max(0.0, 1000 * (until - time.monotonic())))
    last = held(page, devtools)
    badges = ", ".join(page.locator(".badge").all_inner_texts())
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    for listener in listeners:
        expect(listener.locator(".status")).to_contain_text("o")
    assert last["heap_mb"] - first["heap_mb"] < MAX_GROWTH_MB, (first, last)
    return f"{visit.asked['minutes']} minutes: {first} at first, {last} at last; {badges}"
