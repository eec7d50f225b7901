"""The File tab: a recording on the page, into a file, and in the background."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deployments.config.security import Key, Security
from deployments.security.keys import new_key
from tests.page.visiting import Visit, chromium, spoken, visiting
from tests.support.local import fake_config

FILE, SENTENCE = "Audio or video file", "The loudest is 8000."
PATH = "/v1/speech/translations"
WHOLE: dict[str, Any] = {
    "transcript": {"text": "One.", "language": "en", "language_probability": 0.9},
    "translation": {"text": "Um.", "language": "pt", "pivot": None},
    "speakers": [{"speaker": "A", "voice_similarity": 0.61, "seconds": 2.0}],
    "voice_similarity": None,
    "warnings": [],
    "audio": None,
    "segments": [
        {
            **{"id": 0, "start_s": 0.0, "end_s": 2.0, "text": "One.", "translation": "Um."},
            **{"language": "en", "speaker": "A", "warnings": []},
        }
    ],
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Any]:
    async with chromium() as started:
        yield started


async def translated(visit: Visit) -> None:
    await visit.choose_file(FILE)
    await visit.button("Translate").click()
    await visit.sees("Done. Sentences: ")


def asked_fields(visit: Visit) -> list[dict[str, str]]:
    """Note the fields of each translation that the page asks for."""
    fields: list[dict[str, str]] = []

    def note(request: Any) -> None:
        if request.url.endswith(PATH):
            body = request.post_data_buffer or b""
            found = re.findall(rb'name="(\w+)"\r\n\r\n([^\r]*)', body)
            fields.append({name.decode(): value.decode() for name, value in found})

    visit.page.on("request", note)
    return fields


async def test_a_recording_is_shown_by_sentences_that_can_be_heard(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await translated(visit)
        rows = visit.tab.locator("ol > li")
        assert await rows.count() == 2
        assert await rows.nth(1).locator("[lang=en]").inner_text() == SENTENCE
        assert await rows.nth(1).locator("[lang=pt]").inner_text() == f"pt: {SENTENCE}"
        assert "spans of speech: 2" in await visit.tab.get_by_role("img").get_attribute(
            "aria-label"
        )
        await visit.button(f"▶ pt: pt: {SENTENCE}").click()
        await visit.plays()


async def test_a_sentence_plays_its_span_of_the_source_alone(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await translated(visit)
        source = visit.labelled("Source")
        await visit.tab.get_by_role("button", name="▶ 0:00: There are").click()
        await visit.plays()
        await visit.until("document.querySelector('#panel-file audio').paused")
        assert 0.2 < await source.evaluate("media => media.currentTime") < 3.5


async def test_the_waveform_shows_the_recording_and_its_spans(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await translated(visit)
        colours = """(() => {
          const canvas = document.querySelector("#panel-file canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const counts = new Map();
          for (let at = 0; at < data.length; at += 4) {
            const colour = data.slice(at, at + 4).join();
            counts.set(colour, (counts.get(colour) ?? 0) + 1);
          }
          return [...counts.values()].filter((count) => count > 500).length;
        })()"""
        await visit.until(f"{colours} >= 3")  # of spans, of sound, and of neither


async def test_progress_tells_of_the_stages(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await visit.page.evaluate("""
          window.told = [];
          const stage = document.querySelector("#panel-file .row > p");
          new MutationObserver(() => window.told.push(stage.textContent))
            .observe(stage, { childList: true });
        """)
        await translated(visit)
        told = await visit.page.evaluate("window.told")
        kinds = [text.partition(" ")[0] for text in told if text]
        assert list(dict.fromkeys(kinds)) == ["Sending:", "Sent.", "Translated", "Done."]


async def test_warnings_stand_at_their_sentence(browser: Any) -> None:
    event = {**WHOLE["segments"][0], "type": "speech.translation.sentence", "audio": None}
    event["warnings"] = [
        {"code": "number_changed", "message": "m"},
        {"code": "new", "message": "So."},
    ]
    done = {**WHOLE, "type": "speech.translation.done"}
    body = "".join(f"data: {json.dumps(each)}\n\n" for each in (event, done)) + "data: [DONE]\n\n"
    async with visiting(browser, "file", language="pt") as visit:
        await visit.page.route(f"**{PATH}", lambda route: route.fulfill(body=body))
        await visit.choose_file("Ficheiro de áudio ou vídeo")
        await visit.button("Traduzir").click()
        await visit.sees("Pronto. Frases: 1.")
        warnings = visit.tab.locator("li.unsure .warnings li")
        assert await warnings.all_inner_texts() == ["Falta um número na tradução.", "So."]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param("data: {}\n\n", "The answer ended early.", id="cut"),
        pytest.param('data: {"error": {"message": "no room"}}\n\n', "no room", id="error"),
    ],
)
async def test_an_answer_that_breaks_off_is_told(browser: Any, body: str, told: str) -> None:
    body = body.replace(
        "{}", json.dumps({**WHOLE["segments"][0], "type": "speech.translation.sentence"})
    )
    async with visiting(browser, "file") as visit:
        await visit.page.route(f"**{PATH}", lambda route: route.fulfill(body=body))
        await visit.choose_file(FILE)
        await visit.button("Translate").click()
        await visit.tab.get_by_role("alert").get_by_text(told).wait_for()


async def test_a_refusal_is_told_in_place_and_the_next_try_goes(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await visit.choose_file(FILE, data=b"no sound")
        await visit.button("Translate").click()
        await visit.tab.get_by_role("alert").wait_for()
        await translated(visit)
        assert await visit.tab.get_by_role("alert").count() == 0


async def test_without_a_file_it_is_asked_for_one(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await visit.button("Translate").click()
        await visit.tab.get_by_role("alert").get_by_text("Choose a file first.").wait_for()


async def test_a_translation_is_stopped(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        held = asyncio.Event()

        async def hold(route: Any) -> None:
            await held.wait()

        await visit.page.route(f"**{PATH}", hold)
        await visit.choose_file(FILE)
        await visit.button("Translate").click()
        await visit.button("Stop").click()
        await visit.sees("Stopped.")
        held.set()


@pytest.mark.parametrize(
    ("kind", "name"), [("srt", "talk.pt.srt"), ("mp3", "talk.pt.mp3"), ("flac", "talk.pt.flac")]
)
async def test_a_file_is_downloaded(browser: Any, kind: str, name: str) -> None:
    async with visiting(browser, "file") as visit:
        await visit.choose_file(FILE)
        await visit.choice("Result").select_option(kind)
        async with visit.page.expect_download() as coming:
            await visit.button("Translate").click()
        saved = await coming.value
        assert saved.suggested_filename == name
        assert (await _read(saved))[:3] in (
            b"1\n0",
            b"ID3",
            b"\xff\xfb\x90",
            b"fLa",
            b"\xff\xf3\x84",
        )


async def test_what_is_chosen_is_asked_for(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        fields = asked_fields(visit)
        await visit.page.route(f"**{PATH}", lambda route: route.fulfill(body="film"))
        await visit.choose_file(FILE, name="film.mp4", kind="video/mp4")
        await visit.choice("From").select_option("en")
        await visit.choice("Voice").select_option("source")
        await visit.choice("Result").select_option("mp4")
        for label in (
            *("Speak each sentence where it is said", "Keep what is under the voice, quietly"),
            "Subtitles inside the film",
        ):
            await visit.labelled(label).check()
        async with visit.page.expect_download() as coming:
            await visit.button("Translate").click()
        assert (await coming.value).suggested_filename == "film.pt.mp4"
        await visit.choice("Result").select_option("ass")
        await visit.labelled("Subtitles in both languages").check()
        async with visit.page.expect_download():
            await visit.button("Translate").click()
        dubbed = {
            **{"target_language": "pt", "source_language": "en", "voice": "source"},
            **{"response_format": "mp4", "fit": "duration", "background": "duck"},
            "subtitles": "true",
        }
        subtitles = {
            **{"target_language": "pt", "source_language": "en"},
            **{"response_format": "ass", "bilingual": "true"},
        }
        assert fields == [dubbed, subtitles]


async def test_a_long_file_goes_as_a_job_with_its_progress_and_result(browser: Any) -> None:
    async with visiting(browser, "file", fake_config(max_audio_s=2.0)) as visit:
        await visit.choose_file(FILE)
        await visit.button("Translate").click()
        await visit.sees("It goes on below: talk.wav")
        ((path, form),) = visit.api.forms
        assert (path, form["file"]) == ("/v1/jobs", ("talk.wav", spoken()))
        assert form["target_language"] == "pt"
        await visit.sees("0:30 / 2:00")
        bar = visit.tab.get_by_role("progressbar", name="talk.wav")
        assert await bar.evaluate("bar => bar.value") == 0.25
        visit.api.finish(**WHOLE)
        await visit.button("Result: talk.wav").click()
        await visit.sees("Um.")
        await visit.sees("Speaker A · 2.0 s · voices alike: 0.61 of 1")
        await visit.button("▶ pt: Um.").click()
        await visit.plays()  # spoken now, as a job's sentences come without sound


async def test_a_job_is_cancelled(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await visit.choose_file(FILE)
        await visit.labelled("In the background (long files)").check()
        await visit.button("Translate").click()
        await visit.button("Cancel: talk.wav").click()
        await visit.tab.get_by_role("heading", name="Jobs").wait_for(state="hidden")
        assert visit.api.kept == {}


async def test_a_server_that_keeps_nothing_offers_no_jobs(browser: Any) -> None:
    async with visiting(browser, "file", fake_config(max_audio_s=2.0), nothing=True) as visit:
        assert not await visit.labelled("In the background (long files)").is_visible()
        await visit.choose_file(FILE)
        await visit.button("Translate").click()
        await visit.tab.get_by_role("alert").wait_for()


@pytest.mark.parametrize("language", ["curl", "Python", "JavaScript"])
async def test_the_request_as_code_does_what_the_page_does(
    browser: Any, language: str, tmp_path: Path
) -> None:
    runs = {"curl": ["sh", "-c"], "Python": [sys.executable, "-c"], "JavaScript": ["node", "-e"]}
    if shutil.which(runs[language][0]) is None:
        pytest.skip(f"{runs[language][0]} is not here")
    name = 'Ann\'s "talk".wav'
    (tmp_path / name).write_bytes(spoken())
    async with visiting(browser, "file") as visit:
        await visit.choose_file(FILE, name=name)
        await visit.tab.get_by_text("This request as code").click()
        await visit.choice("Language").select_option(language)
        code = await visit.tab.locator("code").inner_text()
        command = [*runs[language], code]
        if language == "JavaScript":
            command.insert(1, "--input-type=module")
        done = await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, capture_output=True)
        assert done.stdout.rstrip().endswith(b"data: [DONE]"), done.stderr


async def test_a_file_is_sent_with_the_key_that_was_asked_for(browser: Any) -> None:
    key, digest = new_key()
    keys = (Key(name="ann", hash=digest, scopes=("infer",)),)
    config = fake_config().model_copy(update={"security": Security(keys=keys)})
    async with visiting(browser, "file", config, key=key) as visit:
        await translated(visit)


async def test_the_code_does_not_hold_the_key(browser: Any) -> None:
    async with visiting(browser, "file") as visit:
        await visit.page.evaluate("sessionStorage.setItem('dragoman.key', 'secret-of-ann')")
        await visit.tab.get_by_text("This request as code").click()
        for language in ("curl", "Python", "JavaScript"):
            await visit.choice("Language").select_option(language)
            code = await visit.tab.locator("code").inner_text()
            assert "DRAGOMAN_KEY" in code
            assert "secret-of-ann" not in code


async def _read(saved: Any) -> bytes:
    return await asyncio.to_thread(Path(await saved.path()).read_bytes)
