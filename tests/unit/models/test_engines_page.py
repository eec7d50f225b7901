"""The page on engines of one's own: its files, as they stand there, are served."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from deployments.config.files import load
from deployments.config.schema import AppConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.contract.checks import check_engine
from models.registry import find_engine
from tests.support.engines_page import write_files
from tests.support.local import fake_fleet

KINDS = ["vad", "asr", "nmt", "tts", "speaker"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of the page, in a folder from which Python imports."""
    made = tmp_path_factory.mktemp("engines")
    write_files(made)
    sys.path.insert(0, str(made))
    yield made
    sys.path.remove(str(made))


@pytest.fixture(scope="module")
def config(folder: Path) -> AppConfig:
    return load(folder / "serve_config.yaml").applications[0].args


@pytest.fixture
async def http(config: AppConfig) -> AsyncIterator[httpx.AsyncClient]:
    app = asgi_app(await fake_fleet(config), config, Admission(64))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_of_the_page_keeps_the_contract(config: AppConfig, kind: str) -> None:
    model = config.models[kind]
    checks = check_engine(find_engine(model.engine), model.settings(kind))
    assert [check for check in checks if check.status != "ok"] == []


async def test_the_translator_of_the_page_answers(http: httpx.AsyncClient) -> None:
    asked = {"text": "Good morning.", "source_language": "en", "target_language": "pt"}
    answer = await http.post("/v1/text/translations", json=asked)
    assert answer.status_code == 200, answer.text
    assert "bom dia." in answer.text


async def test_the_engines_of_the_page_translate_speech_together(http: httpx.AsyncClient) -> None:
    asked = {"input": "Bom dia.", "voice": "tones", "response_format": "wav"}
    spoken = await http.post("/v1/audio/speech", json=asked)
    assert spoken.status_code == 200, spoken.text
    answer = await http.post(
        "/v1/speech/translations",
        files={"file": ("tones.wav", spoken.content)},
        data={"target_language": "pt"},
    )
    assert answer.status_code == 200, answer.text
    assert "bip." in answer.text
