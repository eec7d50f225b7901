"""Every endpoint over the whole graph, on fakes: what is answered, and to whom."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import unquote

import httpx
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from deployments.batching.dispatcher import BatchReply
from deployments.catalogue.placements import Description
from deployments.catalogue.selection import READY, Fleet
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig, IngressConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.audio import decode as audio_io
from models.errors import Unavailable
from models.types import Kind
from tests.support import bad_input
from tests.support.bad_input import EMBED, SPEAK, TEXT, TEXT_OK, TRANSCRIBE, TRANSLATE, form, wav
from tests.support.clock import settle
from tests.support.fakes import FAKE_TTS, SLEEP
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes, until_queued
from tests.support.speech import clip

LOUD = np.concatenate([np.zeros(8000), np.full(16_000, 700), np.zeros(8000)]).astype(np.int16)
SPEECH = wav(LOUD)
FRAME = 512  # of a VAD: what it finds begins and ends with one
SPOKEN = np.repeat(np.array([0, 700, 0], np.int16), 32 * FRAME)  # 1.024 s of speech in 3.072
SILENCE = wav(np.zeros(16_000, np.int16))
HEARD = "There are 16000 samples. The loudest is 700."
TRANSLATED = "pt: There are 16000 samples. pt: The loudest is 700."


def connect(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    config = fake_config(max_audio_s=120)
    fleet = await fake_fleet(config)
    async with connect(asgi_app(fleet, config, Admission(64))) as client:
        yield client


async def translate(
    http: httpx.AsyncClient, data: bytes = SPEECH, /, **fields: str
) -> httpx.Response:
    return await http.post(TRANSLATE, **form(data, **fields))


# ---- speech translation ----------------------------------------------------------------


async def test_speech_becomes_translated_speech(http: httpx.AsyncClient) -> None:
    answer = (await translate(http)).json()
    assert answer["transcript"] == {"text": HEARD, "language": "en", "language_probability": 0.9}
    assert answer["translation"] == {
        "text": TRANSLATED,
        "language": "pt",
        "pivot": None,
    }
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(answer["audio"]["data"])))
    assert (rate_hz, answer["voice"]) == (16_000, "fake-pt")
    # Two sentences at 800 samples a character, and 0.2 s of silence between them.
    assert len(samples) == (len(TRANSLATED) - 1) * 800 + 3200


async def test_sentences_have_the_times_of_the_recording(http: httpx.AsyncClient) -> None:
    first, second = (await translate(http)).json()["segments"]
    assert first["start_s"] == pytest.approx(0.5, abs=0.01)
    assert second["end_s"] == pytest.approx(1.5, abs=0.01)
    assert first["start_s"] < first["end_s"] <= second["start_s"] < second["end_s"]


async def test_stages_are_timed_with_their_batches(http: httpx.AsyncClient) -> None:
    response = await translate(http, SPEECH, **{"include[]": "embedding"})
    stages = {stage["stage"]: stage for stage in response.json()["timings"]["stages"]}
    assert set(stages) == {"decode", "vad", "asr", "nmt", "tts", "speaker", "encode"}
    assert (stages["nmt"]["items"], stages["nmt"]["batch_size"]) == (2, 2.0)
    assert "nmt;dur=" in response.headers["server-timing"]


async def test_the_embedding_comes_on_request(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(SPOKEN), **{"include[]": "embedding"})).json()
    assert np.flatnonzero(answer["embedding"]).tolist() == [700 % 192]
    assert answer["speech_s"] == 1.024


async def test_the_speaker_s_own_voice_speaks_the_translation(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(SPOKEN), voice="source")).json()
    samples, _ = soundfile.read(
        io.BytesIO(base64.b64decode(answer["audio"]["data"])), dtype="int16"
    )
    assert set(samples) == {0, 700}  # the fake speaks at the level of the voice it hears
    assert (answer["voice"], answer["voice_similarity"]) == ("source", 1.0)


async def test_a_voice_of_the_server_has_no_likeness_to_the_speaker_s(
    http: httpx.AsyncClient,
) -> None:
    assert (await translate(http)).json()["voice_similarity"] is None


async def test_the_likeness_of_the_voice_goes_with_the_audio(http: httpx.AsyncClient) -> None:
    response = await translate(http, wav(SPOKEN), voice="source", response_format="wav")
    assert response.headers["x-voice-similarity"] == "1.0000"


async def test_a_likeness_that_cannot_be_had_loses_no_translation() -> None:
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["speaker"].infer = refuses  # type: ignore[method-assign]
    fleet = await fake_fleet(config, remotes)
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        answer = (await translate(http, voice="source")).json()
    assert (answer["voice"], answer["voice_similarity"]) == ("source", None)


async def refuses(items: Sequence[Any]) -> Any:
    raise Unavailable("no replica answers")


async def test_a_pair_that_no_model_has_goes_through_english(http: httpx.AsyncClient) -> None:
    fields = {"source_language": "pt", "target_language": "fr", "audio_format": "none"}
    answer = (await translate(http, **fields)).json()
    assert answer["segments"][0]["translation"] == "fr: en: There are 16000 samples."
    assert answer["translation"]["pivot"] == "en"


async def test_a_text_goes_through_english_too(http: httpx.AsyncClient) -> None:
    body = {"text": "Olá.", "source_language": "pt", "target_language": "fr"}
    (row,) = (await http.post(TEXT, json=body)).json()["translations"]
    assert (row["text"], row["pivot"]) == ("fr: en: Olá.", "en")


async def test_silence_has_no_segments(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, SILENCE)).json()
    assert (answer["segments"], answer["audio"], answer["transcript"]["text"]) == ([], None, "")


async def test_a_noise_in_which_nothing_is_said_has_no_segments(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(np.full(70 * 16_000, 1, np.int16)))).json()
    assert (answer["segments"], answer["transcript"]["language"]) == ([], None)


async def test_silence_as_audio_is_no_content(http: httpx.AsyncClient) -> None:
    assert (await translate(http, SILENCE, response_format="wav")).status_code == 204


@pytest.mark.parametrize("audio_format", ["wav", "mp3", "opus", "flac"])
async def test_audio_carries_its_text_in_headers(
    http: httpx.AsyncClient, audio_format: str
) -> None:
    response = await translate(http, response_format=audio_format)
    charset, _, encoded = response.headers["x-translation"].partition("''")
    assert (charset, unquote(encoded)) == ("UTF-8", TRANSLATED)
    assert response.headers["content-type"].startswith("audio/")
    assert soundfile.info(io.BytesIO(response.content)).duration > 1


@pytest.mark.parametrize(
    ("subtitle_format", "expected"),
    [
        (
            "srt",
            "1\n00:00:00,500 --> 00:00:03,500\n"
            "pt: There are 16000 samples.\npt: The loudest is 700.\n",
        ),
        (
            "vtt",
            "WEBVTT\n\n00:00:00.500 --> 00:00:03.500\n"
            "pt: There are 16000 samples.\npt: The loudest is 700.\n",
        ),
        (
            "bilingual_srt",
            "1\n00:00:00,500 --> 00:00:01,068\n"
            "There are 16000 samples.\npt: There are 16000 samples.\n",
        ),
        (
            "bilingual_vtt",
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.068\n"
            "There are 16000 samples.\npt: There are 16000 samples.\n",
        ),
    ],
    ids=["srt", "vtt", "bilingual srt", "bilingual vtt"],
)
async def test_subtitles(http: httpx.AsyncClient, subtitle_format: str, expected: str) -> None:
    response = await translate(http, response_format=subtitle_format)
    assert response.text.startswith(expected)


async def test_text_alone_is_not_spoken(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, audio_format="none")).json()
    stages = [stage["stage"] for stage in answer["timings"]["stages"]]
    assert (answer["audio"], "tts" in stages) == (None, False)


async def test_a_long_recording_is_heard_in_windows(http: httpx.AsyncClient) -> None:
    answer = (await translate(http, wav(np.full(70 * 16_000, 9, np.int16)))).json()
    (asr,) = [stage for stage in answer["timings"]["stages"] if stage["stage"] == "asr"]
    # Stretches whose language is told; windows; and their halves, as the fake's text is short.
    assert asr["items"] == 10 + 3 + 6
    starts = [segment["start_s"] for segment in answer["segments"]]
    assert starts == sorted(starts)


async def test_a_pair_that_is_heard_to_be_unsupported_is_named(http: httpx.AsyncClient) -> None:
    response = await translate(http, target_language="en")  # the fake hears English
    assert response.status_code == 422
    assert "en to en; the pairs are en-pt, pt-en" in response.json()["error"]["message"]


async def test_a_language_without_a_voice_is_refused_before_it_is_heard(
    http: httpx.AsyncClient,
) -> None:
    response = await translate(http, target_language="fr")
    assert response.json()["error"]["message"] == "no voice speaks fr; there are voices for en, pt"


# ---- the other endpoints ---------------------------------------------------------------


async def test_one_text_is_translated(http: httpx.AsyncClient) -> None:
    answer = (await http.post(TEXT, json=TEXT_OK)).json()
    languages = {"source_language": "en", "target_language": "pt"}
    row: dict[str, Any] = {"text": "pt: Hello.", **languages, "pivot": None, "warnings": []}
    assert answer["translations"] == [row]


async def test_many_texts_keep_their_order_and_paragraphs(http: httpx.AsyncClient) -> None:
    texts = ["One. Two.", "", "First paragraph.\n\nSecond paragraph."]
    answer = (await http.post(TEXT, json={**TEXT_OK, "text": texts})).json()
    assert [row["text"] for row in answer["translations"]] == [
        "pt: One. pt: Two.",
        "",
        "pt: First paragraph.\n\npt: Second paragraph.",
    ]


async def transcribe(http: httpx.AsyncClient, **fields: str) -> httpx.Response:
    parts: dict[str, Any] = {name: (None, value) for name, value in fields.items()}
    return await http.post(TRANSCRIBE, files={"file": ("a.wav", SPEECH), **parts})


async def test_transcription_json_is_openais(http: httpx.AsyncClient) -> None:
    answer = (await transcribe(http, model="whisper-1")).json()
    assert answer == {"text": HEARD, "usage": {"type": "duration", "seconds": 2.0}}


async def test_transcription_text_is_bare(http: httpx.AsyncClient) -> None:
    assert (await transcribe(http, response_format="text")).text == HEARD + "\n"


async def test_verbose_transcription_has_segments(http: httpx.AsyncClient) -> None:
    answer = (await transcribe(http, response_format="verbose_json")).json()
    assert (answer["language"], answer["duration"]) == ("en", 2.0)
    assert answer["segments"][0]["start"] == pytest.approx(0.5)


class Noting(LocalRemote):
    """Remembers the items that it was sent."""

    def __init__(self, name: str, config: ModelConfig) -> None:
        super().__init__(name, config)
        self.items: list[Any] = []

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        self.items += items
        return await super().infer(items)


async def heard_item(**fields: str) -> Any:
    """What the ASR model is sent for one request."""
    config = fake_config()
    remotes = fake_remotes(config)
    remotes["asr"] = asr = Noting("asr", config.models["asr"])
    async with connect(asgi_app(await fake_fleet(config, remotes), config, Admission(64))) as http:
        await transcribe(http, **fields)
    (item,) = asr.items
    return item


@pytest.mark.parametrize("response_format", ["json", "text", "verbose_json", "srt", "vtt"])
async def test_every_format_is_decoded_with_times(response_format: str) -> None:
    assert (await heard_item(response_format=response_format)).timestamps


@pytest.mark.parametrize(
    ("response_format", "words"),
    [("json", False), ("text", False), ("verbose_json", False), ("srt", True), ("vtt", True)],
)
async def test_words_are_timed_where_the_format_cuts_between_them(
    response_format: str, words: bool
) -> None:
    assert (await heard_item(response_format=response_format)).word_timestamps == words


@pytest.mark.parametrize("audio_format", ["mp3", "wav", "opus", "flac", "aac", "pcm"])
async def test_speech_in_every_format(http: httpx.AsyncClient, audio_format: str) -> None:
    body = {"input": "Hello.", "voice": "fake-en", "response_format": audio_format}
    response = await http.post(SPEAK, json=body)
    assert (response.status_code, len(response.content) > 500) == (200, True)


async def test_speed_is_an_items_own(http: httpx.AsyncClient) -> None:
    body = {"input": "Hello.", "voice": {"id": "fake-en"}, "response_format": "pcm"}
    slow, fast = await asyncio.gather(
        http.post(SPEAK, json={**body, "speed": 0.5}), http.post(SPEAK, json={**body, "speed": 2})
    )
    assert len(slow.content) == 4 * len(fast.content)


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


async def test_models_tell_their_device_and_batches(http: httpx.AsyncClient) -> None:
    await http.post(TEXT, json={**TEXT_OK, "text": ["One.", "Two.", "Three."]})
    rows = {row["id"]: row for row in (await http.get("/v1/models")).json()["data"]}
    assert rows["nmt"]["statistics"]["mean_batch_size"] == 3.0
    assert rows["asr"]["device"]["actual"] == "cpu"


async def test_a_model_answers_to_its_alias(http: httpx.AsyncClient) -> None:
    row = (await http.get("/v1/models/whisper-1")).json()
    assert (row["id"], row["alias_of"], row["kind"]) == ("whisper-1", "asr", "asr")


async def test_voices_are_listed(http: httpx.AsyncClient) -> None:
    rows = (await http.get("/v1/voices")).json()["data"]
    assert [(row["id"], row["language"], row["model"]) for row in rows] == [
        ("fake-pt", "pt", "tts"),
        ("fake-en", "en", "tts"),
    ]


async def test_what_clones_voices_is_told_apart_from_the_voices(http: httpx.AsyncClient) -> None:
    (cloning,) = (await http.get("/v1/voices")).json()["cloning"]
    assert (cloning["voice"], cloning["model"], cloning["languages"]) == ("source", "tts", ["pt"])
    assert "/v1/speech/translations" in cloning["use"]


# ---- who gets what ---------------------------------------------------------------------


async def test_callers_at_once_share_batches_and_keep_their_answers(
    http: httpx.AsyncClient,
) -> None:
    async def one(number: int) -> bool:
        level = 1000 + number
        if number % 2:
            text = f"Number {number}."
            answer = (await http.post(TEXT, json={**TEXT_OK, "text": text})).json()
            return bool(answer["translations"][0]["text"] == f"pt: {text}")
        answer = (await translate(http, wav(np.full(3200, level, np.int16)))).json()
        return f"The loudest is {level}." in answer["transcript"]["text"]

    assert all(await asyncio.gather(*map(one, range(32))))
    rows = {row["id"]: row for row in (await http.get("/v1/models")).json()["data"]}
    assert rows["nmt"]["statistics"]["mean_batch_size"] > 1


async def test_every_answer_has_a_request_id(http: httpx.AsyncClient) -> None:
    for response in (await translate(http), await http.get("/nothing")):
        assert response.headers["x-request-id"]


# ---- refusals --------------------------------------------------------------------------

BAD = bad_input.rows()


@pytest.mark.parametrize("bad", BAD, ids=[bad.id for bad in BAD])
async def test_bad_input_names_its_field(http: httpx.AsyncClient, bad: bad_input.Bad) -> None:
    response = await http.request(bad.method, bad.path, **bad.request)
    error = json.loads(response.content)["error"]
    assert (response.status_code, error["param"]) == (bad.status, bad.param), error
    assert bad.says.lower() in error["message"].lower()
    assert (await http.post(TEXT, json=TEXT_OK)).status_code == 200  # and the server goes on


async def test_a_body_over_the_limit_is_refused_unread() -> None:
    config = fake_config(max_body_bytes=1000)
    fleet = await fake_fleet(config)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(400)

    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        announced = await translate(http)
        headers = {"content-type": "audio/pcm; rate=16000"}
        streamed = await http.post(EMBED, content=endless(), headers=headers)
    assert [announced.status_code, streamed.status_code] == [413, 413]


async def test_more_requests_than_the_server_takes_are_told_when_to_return() -> None:
    config = fake_config()
    fleet = await fake_fleet(config)
    admission = Admission(1)
    async with connect(asgi_app(fleet, config, admission)) as http:
        with admission:
            refused = await http.post(TEXT, json=TEXT_OK)
        served = await http.post(TEXT, json=TEXT_OK)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert served.status_code == 200


READY_PATHS = ("/health/ready", "/v2/health/ready", "/v2/models/asr/ready")


@pytest.mark.parametrize("path", READY_PATHS)
async def test_a_server_without_a_place_is_not_ready_until_there_is_one(path: str) -> None:
    config, admission = fake_config(), Admission(1)
    async with connect(asgi_app(await fake_fleet(config), config, admission)) as http:
        with admission:
            full = await http.get(path)
        free = await http.get(path)
    assert (full.status_code, free.status_code) == (503, 200)
    assert "are running" in full.json()["refusing"]
    assert "refusing" not in free.json()


async def test_a_server_without_room_for_bodies_is_not_ready_until_there_is_some() -> None:
    config = fake_config(max_body_bytes=1_000_000, max_bodies_bytes=1_500_000)
    held, go_on = asyncio.Event(), asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield bytes(900_000)
        held.set()
        await go_on.wait()

    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as http:
        sending = asyncio.create_task(http.post(TEXT, content=stalled()))
        await held.wait()
        full = await http.get("/health/ready")
        go_on.set()
        await sending
        free = await http.get("/health/ready")
    assert (full.status_code, free.status_code) == (503, 200)
    assert "bodies" in full.json()["refusing"]


async def test_draining_refuses_new_requests_and_waits_for_those_that_run() -> None:
    config = fake_config()
    fleet = await fake_fleet(config)
    admission = Admission(8)
    async with connect(asgi_app(fleet, config, admission)) as http:
        with admission:
            drained = asyncio.create_task(admission.drain(10))
            await settle()
            refused = await http.post(TEXT, json=TEXT_OK)
            ready = await http.get("/health/ready")
            assert not drained.done()
        assert await drained
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
    assert ready.status_code == 503


async def test_a_full_queue_says_so() -> None:
    config, answering = fake_config(), asyncio.Event()
    remotes = fake_remotes(config)
    remotes["nmt"].hold_all(answering)
    fleet = await fake_fleet(config, remotes, nmt=BatchPolicy(max_queue_size=1, max_batch_size=1))
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        others = [asyncio.create_task(http.post(TEXT, json=TEXT_OK)) for _ in range(3)]
        await until_queued(fleet.pick("nmt").batcher)
        refused = await http.post(TEXT, json=TEXT_OK)
        answering.set()
        served = await asyncio.gather(*others)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
    assert [answer.status_code for answer in served] == [200] * 3


@pytest.mark.parametrize(
    ("kind", "path"),
    [("speaker", EMBED), ("asr", TRANSCRIBE)],
    ids=["embeddings", "transcriptions"],
)
@pytest.mark.parametrize("cached", [False, True], ids=["no cache", "a cache might know"])
async def test_a_full_queue_refuses_a_file_unread(kind: Kind, path: str, cached: bool) -> None:
    config, answering = fake_config(), asyncio.Event()
    remotes = fake_remotes(config)
    remotes[kind].hold_all(answering)
    policy = BatchPolicy(max_queue_size=1, max_batch_size=1, response_cache=cached)
    fleet = await fake_fleet(config, remotes, **{kind: policy})
    batcher = fleet.pick(kind).batcher
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        speech = {"file": SPEECH}
        others = [asyncio.create_task(http.post(path, files=speech)) for _ in range(3)]
        await until_queued(batcher)
        refused = await http.post(path, files={"file": b"no audio"})
        answering.set()
        served = await asyncio.gather(*others)
    code = "not_audio" if cached else "queue_full"
    assert refused.json()["error"]["code"] == code
    assert [answer.status_code for answer in served] == [200] * 3
    assert batcher.statistics.failures == ({"OTHER": 1} if cached else {"REJECTED": 1})


@pytest.mark.parametrize(
    ("begins", "time_ms", "status", "code"),
    [(False, "50", 503, "queue_deadline_passed"), (True, "2000", 504, "deadline_passed")],
    ids=["before a thread is free", "while it is decoded"],
)
async def test_a_deadline_holds_where_audio_is_decoded(
    begins: bool, time_ms: str, status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end, began = threading.Event(), []
    one_thread = IngressConfig(codec_threads=1)
    config = fake_config().model_copy(update={"ingress": one_thread})
    real = audio_io.decode_steps

    def slow(data: bytes, **options: Any) -> Any:
        began.append(len(data))
        may_end.wait(60)
        return (yield from real(data, **options))

    monkeypatch.setattr(audio_io, "decode_steps", slow)
    async with connect(asgi_app(await fake_fleet(config), config, Admission(64))) as http:
        first = None
        if not begins:
            first = asyncio.create_task(http.post(TRANSCRIBE, files={"file": SPEECH}))
            while not began:
                await asyncio.sleep(0.01)
        timeout = {"x-timeout-ms": time_ms}
        late = await http.post(TRANSCRIBE, files={"file": SPEECH}, headers=timeout)
        may_end.set()
        if first is not None:
            assert (await first).status_code == 200
        after = await http.post(TRANSCRIBE, files={"file": SPEECH})
    assert (late.status_code, late.json()["error"]["code"]) == (status, code)
    assert (after.status_code, len(began)) == (200, 2)


async def test_an_unloaded_model_is_left_out_of_the_list() -> None:
    config = fake_config()
    fleet = await fake_fleet(config)
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        await http.post("/v2/repository/models/tts/unload")
        listed = await http.get("/v1/models")
        alone = await http.get("/v1/models/tts")
    names = [row["id"] for row in listed.json()["data"]]
    assert names == ["vad", "asr", "nmt", "speaker", "whisper-1"]
    assert alone.status_code == 503


async def test_what_the_last_model_could_not_do_in_time_does_not_begin() -> None:
    config = fake_config()
    slow = ModelConfig(engine=FAKE_TTS, options={"base_ms": 300.0})
    config = config.model_copy(update={"models": {**config.models, "tts": slow}})
    remotes = fake_remotes(config)
    fleet = await fake_fleet(config, remotes, tts=BatchPolicy(max_batch_size=1))
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        one = {"input": "Good morning.", "voice": "fake-en", "stream_format": "none"}
        others = asyncio.gather(*(http.post("/v1/audio/speech", json=one) for _ in range(30)))
        while len(remotes["tts"].batches) < 3:  # the first tells what each takes
            await asyncio.sleep(0.01)
        refused = await http.post(TRANSLATE, **form(SPEECH), headers={"x-timeout-ms": "3000"})
        patient = asyncio.create_task(translate(http))
        while not remotes["vad"].batches:
            await asyncio.sleep(0.01)
        others.cancel()
        served = await patient
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
    assert (served.status_code, len(remotes["vad"].batches)) == (200, 1)


async def test_the_callers_deadline_is_kept(http: httpx.AsyncClient) -> None:
    headers = {"x-timeout-ms": "0.001"}
    response = await http.post(TEXT, json=TEXT_OK, headers=headers)
    assert response.status_code in (503, 504)


async def loading_fleet(config: AppConfig, *loading: str) -> Fleet:
    """A fleet of fakes of which some are still loading."""
    remotes = fake_remotes(config)
    for name in loading:
        remotes[name].is_loading = True
    fleet = Fleet(config, remotes)
    fleet.start()
    async with asyncio.timeout(10):
        while list(fleet.readiness().values()).count(READY) < len(remotes) - len(loading):
            await asyncio.sleep(0)
    return fleet


async def test_a_server_that_still_loads_is_not_ready() -> None:
    config = fake_config()
    fleet = await loading_fleet(config, "asr")
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        ready = await http.get("/health/ready")
        refused = await translate(http)
        live = await http.get("/health/live")
    assert (ready.status_code, ready.json()["models"]["asr"]) == (503, "loading")
    assert (refused.status_code, live.status_code) == (503, 200)


async def test_a_language_of_a_model_that_still_loads_is_not_called_unknown() -> None:
    config = fake_config()
    fleet = await loading_fleet(config, "nmt", "tts")
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        refused = await translate(http)
    assert refused.json()["error"]["code"] == "not_ready"


async def test_a_request_larger_than_a_queue_is_served() -> None:
    config = fake_config()
    fleet = await fake_fleet(config, nmt=BatchPolicy(max_queue_size=40, max_batch_size=1))
    many = [" ".join(f"Sentence number {n}." for n in range(20))] * 20
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        response = await http.post(TEXT, json={**TEXT_OK, "text": many})
    assert response.status_code == 200


async def test_a_long_recording_is_heard_in_pieces_that_join(http: httpx.AsyncClient) -> None:
    speech = np.zeros(100 * 16_000, np.int16)
    speech[40 * 16_000 : 42 * 16_000] = 5  # the rest is silence, over six pieces
    answer = (await translate(http, wav(speech), audio_format="none")).json()
    (vad,) = [stage for stage in answer["timings"]["stages"] if stage["stage"] == "vad"]
    first, *_, last = answer["segments"]
    assert vad["items"] == 7
    assert first["start_s"] == pytest.approx(40, abs=0.3)
    assert last["end_s"] == pytest.approx(42, abs=0.3)


async def test_a_priority_that_a_model_does_not_have_is_its_default(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(TEXT, json=TEXT_OK, headers={"x-priority": "2"})
    assert answer.status_code == 200


async def test_a_body_that_never_comes_does_not_keep_its_place() -> None:
    config = fake_config(request_timeout_s=0.01)
    fleet = await fake_fleet(config)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with connect(asgi_app(fleet, config, Admission(1))) as http:
        response = await http.post(TEXT, content=stalled())
    assert (response.status_code, response.json()["error"]["code"]) == (504, "deadline_passed")


async def test_an_alias_of_a_kind_is_a_model() -> None:
    models = {
        "voices-a": ModelConfig(engine=FAKE_TTS),
        "voices-b": ModelConfig(engine=FAKE_TTS),
    }
    config = AppConfig(models=models, aliases={"tts-1": "tts"})
    fleet = await fake_fleet(config)
    async with connect(asgi_app(fleet, config, Admission(4))) as http:
        row = (await http.get("/v1/models/tts-1")).json()
        listed = (await http.get("/v1/models")).json()["data"]
    assert (row["id"], row["alias_of"]) == ("tts-1", "tts")
    assert [(row["id"], row["aliases"]) for row in listed] == [
        ("voices-a", ["tts-1"]),
        ("voices-b", ["tts-1"]),
        ("tts-1", []),
    ]


async def test_a_model_that_cannot_be_looked_at_does_not_stop_the_watch() -> None:
    class Broken(LocalRemote):
        async def describe(self) -> Sequence[Description]:
            if not self.batches:
                self.batches.append(0)
                raise RuntimeError("of a stranger")
            return await super().describe()

    config = fake_config()
    remotes = fake_remotes(config)
    remotes["vad"] = Broken("vad", config.models["vad"])
    fleet = Fleet(config, remotes)
    fleet.start()
    async with asyncio.timeout(10):
        await fleet.warm.wait()
