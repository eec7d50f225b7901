"""Live: speech in, text and speech out, files, listeners, and what is left after minutes of it."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from playwright.sync_api import Page, WebSocketRoute, expect

from tests.page.browser.visit import Visit, follow_in_another, link_of, start, until

SAID, TRANSLATED = ".panes.live .pane:first-child p", ".panes.live .pane:last-child p"


def saved(page: Page, name: str) -> bytes:
    """Press a button that saves a file, and return what is in it."""
    with page.expect_download() as coming:
        page.get_by_role("button", name=name, exact=True).click()
    return Path(coming.value.path()).read_bytes()


def flow_live_speaks(visit: Visit) -> str:
    page = visit.page()
    if visit.asked["is_real"]:
        page.get_by_label("Spoken language").select_option("pt")
    start(page, "en" if visit.asked["is_real"] else None)
    page.wait_for_selector(f"{SAID}:not(:empty)")
    until(
        page,
        "[...document.querySelectorAll('.badge b')].every((each) => each.textContent !== '–')",
        visit.asked["patience_s"],
    )
    lags = page.locator(".badge").all_inner_texts()
    assert len(lags) == 4
    page.wait_for_selector(".panes.live .partial:not(:empty)", state="attached")
    until(page, "document.querySelector('meter').value > 0.02")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    expect(page.locator(".partial")).to_have_count(0)
    return f"{', '.join(lags)}; {page.locator(TRANSLATED).first.inner_text()}"


def flow_live_saves_files(visit: Visit) -> str:
    page = visit.page()
    start(page)
    page.wait_for_selector(f"{TRANSLATED}:nth-child(2):not(:empty)")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    shown = page.locator(TRANSLATED).first.inner_text()
    assert shown in saved(page, "TXT").decode()
    srt = saved(page, "SRT").decode()
    assert re.match(r"1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n\S", srt), srt
    vtt = saved(page, "VTT").decode()
    assert re.match(r"WEBVTT\n\n00:00:\d\d\.\d{3} --> 00:00:\d\d\.\d{3}\n\S", vtt), vtt
    page.get_by_label("Text", exact=True).select_option("both")
    assert page.locator(SAID).first.inner_text() in saved(page, "TXT").decode()
    if visit.asked["is_real"] and page.get_by_role("button", name="WAV").is_disabled():
        return f"{srt.count('-->')} subtitles; nothing was spoken, so there is no wav"
    wav = saved(page, "WAV")
    rate_hz, length = struct.unpack_from("<I", wav, 24)[0], struct.unpack_from("<I", wav, 40)[0]
    assert (wav[:4], wav[8:12], rate_hz) == (b"RIFF", b"WAVE", 24_000)
    assert length == len(wav) - 44
    assert max(memoryview(wav)[44 : 44 + length // 2 * 2].cast("h")) > 100
    return f"wav of {length / 48_000:.1f} s; {srt.count('-->')} subtitles"


def flow_live_changes_language(visit: Visit) -> str:
    page = visit.page()
    start(page)
    language = "en" if visit.asked["is_real"] else "ar"
    page.get_by_label("Translate to").select_option(language)
    paragraph = page.locator(f"{TRANSLATED}[lang={language}]").first
    expect(paragraph).not_to_be_empty()
    if language == "ar":
        expect(paragraph).to_have_attribute("dir", "rtl")
        expect(paragraph).to_contain_text("الميناء")
        assert paragraph.evaluate("(each) => getComputedStyle(each).direction") == "rtl"
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    return f"to {language} while it runs"


def flow_live_loses_the_server(visit: Visit) -> str:
    """Lose the connection in the middle: what was said stays, and can be saved."""
    page = visit.page()
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket(re.compile("realtime"), pass_on)
    start(page)
    page.wait_for_selector(f"{TRANSLATED}:nth-child(2):not(:empty)")
    sockets[-1].close(code=1012)
    expect(page.get_by_role("alert")).to_contain_text("The connection was lost (1012)")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    assert page.locator(TRANSLATED).first.inner_text() in saved(page, "TXT").decode()
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    return "what was said is kept, and it goes on"


def flow_live_hears_a_tab(visit: Visit) -> str:
    page = visit.page()
    page.get_by_label("Sound", exact=True).select_option("tab")
    start(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    return page.locator(SAID).first.inner_text()


def flow_live_is_not_allowed_to_hear(visit: Visit) -> str:
    page = visit.page()
    page.evaluate(
        "void (navigator.mediaDevices.getUserMedia = () =>"
        " Promise.reject(new DOMException('no', 'NotAllowedError')))"
    )
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("does not let this page hear")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    return page.get_by_role("alert").inner_text()


def flow_live_with_a_key(visit: Visit) -> str:
    visit.forgiven = ["401"]
    page = visit.window()
    page.goto(visit.asked["keyed_url"])
    page.get_by_label("API key").fill(visit.asked["keyed_key"])
    page.keyboard.press("Enter")
    start(page)
    link = link_of(page)
    assert visit.asked["keyed_key"] not in link
    listener = visit.window()
    listener.goto(link)
    listener.wait_for_selector(".listener p[lang]:not(:empty)")
    assert listener.evaluate("sessionStorage.length") == 0
    return "the speaker has a key, the listener a token"


def flow_live_listeners(visit: Visit) -> str:
    """Follow in two languages and in none; one leaves and comes back, one loses its connection."""
    page = visit.page()
    start(page)
    link = link_of(page)
    one, two = visit.window(phone=True, locale="pt-PT"), visit.window(phone=True)
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    three = visit.window()
    three.goto(link)
    three.get_by_label("Language", exact=True).select_option("")
    expect(three.locator(".listener p[lang=en]").first).not_to_be_empty()
    two.route_web_socket(re.compile("follow="), pass_on)
    one.goto(link)
    expect(one.locator(".listener p[lang=pt]").first).not_to_be_empty()
    two.goto(link)
    language = follow_in_another(two)
    expect(two.locator(f".listener p[lang={language}]").first).not_to_be_empty()
    one.goto("about:blank")
    one.goto(link)
    expect(one.locator(".listener p[lang=pt]").first).not_to_be_empty()
    before = two.locator(f"p[lang={language}]").count()
    sockets[-1].close(code=1012)
    expect(two.get_by_text("Trying again")).to_be_visible()
    expect(two.get_by_role("status").filter(has_text="Listening")).to_be_visible()
    until(
        two,
        f"document.querySelectorAll('p[lang={language}]').length > {before}",
        visit.asked["patience_s"],
    )
    if language == "fr":  # which no voice speaks here
        assert two.get_by_label("Hear the translation").is_disabled()
    hear = one.get_by_label("Ouvir a tradução")
    if hear.is_enabled():  # else the voice is too slow here
        hear.check()
    expect(one.get_by_role("status").filter(has_text="A ouvir")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(two.get_by_text("The session is over.").first).to_be_visible()
    expect(three.get_by_text("The session is over.").first).to_be_visible()
    expect(one.get_by_text("A sessão terminou.").first).to_be_visible()
    visit.forgiven = ["404"]
    one.reload()
    expect(one.get_by_text("A sessão terminou.").first).to_be_visible()
    return f"{len(sockets)} connections of the second one"


def flow_live_is_accessible(visit: Visit) -> str:
    page = visit.page()
    start(page)
    found = [f"live: {visit.check_access(page)}"]
    page.get_by_role("button", name="Share").click()
    page.wait_for_selector("img.qr")
    found.append(f"share: {visit.check_access(page)}")
    link = page.get_by_label("Link").input_value()
    for scheme in ("light", "dark"):
        listener = visit.window(phone=True, color_scheme=scheme)
        listener.goto(link)
        listener.wait_for_selector(".listener p[lang]:not(:empty)")
        found.append(f"listener, {scheme}: {visit.check_access(listener)}")
    return "; ".join(found)


def flow_live_sound_is_whole(visit: Visit) -> str:
    """Resample a tone that must pass and one that must not; play two pieces without a gap."""
    page = visit.page()
    found = page.evaluate(
        """async () => {
        const { Resampler } = await import("./page/js/resampler.js");
        const { Player } = await import("./page/js/audio.js");
        const level = (from_hz, tone_hz) => {
            const made = new Resampler(from_hz, 24000);
            const out = [];
            for (let at = 0; at < from_hz; at += 128) {
                const piece = Float32Array.from({length: 128},
                    (_, n) => Math.sin(2 * Math.PI * tone_hz * (at + n) / from_hz));
                out.push(...made.push(piece));
            }
            const rest = out.slice(1000, -1000);
            return [out.length, Math.sqrt(rest.reduce((sum, x) => sum + x * x, 0) / rest.length)];
        };
        const player = new Player();
        await player.open();
        player.play(new Int16Array(2400));
        const first = player.until;
        player.play(new Int16Array(1200));
        return {passed: [48000, 44100, 16000].map((hz) => level(hz, 1000)),
                stopped: [48000, 44100].map((hz) => level(hz, 14000)[1]),
                gap: player.until - first - 0.05};
        }"""
    )
    for count, level in found["passed"]:
        assert abs(count - 24_000) < 130, found
        assert abs(level - 0.7071) < 0.007, found
    assert max(found["stopped"]) < 0.002, found
    assert abs(found["gap"]) < 1e-9, found
    return f"a tone of 14 kHz is left at {max(found['stopped']):.1e}"
