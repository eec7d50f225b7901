"""``POST /v1/audio/embeddings``, on fakes: forms, raw samples and comparisons."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from deployments.config.schema import AppConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import (
    FRAME,
    SPOKEN,
    connect,
)
from tests.support.bad_input import EMBED, wav
from tests.support.fakes import SLEEP
from tests.support.local import fake_config, fake_fleet
from tests.support.speech import clip


async def test_many_clips_are_embedded_in_one_request(http: httpx.AsyncClient) -> None:
    files = [("file", (f"{n}.wav", wav(np.full(1600, n, np.int16)))) for n in range(5)]
    rows = (await http.post(EMBED, files=files)).json()["data"]
    assert [int(np.argmax(row["embedding"])) for row in rows] == [0, 1, 2, 3, 4]


async def test_raw_samples_give_a_raw_embedding(http: httpx.AsyncClient) -> None:
    headers = {"content-type": "audio/pcm; rate=16000", "accept": "application/octet-stream"}
    content = np.full(16_000, 42, "<i2").tobytes()
    response = await http.post(EMBED, content=content, headers=headers)
    assert np.flatnonzero(np.frombuffer(response.content, "<f4")).tolist() == [42]


async def test_raw_samples_of_two_channels_are_mixed(http: httpx.AsyncClient) -> None:
    headers = {
        "content-type": "audio/pcm; rate=16000; channels=2",
        "accept": "application/json;q=0.1, application/octet-stream",
    }
    content = np.tile(np.array([30, 54], "<i2"), 16_000).tobytes()
    response = await http.post(EMBED, content=content, headers=headers)
    assert np.flatnonzero(np.frombuffer(response.content, "<f4")).tolist() == [42]


async def test_raw_samples_give_json_where_that_is_preferred(http: httpx.AsyncClient) -> None:
    headers = {
        "content-type": "audio/pcm; rate=16000; channels=2",
        "accept": "application/octet-stream;q=0.1, application/json",
    }
    response = await http.post(EMBED, content=bytes(64_000), headers=headers)
    assert response.json()["data"][0]["duration_s"] == 1


WRONG_SAMPLES = {"half a sample": (b"odd", 400), "none": (b"", 400), "too many": (bytes(98), 413)}


@pytest.mark.parametrize(("content", "status"), WRONG_SAMPLES.values(), ids=WRONG_SAMPLES)
async def test_wrong_samples_are_told_before_an_unloaded_model(content: bytes, status: int) -> None:
    config = fake_config(max_audio_s=0.001)
    fleet = await fake_fleet(config)
    await fleet.directory.unload("speaker")
    headers = {"content-type": "audio/pcm; rate=16000"}
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        refused = await http.post(EMBED, content=content, headers=headers)
    assert (refused.status_code, refused.json()["error"]["param"]) == (status, "file")


async def test_a_file_that_was_cut_is_taken_with_a_warning(http: httpx.AsyncClient) -> None:
    data = clip("en-conf-onlyperson").path.read_bytes()
    files = {"file": ("a.flac", data[: len(data) // 2])}
    response = await http.post(EMBED, files=files)
    assert response.status_code == 200
    assert response.headers["x-warnings"] == "audio_cut_short"


def voices(field: str, *speakers: int) -> list[tuple[str, tuple[str, bytes]]]:
    """Clips of a form: the fake's embeddings of one speaker are equal, of two orthogonal."""
    return [(field, ("a.wav", wav(np.full(8000, speaker, np.int16)))) for speaker in speakers]


RAW_JSON = {"content-type": "audio/pcm; rate=16000", "accept": "application/json"}


async def embedded(http: httpx.AsyncClient, samples: NDArray[np.int16], way: str) -> httpx.Response:
    """A clip as a file, or as raw samples."""
    if way == "raw":
        return await http.post(EMBED, content=samples.astype("<i2").tobytes(), headers=RAW_JSON)
    return await http.post(EMBED, files={"file": ("a.wav", wav(samples))})


@pytest.mark.parametrize("way", ["file", "raw"])
async def test_the_speech_of_a_clip_is_embedded_alone(http: httpx.AsyncClient, way: str) -> None:
    (row,) = (await embedded(http, SPOKEN, way)).json()["data"]
    assert np.flatnonzero(row["embedding"]).tolist() == [700 % 192]
    assert (row["duration_s"], row["speech_s"]) == (3.072, 1.024)


async def test_short_raw_samples_are_taken_as_they_are(http: httpx.AsyncClient) -> None:
    samples = np.repeat(np.array([0, 700], np.int16), 16 * FRAME)
    answer = (await embedded(http, samples, "raw")).json()
    (row,) = answer["data"]
    assert (int(np.argmax(row["embedding"])), row["speech_s"], answer["warnings"]) == (0, None, [])


HOW_MUCH: dict[str, tuple[int, float, list[str]]] = {  # frames of speech: seconds, warnings
    "enough": (32, 1.024, []),
    "little": (16, 0.512, ["little_speech"]),
    "none": (0, 0.0, ["no_speech"]),
}


@pytest.mark.parametrize("way", ["file", "raw"])
@pytest.mark.parametrize(("frames", "speech_s", "codes"), HOW_MUCH.values(), ids=HOW_MUCH)
async def test_an_embedding_tells_of_how_much_speech_it_is(
    http: httpx.AsyncClient, frames: int, speech_s: float, codes: list[str], way: str
) -> None:
    samples = np.zeros(80 * FRAME, np.int16)
    samples[: frames * FRAME] = 700
    response = await embedded(http, samples, way)
    answer = response.json()
    assert answer["data"][0]["speech_s"] == speech_s
    assert [warning["code"] for warning in answer["warnings"]] == codes
    assert response.headers.get("x-warnings", "") == ", ".join(codes)


async def test_a_clip_without_speech_is_no_speaker(http: httpx.AsyncClient) -> None:
    files = voices("file", 0) + voices("compare", 0)
    response = await http.post(EMBED, files=files, data={"threshold": "0.5"})
    (row,) = response.json()["comparisons"]
    assert (row["same_speaker"], row["speech_s"]) == (None, 0.0)


async def test_without_a_vad_a_clip_is_taken_as_it_is() -> None:
    config = AppConfig(models={"speaker": ModelConfig(engine=SLEEP)})
    fleet = await fake_fleet(config)
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        (row,) = (await embedded(http, SPOKEN, "file")).json()["data"]
    assert (int(np.argmax(row["embedding"])), row["speech_s"]) == (0, None)


async def test_a_speaker_is_verified(http: httpx.AsyncClient) -> None:
    data = {"threshold": "0.5"}
    same, other = await asyncio.gather(
        *(
            http.post(EMBED, files=voices("file", 7) + voices("compare", claimed), data=data)
            for claimed in (7, 8)
        )
    )
    assert same.json()["threshold"] == 0.5
    assert same.json()["comparisons"] == [
        {
            "index": 0,
            "compare_index": 0,
            "rank": 1,
            "cosine": 1.0,
            "same_speaker": True,
            "threshold": 0.5,
            "speech_s": 0.5,
        }
    ]
    (row,) = other.json()["comparisons"]
    assert (row["cosine"], row["same_speaker"]) == (0.0, False)


async def test_a_search_is_ranked(http: httpx.AsyncClient) -> None:
    files = voices("file", 3) + voices("compare", 1, 2, 3, 4)
    response = await http.post(EMBED, files=files, data={"top_k": "2"})
    rows = response.json()["comparisons"]
    assert [(row["rank"], row["compare_index"], row["cosine"]) for row in rows] == [
        (1, 2, 1.0),
        (2, 0, 0.0),
    ]


async def test_every_file_is_compared_with_every_clip(http: httpx.AsyncClient) -> None:
    files = voices("compare", 1, 2) + voices("file", 2, 1)
    rows = (await http.post(EMBED, files=files)).json()["comparisons"]
    assert [(row["index"], row["compare_index"]) for row in rows] == [
        (0, 1),
        (0, 0),
        (1, 0),
        (1, 1),
    ]


async def test_an_engine_without_a_threshold_does_not_judge(http: httpx.AsyncClient) -> None:
    answer = (await http.post(EMBED, files=voices("file", 1) + voices("compare", 1))).json()
    assert (answer["threshold"], answer["comparisons"][0]["same_speaker"]) == (None, None)


async def test_a_comparison_may_leave_the_embeddings_out(http: httpx.AsyncClient) -> None:
    files = voices("file", 1) + voices("compare", 1)
    response = await http.post(EMBED, files=files, data={"include_embedding": "false"})
    assert response.json()["data"] == [
        {"object": "embedding", "index": 0, "duration_s": 0.5, "speech_s": 0.5}
    ]


async def test_all_clips_of_a_comparison_share_batches(http: httpx.AsyncClient) -> None:
    files = voices("file", 1) + voices("compare", *range(7))
    stages = (await http.post(EMBED, files=files)).json()["timings"]["stages"]
    (speaker,) = (stage for stage in stages if stage["stage"] == "speaker")
    assert (speaker["items"], speaker["batch_size"] > 1) == (8, True)
