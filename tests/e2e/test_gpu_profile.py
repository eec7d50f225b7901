"""The GPU profile over HTTP, on the CPU, with small weights of each published layout.

Whisper is the shipped one. M2M100, YourTTS and ECAPA have random values: what they say means
nothing, but every file is read, every stage runs, and the answer is whole.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from dragoman_client import Client, UnknownVoice
from tests.support.joe import CONSENT, ELSE, said_by_joe
from tests.support.published import ecapa, m2m100, yourtts
from tests.support.server import ROOT, Running, config_on_a_free_port, running
from tests.support.speech import clip

PROFILE = ROOT / "deploy" / "serve_config.gpu.yaml"
LONG_ENOUGH = "en-agent-newlocation"  # 3 s of speech: a voice to speak in


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    config = yaml.safe_load(PROFILE.read_text())
    models = config["applications"][0]["args"]["models"]
    on_a_cpu_with_small_weights(models, tmp_path_factory.mktemp("weights"))
    kept = str(tmp_path_factory.mktemp("library"))
    config["applications"][0]["args"]["library"] = {"folder": kept}
    with running(config_on_a_free_port(tmp_path_factory.mktemp("profile"), config)) as server:
        yield server


def on_a_cpu_with_small_weights(models: dict[str, Any], folder: Path) -> None:
    shipped = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    asr = shipped["applications"][0]["args"]["models"]["asr"]
    models["asr"]["weights"] = asr["weights"]
    for name, layout in {"nmt": m2m100, "tts": yourtts, "speaker": ecapa}.items():
        layout.build(folder / name)
        models[name]["weights"] = f"path:{folder / name}"
    for model in models.values():
        model["device"] = "auto" if model["device"] == "cuda" else model["device"]
        model.pop("sha256", None)
    models["tts"]["accept_license"] = True


@pytest.fixture(scope="module")
def client(profile: Running) -> Iterator[Client]:
    with Client(profile.url, timeout=120) as client:
        yield client


def test_speech_comes_back_in_the_speaker_s_own_voice(client: Client) -> None:
    answer = client.translate_speech(clip(LONG_ENOUGH).path, "pt", voice="source")
    assert answer.audio is not None
    samples, rate_hz = soundfile.read(io.BytesIO(answer.audio.data))
    assert (answer.voice, rate_hz) == ("source", 16_000)
    assert np.abs(samples).max() > 0
    assert answer.voice_similarity is not None
    assert -1 <= answer.voice_similarity <= 1


def test_a_voice_of_one_s_own_speaks_until_it_is_deleted(client: Client) -> None:
    recording, sample = said_by_joe(CONSENT, ELSE)
    consent = client.add_consent(recording, "en", "Joe")
    voice = client.add_voice(sample, consent.id, "Joe")
    spoken = client.speak("So be it.", voice=voice.id, language="en")
    assert soundfile.info(io.BytesIO(spoken.audio)).duration > 0
    client.delete_voice(voice.id)
    with pytest.raises(UnknownVoice):
        client.speak("So be it.", voice=voice.id, language="en")


def test_any_two_of_a_hundred_languages_share_one_server(client: Client) -> None:
    pairs = [("pt", "ja"), ("ar", "fr"), ("sw", "en")]
    answers = [
        answer
        for source, target in pairs
        for answer in client.translate_text("So be it.", source, target)
    ]
    assert [(a.source_language, a.target_language, a.pivot) for a in answers] == [
        (source, target, None) for source, target in pairs
    ]


def test_a_voice_of_the_checkpoint_speaks(client: Client) -> None:
    voice = next(voice for voice in client.voices() if voice.language == "fr")
    spoken = client.speak("Bonjour à tous.", voice=voice.id, response_format="wav")
    assert soundfile.info(io.BytesIO(spoken.audio)).duration > 0


def test_each_clip_has_an_embedding_of_192(client: Client) -> None:
    (embedding,) = client.embed(clip(LONG_ENOUGH).path)
    assert len(embedding.values) == 192
