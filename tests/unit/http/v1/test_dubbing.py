"""``POST /v1/speech/translations`` with ``fit=duration``, and dubbed films, on fakes."""

from __future__ import annotations

import base64
import io

import httpx
import numpy as np
import pytest
import soundfile

from deployments.http.v1.subtitles import subtitle_response
from models.audio.subtitles import Cue
from models.types import AnswerWarning
from tests.support.asgi import SILENCE, SPEECH, translate
from tests.support.bad_input import wav
from tests.support.films import film, tracks_of

RATE_HZ = 16_000
# A second of silence, four of speech, three of silence.
LONG = np.repeat(np.array([0, 700, 700, 700, 700, 0, 0, 0], np.int16), RATE_HZ)


def played(response: httpx.Response) -> tuple[np.ndarray, int]:
    samples, rate_hz = soundfile.read(io.BytesIO(response.content), dtype="int16")
    return samples, rate_hz


async def test_each_sentence_is_heard_where_it_was_said(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(LONG), fit="duration")).json()
    first, second = answer["segments"]
    for row in (first, second):
        assert row["placed"]["start"] == pytest.approx(row["start_s"], abs=0.2)
        assert 0.85 <= row["placed"]["speed"] <= 1.25
    assert first["placed"]["end"] < second["placed"]["start"]
    assert answer["audio"]["duration_s"] == pytest.approx(8.0, abs=0.001)


async def test_the_audio_is_as_long_as_the_recording_and_speaks_at_the_places(
    http: httpx.AsyncClient,
) -> None:
    answer = (await translate(http, wav(LONG), fit="duration")).json()
    data = base64.b64decode(answer["audio"]["data"])
    samples, rate_hz = soundfile.read(io.BytesIO(data), dtype="int16")
    assert len(samples) == len(LONG)
    heard = np.flatnonzero(samples) / rate_hz
    places = [row["placed"] for row in answer["segments"]]
    assert heard[0] == pytest.approx(places[0]["start"], abs=0.05)
    assert heard[-1] == pytest.approx(places[1]["end"], abs=0.05)


async def test_without_fit_there_are_no_places(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(LONG))).json()
    assert all("placed" not in row for row in answer["segments"])


async def test_the_background_is_kept_where_it_is_asked_for(http: httpx.AsyncClient) -> None:
    recorded = wav(LONG + np.int16(1000))
    alone = await translate(http, recorded, fit="duration", response_format="wav")
    ducked = await translate(
        http, recorded, fit="duration", background="duck", response_format="wav"
    )
    assert not played(alone)[0][-100:].any()
    samples, rate_hz = played(ducked)
    assert rate_hz == 32_000
    assert len(samples) == pytest.approx(2 * len(LONG), abs=2)
    assert samples[-100:].all()


async def test_what_is_too_long_for_the_recording_says_so(http: httpx.AsyncClient) -> None:
    response = await translate(http, SPEECH, fit="duration")
    codes = {warning["code"] for warning in response.json()["warnings"]}
    assert "dub_hurried" in codes
    assert "dub_hurried" in response.headers["x-warnings"]
    assert response.json()["audio"]["duration_s"] == 2.0


async def test_speech_that_the_recording_cannot_hold_is_refused(http: httpx.AsyncClient) -> None:
    short = wav(np.full(RATE_HZ // 4, 700, np.int16))
    response = await translate(http, short, fit="duration")
    assert response.status_code == 422
    assert "cannot be spoken" in response.json()["error"]["message"]


@pytest.mark.parametrize("fields", [{}, {"background": "duck"}], ids=["alone", "ducked"])
async def test_silence_has_no_audio(http: httpx.AsyncClient, fields: dict[str, str]) -> None:
    answer = (await translate(http, SILENCE, fit="duration", **fields)).json()
    assert answer["audio"] is None


@pytest.mark.parametrize(
    ("source", "response_format", "media_type"),
    [
        pytest.param(("mp4", "libx264", "aac", 8), "mp4", "video/mp4", id="mp4"),
        pytest.param(("matroska", "libx264", "aac", 8), "mkv", "video/x-matroska", id="mkv"),
        pytest.param(("webm", "libvpx", "libopus", 8), "webm", "video/webm", id="webm"),
    ],
)
async def test_a_film_is_dubbed(
    http: httpx.AsyncClient,
    source: tuple[str, str, str, int],
    response_format: str,
    media_type: str,
) -> None:
    data = film(*source)
    response = await translate(http, data, response_format=response_format, subtitles="true")
    assert (response.status_code, response.headers["content-type"]) == (200, media_type)
    assert int(response.headers["content-length"]) == len(response.content)
    before, tracks = tracks_of(data), tracks_of(response.content)
    assert [track.kind for track in tracks] == ["video", "audio", "audio", "subtitle"]
    assert [track.language for track in tracks[1:]] == ["por", "eng", "por"]
    assert [packet for _, packet in tracks[0].packets] == [
        packet for _, packet in before[0].packets
    ]
    assert "pt%3A%20There" in response.headers["x-translation"]


async def test_subtitles_of_a_film_may_be_bilingual(http: httpx.AsyncClient) -> None:
    asked = {"response_format": "mkv", "subtitles": "true", "bilingual": "true"}
    response = await translate(http, film("mp4", "libx264", "aac", 8), **asked)
    texts = [packet.decode() for _, packet in tracks_of(response.content)[3].packets]
    assert texts[0].startswith("There are")
    assert "\npt: There are" in texts[0]


async def test_a_film_in_which_nothing_is_said_is_no_answer(http: httpx.AsyncClient) -> None:
    silent = film("mp4", "libx264", "aac", 2, loudness=0.0)
    response = await translate(http, silent, response_format="mp4")
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize(
    ("data", "fields", "status", "param", "words"),
    [
        pytest.param(SPEECH, {"background": "duck"}, 400, "background", "fit=duration", id="duck"),
        pytest.param(SPEECH, {"subtitles": "true"}, 400, "subtitles", "mp4 or mkv", id="subtitles"),
        pytest.param(SPEECH, {"bilingual": "true"}, 400, "bilingual", "srt", id="bilingual"),
        pytest.param(
            SPEECH,
            {"bilingual": "true", "response_format": "mp4"},
            400,
            "bilingual",
            "subtitles=true",
            id="bilingual-film",
        ),
        pytest.param(
            SPEECH, {"fit": "duration", "stream": "true"}, 400, "stream", "fit", id="stream"
        ),
        pytest.param(
            SPEECH, {"fit": "duration", "speed": "1.5"}, 400, "speed", "chooses", id="speed"
        ),
        pytest.param(
            SPEECH, {"fit": "duration", "audio_format": "none"}, 400, "fit", "audio", id="no-audio"
        ),
        pytest.param(
            SPEECH, {"fit": "duration", "response_format": "srt"}, 400, "fit", "audio", id="srt"
        ),
        pytest.param(
            SPEECH, {"response_format": "mp4"}, 400, "response_format", "pictures", id="no-film"
        ),
        pytest.param(
            film(), {"response_format": "webm"}, 422, "response_format", "mp4 or mkv", id="codec"
        ),
        pytest.param(SPEECH, {"fit": "tight"}, 400, "fit", "'none' or 'duration'", id="unknown"),
    ],
)
async def test_what_does_not_go_together_is_refused_in_words(
    http: httpx.AsyncClient,
    data: bytes,
    fields: dict[str, str],
    status: int,
    param: str,
    words: str,
) -> None:
    response = await translate(http, data, **fields)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (status, param)
    assert words in error["message"]


@pytest.mark.parametrize(
    ("name", "media_type", "begins"),
    [
        pytest.param("ttml", "application/ttml+xml", '<?xml version="1.0"', id="ttml"),
        pytest.param("ass", "text/x-ssa", "[Script Info]", id="ass"),
    ],
)
@pytest.mark.parametrize("bilingual", ["true", "false"])
async def test_subtitles_come_in_every_format(
    http: httpx.AsyncClient, name: str, media_type: str, begins: str, bilingual: str
) -> None:
    response = await translate(http, wav(LONG), response_format=name, bilingual=bilingual)
    assert response.headers["content-type"].startswith(media_type)
    assert response.text.startswith(begins)
    assert ("There are 64000 samples." in response.text.replace("pt: There", "")) == (
        bilingual == "true"
    )


def test_subtitles_that_pass_too_quickly_are_told() -> None:
    warnings: list[AnswerWarning] = []
    subtitle_response("srt", [Cue(0.0, 1.0, ("too much",), reading_s=3.0)], "pt", warnings)
    assert [warning.code for warning in warnings] == ["subtitle_too_fast"]
