"""NVIDIA's Triton client on the shipped models: real speech goes in, the right answers come out."""

from __future__ import annotations

import asyncio

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from tritonclient.http import InferInput, InferRequestedOutput, InferResult

from dragoman_client import Client
from models.audio.samples import to_float32
from tests.support.server import Running
from tests.support.speech import alike, clip, wer
from tests.support.triton import Ask, aio_client, asking, audio, tensor, texts, translation_inputs

ITS_OWN = 0.6  # of its words: as alike are what was said and what was heard, and no two clips


@pytest.fixture
def real(server: Running, colour: str) -> Ask:
    return asking(server.url, colour)


def speech(*stems: str) -> list[InferInput]:
    return audio(*(to_float32(clip(stem).samples()) for stem in stems))


def row_of(result: InferResult, row: int) -> NDArray[np.float32]:
    """The samples of one row of AUDIO, without its padding."""
    samples: NDArray[np.float32] = result.as_numpy("AUDIO")[row]
    return samples[: result.as_numpy("AUDIO_LENGTH")[row, 0]]


def loudness(samples: NDArray[np.float32]) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


SPOKEN = ("en-agent-newlocation", "en-auth-incorrect", "en-vm-newuser", "fr-pls-hold-while-try")


def test_speech_is_heard(real: Ask) -> None:
    results = [real("infer", "asr", speech(stem)) for stem in SPOKEN]
    languages = [language for result in results for language in texts(result, "LANGUAGE")]
    assert languages == [clip(stem).language for stem in SPOKEN]
    heard = [text for result in results for text in texts(result, "TEXT")]
    assert wer([clip(stem).text for stem in SPOKEN], heard) <= 0.2


def test_speech_in_whole_numbers_is_heard(real: Ask) -> None:
    spoken = clip("en-conf-onlyperson")
    (numbers,) = texts(real("infer", "asr", [tensor("AUDIO", [spoken.samples()])]), "TEXT")
    (floats,) = texts(real("infer", "asr", speech("en-conf-onlyperson")), "TEXT")
    assert alike(numbers, floats) > ITS_OWN


def test_speech_of_two_lengths_in_one_request_is_heard(real: Ask) -> None:
    stems = ("en-tt-monkeysintro", "en-auth-incorrect")
    result = real("infer", "asr", speech(*stems))
    for stem, text in zip(stems, texts(result, "TEXT"), strict=True):
        assert alike(clip(stem).text, text) > ITS_OWN


def test_spans_of_speech_lie_in_the_recording(real: Ask) -> None:
    spoken = clip("en-conf-onlyperson")
    result = real("infer", "vad", speech("en-conf-onlyperson"))
    spans = result.as_numpy("SPANS")[0, : result.as_numpy("SPAN_COUNT")[0, 0]]
    assert len(spans)
    assert (np.diff(spans.ravel()) > 0).all()
    assert (spans >= 0).all()
    assert (spans <= spoken.duration_s + 0.1).all()


def test_sentences_in_both_directions_are_translated(real: Ask) -> None:
    inputs = [
        tensor("TEXT", [["Good morning."], ["Bom dia."]]),
        tensor("SOURCE_LANGUAGE", [["en"], ["pt"]]),
        tensor("TARGET_LANGUAGE", [["pt"], ["en"]]),
    ]
    assert texts(real("infer", "nmt", inputs), "TRANSLATION") == ["Bom dia.", "Good morning."]


SAID = {"en": ("tts-en", "Good morning."), "pt": ("tts-pt", "Bom dia.")}


@pytest.mark.parametrize("language", SAID)
def test_a_text_is_spoken(real: Ask, language: str) -> None:
    model, text = SAID[language]
    result = real("infer", model, [tensor("TEXT", [[text]]), tensor("LANGUAGE", [[language]])])
    spoken = row_of(result, 0)
    assert loudness(spoken) > 0.01
    assert len(spoken) / result.as_numpy("SAMPLE_RATE")[0, 0] > 0.4


def test_embeddings_are_those_of_the_other_endpoint(real: Ask, server: Running) -> None:
    """Both take samples of less than 2 s as they are, with the silence in them."""
    clips = [
        clip("en-conf-onlyperson").samples()[:30_000],
        clip("it-queue-youarenext").samples()[:24_000],
    ]
    embeddings = real("infer", "speaker", audio(*map(to_float32, clips))).as_numpy("EMBEDDING")
    others = [raw_embedding(server.url, samples) for samples in clips]
    # The same weights; a batch of two lengths differs from clips alone by rounding.
    np.testing.assert_allclose(embeddings, others, atol=1e-5)


def raw_embedding(url: str, samples: NDArray[np.int16]) -> NDArray[np.float32]:
    headers = {
        "content-type": "audio/pcm; rate=16000; channels=1",
        "accept": "application/octet-stream",
    }
    answer = httpx.post(
        f"{url}/v1/audio/embeddings", content=samples.tobytes(), headers=headers, timeout=60
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    return np.frombuffer(answer.content, np.float32)


def test_speech_is_translated(real: Ask, client: Client) -> None:
    inputs = [*speech("en-tt-monkeysintro"), tensor("TARGET_LANGUAGE", [["pt"]])]
    result = real("infer", "speech_translation", inputs)
    (transcript,) = texts(result, "TRANSCRIPT")
    (translation,) = texts(result, "TRANSLATION")
    assert alike(clip("en-tt-monkeysintro").text, transcript) > ITS_OWN
    assert texts(result, "LANGUAGE") == ["en"]
    (same,) = client.translate_text(transcript, "en", "pt")
    assert alike(translation, same.text) > ITS_OWN
    assert loudness(row_of(result, 0)) > 0.01
    assert texts(result, "VOICE") != [""]


def test_two_speakers_in_one_request_each_have_their_answer(real: Ask) -> None:
    stems = ("en-please-try-call-later", "en-tt-monkeysintro")
    inputs = [*speech(*stems), tensor("TARGET_LANGUAGE", [["pt"], ["pt"]])]
    result = real("infer", "speech_translation", inputs)
    for row, stem in enumerate(stems):
        assert alike(clip(stem).text, texts(result, "TRANSCRIPT")[row]) > ITS_OWN
        assert loudness(row_of(result, row)) > 0.01
        assert not result.as_numpy("AUDIO")[row, len(row_of(result, row)) :].any()


def test_only_texts_are_made_where_only_texts_are_asked_for(real: Ask, client: Client) -> None:
    before = {model.id: model.statistics.items for model in client.models()}
    inputs = [*speech("en-tt-monkeysintro"), tensor("TARGET_LANGUAGE", [["pt"]])]
    outputs = [InferRequestedOutput("TRANSLATION")]
    result = real("infer", "speech_translation", inputs, outputs=outputs)
    after = {model.id: model.statistics.items for model in client.models()}
    assert texts(result, "TRANSLATION") != [""]
    assert after["nmt"] > before["nmt"]
    assert after["tts-pt"] == before["tts-pt"]


def test_users_of_real_models_each_have_their_answer(server: Running) -> None:
    stems = ["en-conf-onlyperson", "fr-pls-hold-while-try", "en-tt-monkeysintro"]
    sentences = {"Good morning.": "Bom dia.", "Please wait.": "Por favor, aguarde."}

    async def all_at_once() -> tuple[list[list[str]], list[list[str]]]:
        async with aio_client(server.url) as client:
            heard = [client.infer("asr", speech(stem)) for stem in stems]
            translated = [client.infer("nmt", translation_inputs(text)) for text in sentences]
            answers = await asyncio.gather(*heard, *translated)
        some = [texts(result, "TEXT") for result in answers[: len(stems)]]
        return some, [texts(result, "TRANSLATION") for result in answers[len(stems) :]]

    heard, translated = asyncio.run(all_at_once())
    for stem, (text,) in zip(stems, heard, strict=True):
        assert alike(clip(stem).text, text) > ITS_OWN, stem
    assert translated == [[text] for text in sentences.values()]
