"""Fakes that hear a consent read aloud, and an application that keeps voices of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from deployments.config.schema import AppConfig, ModelConfig
from deployments.config.security import Key, Security
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.library.consent_texts import CONSENT_TEXTS
from deployments.library.sealing import Sealing
from deployments.library.store import Store
from models.audio.samples import to_int16
from models.runtime import RuntimeSpec
from models.types import SAMPLE_RATE_HZ, AsrItem, Transcript
from tests.support.asgi import FRAME, connect
from tests.support.bad_input import wav
from tests.support.fakes import FakeAsr, FakeTts, SleepSpeaker
from tests.support.local import FAKES, fake_config, fake_fleet

ANNA, BERT = 700, 701  # the fakes know a voice by its level
LOUD = 1000  # from here on the fakes hear no consent
SAYS_ELSE = 2000
CONSENTS, VOICES = "/v1/audio/voice_consents", "/v1/audio/voices"
KEEPING = {
    "asr": "tests.support.voices:ReadingAsr",
    "speaker": "tests.support.voices:JudgedSpeaker",
}
PLAIN_TTS = "tests.support.voices:PlainTts"


class ReadingAsr(FakeAsr):
    """Hear the text of consent, and in what is loud what ``FakeAsr`` hears."""

    id = "reading-asr"

    def answer(self, item: AsrItem) -> Transcript:
        heard = super().answer(item)
        loudest = int(np.abs(to_int16(item.samples).astype(np.int32)).max(initial=0))
        consent = CONSENT_TEXTS.get(item.language or "")
        if loudest >= LOUD or consent is None or not heard.segments:
            return heard
        text = consent.text
        return replace(heard, text=text, segments=(replace(heard.segments[0], text=f" {text}"),))


class JudgedSpeaker(SleepSpeaker):
    """A speaker model of an engine whose threshold is known."""

    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), engine="ecapa")


class PlainTts(FakeTts):
    """A voice that clones no other."""

    def spec(self) -> RuntimeSpec:
        return replace(super().spec(), cloning_languages=())


def speech_of(*levels: int, each_s: float = 4.0) -> bytes:
    """A WAV file in which one voice after the other speaks."""
    pause = np.zeros(16 * FRAME, np.int16)
    parts: list[Any] = [pause]
    for level in levels:
        frames = round(each_s * SAMPLE_RATE_HZ / FRAME)
        parts += [np.full(frames * FRAME, level, np.int16), pause]
    return wav(np.concatenate(parts))


def keeping_config(keys: Sequence[Key] = (), **engines: str) -> AppConfig:
    """Fakes that judge a consent; ``engines`` other than these."""
    models = {name: ModelConfig(engine=e) for name, e in {**FAKES, **KEEPING, **engines}.items()}
    changes = {"models": models, "security": Security(keys=tuple(keys))}
    return fake_config().model_copy(update=changes)


async def keeping(folder: Path | None, config: AppConfig | None = None) -> httpx.AsyncClient:
    """A client of ``keeping_app``."""
    return connect(await keeping_app(folder, config))


async def keeping_app(folder: Path | None, config: AppConfig | None = None) -> Any:
    """An application that keeps things in a folder; None: it keeps nothing."""
    config = config or keeping_config()
    store = None if folder is None else Store(folder, Sealing(None), 1 << 30)
    return asgi_app(await fake_fleet(config), config, Admission(64), store=store)


async def consent_of(http: httpx.AsyncClient, data: bytes, **fields: str) -> httpx.Response:
    """Ask to keep a consent."""
    form = {"name": "Anna", "language": "pt-BR", **fields}
    return await http.post(CONSENTS, data=form, files={"recording": ("a.wav", data)})


async def voice_of(http: httpx.AsyncClient, data: bytes, consent: str) -> httpx.Response:
    """Ask to make a voice."""
    form = {"name": "Anna", "consent": consent}
    return await http.post(VOICES, data=form, files={"audio_sample": ("a.wav", data)})


async def anna_s_voice(http: httpx.AsyncClient) -> str:
    """The id of a voice that is kept."""
    consent = (await consent_of(http, speech_of(ANNA))).raise_for_status().json()["id"]
    made = (await voice_of(http, speech_of(ANNA), consent)).raise_for_status()
    id: str = made.json()["id"]
    return id
