"""Live: what a phone, a browser or a second tab may do in the middle of it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.browser.visit import Visit, start, until

TRANSLATED = ".panes.live .pane:last-child p"
COUNTING = """void (() => {
  window.resumed = 0;
  const { resume } = AudioContext.prototype;
  AudioContext.prototype.resume = function () {
    window.resumed += 1;
    return resume.call(this);
  };
})()"""


def flow_trouble_locked_screen(visit: Visit) -> str:
    """See the page again: what the system has silenced goes on, both ears and mouth."""
    page = visit.page()
    page.evaluate(COUNTING)
    start(page)
    before = page.evaluate("window.resumed")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(page, f"window.resumed === {before} + 2")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert page.evaluate("window.resumed") == before + 2
    return "microphone and speech go on, and neither once it is over"


def flow_trouble_sound_that_ends(visit: Visit) -> str:
    """Pull the microphone out: the session ends, and says why."""
    page = visit.page()
    page.evaluate(
        """void (() => {
          const { mediaDevices } = navigator;
          const ask = mediaDevices.getUserMedia.bind(mediaDevices);
          mediaDevices.getUserMedia = async (what) => (window.stream = await ask(what));
        })()"""
    )
    start(page)
    page.evaluate("window.stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    expect(page.get_by_text("the microphone is gone")).to_be_visible()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    expect(page.get_by_text("the microphone is gone")).to_be_visible()
    return page.locator(TRANSLATED).first.inner_text()


def flow_trouble_two_tabs(visit: Visit) -> str:
    """Speak in two tabs at once: each has a session of its own."""
    one, two = visit.page(), visit.page()
    start(one)
    start(two)
    for page in (one, two):
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("button", name="Start")).to_be_enabled()
        expect(page.get_by_role("alert")).to_have_count(0)
    return "both were heard"
