"""The Voices tab: a voice is made by reading a consent aloud, heard, listed and deleted."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import av
import pytest
import pytest_asyncio

from tests.page.visiting import Visit, chromium, spoken, visiting

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Any]:
    async with chromium() as started:
        yield started


async def record(visit: Visit, what: str) -> None:
    """Record from the browser's own microphone, which beeps."""
    part = visit.tab.get_by_role("group", name=what, exact=True)
    await part.get_by_role("button", name="Record", exact=True).click()
    await part.get_by_text("2 s").wait_for()
    await part.get_by_role("button", name="Stop recording").click()
    await part.locator("audio").wait_for()


async def make(visit: Visit, name: str = "Ann") -> None:
    await visit.button("Add a voice").click()
    await visit.labelled("Name of the voice").fill(name)
    await record(visit, "Consent")
    await visit.choose_file("Or choose a recording", name="ann.wav")
    await visit.button("Make the voice").click()


async def test_a_voice_is_made_of_a_consent_and_a_sample(browser: Any) -> None:
    async with visiting(browser, "voices") as visit:
        await make(visit)
        await visit.button("Hear the sample: Ann").wait_for()
        (consent_path, consent), (voice_path, voice) = visit.api.forms
        assert consent_path == "/v1/audio/voice_consents"
        assert (consent["name"], consent["language"]) == ("Ann", "en")
        with av.open(io.BytesIO(consent["recording"][1])) as recording:
            (stream,) = recording.streams.audio
            assert (recording.format.name, stream.rate, stream.channels) == ("wav", 24_000, 1)
            assert float(stream.duration * stream.time_base) >= 1
        assert voice_path == "/v1/audio/voices"
        consent_id, _ = visit.api.kept
        assert voice == {
            "name": "Ann",
            "consent": consent_id,
            "audio_sample": ("ann.wav", spoken()),
        }
        await visit.button("Hear the sample: Ann").click()
        await visit.plays()


async def test_the_text_to_read_is_in_the_chosen_language(browser: Any) -> None:
    async with visiting(browser, "voices") as visit:
        await visit.button("Add a voice").click()
        await visit.sees("I am the owner of this voice, and I consent.")
        await visit.choice("Language").first.select_option("pt")
        text = visit.tab.locator("blockquote")
        assert await text.inner_text() == "Sou o dono desta voz e dou o meu consentimento."
        assert await text.get_attribute("lang") == "pt"


async def test_a_refused_consent_is_told_and_what_was_recorded_stays(browser: Any) -> None:
    async with visiting(browser, "voices") as visit:
        visit.api.refusals["POST /v1/audio/voice_consents"] = (
            422,
            "unprocessable",
            "another text was read",
        )
        await make(visit)
        await visit.tab.get_by_role("alert").get_by_text("another text was read").wait_for()
        await visit.button("Make the voice").click()
        await visit.button("Delete: Ann").wait_for()


async def test_a_consent_that_was_taken_is_not_sent_again(browser: Any) -> None:
    async with visiting(browser, "voices") as visit:
        await visit.button("Add a voice").click()
        await visit.labelled("Name of the voice").fill("Ann")
        await record(visit, "Consent")
        await record(visit, "Sample")
        visit.api.refusals["POST /v1/audio/voices"] = 422, "unprocessable", "another voice"
        await visit.button("Make the voice").click()
        await visit.tab.get_by_role("alert").get_by_text("another voice").wait_for()
        await record(visit, "Sample")
        await visit.button("Make the voice").click()
        await visit.button("Hear the sample: Ann").wait_for()
        assert [path for path, _ in visit.api.forms] == [
            "/v1/audio/voice_consents",
            "/v1/audio/voices",
        ]


async def test_without_a_recording_nothing_is_sent(browser: Any) -> None:
    async with visiting(browser, "voices") as visit:
        await visit.button("Add a voice").click()
        await visit.labelled("Name of the voice").fill("Ann")
        await visit.button("Make the voice").click()
        await visit.tab.get_by_role("alert").get_by_text("Record the consent").wait_for()
        assert visit.api.forms == []


async def test_a_voice_is_deleted_after_a_question(browser: Any) -> None:
    kept = {"voice_1": {"id": "voice_1", "name": "Ann"}}
    async with visiting(browser, "voices", kept=kept) as visit:
        asked: list[str] = []

        async def agree(dialog: Any) -> None:
            asked.append(dialog.message)
            await dialog.accept()

        visit.page.on("dialog", agree)
        await visit.button("Delete: Ann").click()
        await visit.button("Delete: Ann").wait_for(state="detached")
        assert visit.api.kept == {}
        assert asked == ["Delete Ann for good?"]


async def test_a_server_without_a_model_that_clones_says_which_would_and_hides_the_button(
    browser: Any,
) -> None:
    async with visiting(browser, "voices", cloning=None) as visit:
        await visit.sees("no model here clones: engine yourtts would")
        assert not await visit.button("Add a voice").is_visible()


async def test_a_server_that_keeps_nothing_says_so(browser: Any) -> None:
    async with visiting(browser, "voices", nothing=True) as visit:
        await visit.sees("this server keeps nothing")
        assert not await visit.button("Add a voice").is_visible()


async def test_a_voice_of_the_server_is_heard(browser: Any) -> None:
    async with visiting(browser, "voices", cloning=None, language="pt") as visit:
        await visit.button("Ouvi-la falar: fake-pt").click()
        await visit.plays()
