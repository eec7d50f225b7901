"""Jobs that dub, and jobs with what their callers keep: as the endpoint, over any length."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.support.asgi import SPEECH
from tests.support.bad_input import form, wav
from tests.support.films import film, tracks_of
from tests.support.jobs import JobServer, job_config, job_server, minutes

TRANSLATE = "/v1/speech/translations"
TO_PT = {"target_language": "pt"}
LONG_ENOUGH = wav(np.repeat(np.array([0, 700, 700, 700, 700, 0, 0, 0], np.int16), 16_000))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JobServer]:
    async with job_server(job_config(tmp_path)) as made:
        yield made


def timeless(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in ("id", "timings")}


async def test_each_sentence_is_heard_where_it_was_said(server: JobServer) -> None:
    fields = {**TO_PT, "fit": "duration"}
    own = await server.http.post(TRANSLATE, **form(LONG_ENOUGH, **fields))
    result = await server.result(LONG_ENOUGH, **fields)
    assert timeless(result.json()) == timeless(own.json())


async def test_the_track_of_a_long_recording_is_as_long_as_that(server: JobServer) -> None:
    data = minutes(6)
    result = (await server.result(data, **TO_PT, fit="duration", audio_format="flac")).json()
    assert result["audio"]["duration_s"] == pytest.approx(360.0, abs=0.001)
    for row in result["segments"]:
        assert row["placed"]["start"] == pytest.approx(row["start_s"], abs=1.0)
    assert result["segments"][-1]["placed"]["start"] > 300


async def test_the_background_is_kept_under_the_voice(server: JobServer) -> None:
    fields = {**TO_PT, "fit": "duration", "background": "duck", "response_format": "wav"}
    own = await server.http.post(TRANSLATE, **form(LONG_ENOUGH, **fields))
    result = await server.result(LONG_ENOUGH, **fields)
    (expected, _), (samples, rate_hz) = (
        soundfile.read(io.BytesIO(each.content), dtype="int16") for each in (own, result)
    )
    assert (rate_hz, len(samples)) == (32_000, len(expected))
    assert result.headers["x-synthetic-speech"] == "true"


@pytest.mark.parametrize(
    ("container", "pictures", "sound"),
    [("mp4", "libx264", "aac"), ("mkv", "libx264", "aac"), ("webm", "libvpx", "libopus")],
)
async def test_a_film_is_dubbed(
    server: JobServer, container: str, pictures: str, sound: str
) -> None:
    muxer = {"mkv": "matroska"}.get(container, container)
    data = film(muxer, pictures, sound, seconds=8)
    fields = {**TO_PT, "response_format": container, "subtitles": "true"}
    own = await server.http.post(TRANSLATE, **form(data, **fields))
    result = await server.result(data, **fields)
    assert own.status_code == 200, own.text
    assert result.headers["content-type"] == own.headers["content-type"]
    shown = [[(t.kind, t.codec, t.language, t.is_default) for t in tracks_of(each.content)]
             for each in (own, result)]  # fmt: skip
    assert shown[0] == shown[1]
    assert [kind for kind, *_ in shown[0]] == ["video", "audio", "audio", "subtitle"]
    names = ("x-transcript", "x-translation", "x-synthetic-speech")
    assert {n: result.headers[n] for n in names} == {n: own.headers[n] for n in names}


async def test_what_is_no_film_is_refused_before_it_is_heard(server: JobServer) -> None:
    fields = {**TO_PT, "response_format": "mp4"}
    own = await server.http.post(TRANSLATE, **form(SPEECH, **fields))
    job = await server.over(await server.create(SPEECH, **fields))
    error = own.json()["error"]
    assert (job["status"], job["error"]["code"]) == ("failed", error["code"])
    assert server.remotes["asr"].batches == []


GLOSSARY = {
    "name": "names",
    "terms": [{"term": "samples", "language": "en", "translations": {"pt": "amostras"}}],
}


@pytest.mark.parametrize("kind", ["translation", "transcription"])
async def test_a_glossary_is_used(server: JobServer, kind: str) -> None:
    kept = await server.http.post("/v1/glossaries", json=GLOSSARY)
    fields = TO_PT if kind == "translation" else {}
    path = TRANSLATE if kind == "translation" else "/v1/audio/transcriptions"
    own = await server.http.post(path, **form(SPEECH, **fields, glossary=json.dumps(GLOSSARY)))
    assert own.status_code == 200, own.text
    for glossary in (json.dumps(GLOSSARY), kept.json()["id"]):
        result = await server.result(SPEECH, kind=kind, **fields, glossary=glossary)
        assert timeless(result.json()) == timeless(own.json())


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"glossary": "gloss_" + "0" * 24}, 404, "glossary"),
        ({"voice": "voice_" + "0" * 24}, 404, "voice"),
        ({"background": "duck"}, 400, "background"),
        ({"fit": "duration", "speed": "1.5"}, 400, "speed"),
    ],
    ids=str,
)
async def test_what_its_caller_does_not_keep_is_refused(
    server: JobServer, fields: dict[str, str], status: int, param: str
) -> None:
    files = {"file": ("a.wav", SPEECH)}
    answer = await server.http.post("/v1/jobs", data={**TO_PT, **fields}, files=files)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
