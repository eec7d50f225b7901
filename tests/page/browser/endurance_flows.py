"""Minutes of live speech with two listeners: what the page holds at the end, and at the start."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, expect

from tests.page.browser.visit import Visit, follow_in_another, link_of, start

SETTLE_S = 10.0
MAX_GROWTH_MB = 8.0  # of the heap; texts and the sound of a few minutes


def resident_mb(pid: int) -> float:
    """Return the memory that a process has now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def held(visit: Visit, page: Page, devtools: CDPSession) -> dict[str, float]:
    """Return what is held once garbage is collected, by the page, Chromium and the server."""
    devtools.send("HeapProfiler.collectGarbage")
    counted: dict[str, Any] = devtools.send("Memory.getDOMCounters")
    heap: float = page.evaluate("performance.memory.usedJSHeapSize")
    browser = visit.browser.new_browser_cdp_session()
    processes = browser.send("SystemInfo.getProcessInfo")["processInfo"]
    browser.detach()
    memory = {"heap_mb": heap / 2**20, "tabs_mb": 0.0, "chromium_mb": 0.0}
    for each in processes:
        kind = "tabs_mb" if each["type"] == "renderer" else "chromium_mb"
        memory[kind] += resident_mb(each["id"])
    if visit.asked["server_pid"]:
        memory["server_mb"] = resident_mb(visit.asked["server_pid"])
    rounded = {name: round(value, 1) for name, value in memory.items()}
    return {**rounded, "nodes": counted["nodes"], "listeners": counted["jsEventListeners"]}


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
    first = held(visit, page, devtools)
    until = time.monotonic() + 60 * visit.asked["minutes"]
    page.wait_for_timeout(30 * 1000 * visit.asked["minutes"])
    listeners[1].goto("about:blank")  # leaves, and comes back
    page.wait_for_timeout(min(20_000, 10 * 1000 * visit.asked["minutes"]))
    listeners[1].goto(link)
    listeners[1].wait_for_selector(f".listener p[lang={language}]:not(:empty)")
    page.wait_for_timeout(max(0.0, 1000 * (until - time.monotonic())))
    last = held(visit, page, devtools)
    badges = ", ".join(page.locator(".badge").all_inner_texts())
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    for listener in listeners:
        expect(listener.locator(".status")).to_contain_text("o")
    assert last["heap_mb"] - first["heap_mb"] < MAX_GROWTH_MB, (first, last)
    return f"{visit.asked['minutes']} minutes: {first} at first, {last} at last; {badges}"
