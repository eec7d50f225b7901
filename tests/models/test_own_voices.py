"""Consents and samples judged by the real recogniser, VAD and speaker model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from deployments.config.schema import AppConfig, ModelConfig
from deployments.config.security import Key, Security
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.library.sealing import Sealing
from deployments.library.store import Store
from deployments.security.keys import new_key
from models.types import SAMPLE_RATE_HZ
from tests.support.asgi import connect
from tests.support.bad_input import wav
from tests.support.fakes import FAKE_NMT, FAKE_TTS
from tests.support.joe import CONSENT, ELSE, said_by_joe
from tests.support.local import fake_fleet
from tests.support.server import ROOT
from tests.support.speech import clips
from tests.support.voices import CONSENTS, VOICES, consent_of, voice_of

SECRETS = {name: new_key() for name in ("anna", "bert")}


@pytest.fixture(scope="module")
def joe() -> dict[str, bytes]:
    """What one voice says: the text of consent, and something else."""
    consent, sample = said_by_joe(CONSENT, ELSE)
    return {"consent": consent, "sample": sample}


@pytest.fixture(scope="module")
def prompts() -> bytes:
    """What another voice says: recorded prompts."""
    pause: NDArray[np.int16] = np.zeros(SAMPLE_RATE_HZ // 2, np.int16)
    said = [part for clip in clips("en")[:3] for part in (clip.samples(), pause)]
    return wav(np.concatenate(said))


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The shipped models hear; a fake that clones speaks."""
    shipped = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    models = shipped["applications"][0]["args"]["models"]
    heard = {name: ModelConfig(**models[name]) for name in ("vad", "asr", "speaker")}
    fakes = {"nmt": ModelConfig(engine=FAKE_NMT), "tts": ModelConfig(engine=FAKE_TTS)}
    keys = tuple(
        Key(name=name, hash=digest, scopes=("infer",)) for name, (_, digest) in SECRETS.items()
    )
    config = AppConfig(models={**heard, **fakes}, security=Security(keys=keys))
    store = Store(tmp_path, Sealing(None), 1 << 30)
    app = asgi_app(await fake_fleet(config), config, Admission(8), store=store)
    async with connect(app) as client:
        _as(client, "anna")
        yield client


def _as(http: httpx.AsyncClient, name: str) -> None:
    http.headers["authorization"] = f"Bearer {SECRETS[name][0]}"


def refused(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["param"]


async def test_a_voice_is_kept_for_one_key_until_it_is_deleted(
    http: httpx.AsyncClient, joe: dict[str, bytes], tmp_path: Path
) -> None:
    consent = (await consent_of(http, joe["consent"], language="en-US")).raise_for_status().json()
    made = await voice_of(http, joe["sample"], consent["id"])
    voice = made.raise_for_status().json()["id"]
    _as(http, "bert")
    assert (await http.get(f"{VOICES}/{voice}/sample")).status_code == 404
    assert (await http.delete(f"{VOICES}/{voice}")).status_code == 404
    _as(http, "anna")
    assert (await http.get(f"{VOICES}/{voice}/sample")).content == joe["sample"]
    assert kept_in(tmp_path)
    await http.delete(f"{CONSENTS}/{consent['id']}")
    assert (await http.get(f"{VOICES}/{voice}/sample")).status_code == 404
    assert kept_in(tmp_path) == []


def kept_in(folder: Path) -> list[Path]:
    """All files but those of the store itself."""
    return [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 10]


async def test_another_text_is_no_consent(http: httpx.AsyncClient, prompts: bytes) -> None:
    answer = await consent_of(http, prompts, language="en")
    assert refused(answer) == (422, "recording")
    assert "something else was heard" in answer.json()["error"]["message"]


async def test_the_text_of_another_language_is_no_consent(
    http: httpx.AsyncClient, joe: dict[str, bytes]
) -> None:
    assert refused(await consent_of(http, joe["consent"], language="fr")) == (422, "recording")


async def test_another_voice_has_not_consented(
    http: httpx.AsyncClient, joe: dict[str, bytes], prompts: bytes
) -> None:
    consent = (await consent_of(http, joe["consent"], language="en")).raise_for_status().json()
    answer = await voice_of(http, prompts, consent["id"])
    assert refused(answer) == (422, "audio_sample")
    assert "and it is another" in answer.json()["error"]["message"]


async def test_two_voices_are_no_sample(
    http: httpx.AsyncClient, joe: dict[str, bytes], prompts: bytes
) -> None:
    consent = (await consent_of(http, joe["consent"], language="en")).raise_for_status().json()
    both = wav(np.concatenate([samples_of(joe["sample"]), samples_of(prompts)]))
    answer = await voice_of(http, both, consent["id"])
    assert refused(answer) == (422, "audio_sample")
    assert "of one speaker" in answer.json()["error"]["message"]


def samples_of(data: bytes) -> NDArray[np.int16]:
    return np.frombuffer(data[44:], "<i2").astype(np.int16)
