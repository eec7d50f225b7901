"""The whole application where another service translates: terms, doubts, and its faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from deployments.config.schema import AppConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import connect
from tests.support.bad_input import TEXT
from tests.support.chat_service import ChatService, Reply, chat_service, said
from tests.support.local import fake_fleet, fake_remotes

ASKED = {"text": "Send the deed today.", "source_language": "en", "target_language": "pt"}
DEED = {"term": "deed", "language": "en", "translations": {"pt": "escritura"}}


@pytest.fixture
def service() -> Iterator[ChatService]:
    with chat_service(lambda call: said("Envie a escritura hoje.")) as running:
        yield running


@pytest.fixture
async def http(service: ChatService) -> AsyncIterator[httpx.AsyncClient]:
    options = {"url": service.url, "model": "some-model", "retries": 0}
    config = AppConfig(models={"nmt": ModelConfig(engine="openai-chat", options=options)})
    remotes = fake_remotes(config)
    fleet = await fake_fleet(config, remotes)
    async with connect(asgi_app(fleet, config, Admission(64))) as client:
        yield client
    remotes["nmt"].close()


async def test_the_model_tells_where_texts_go(
    http: httpx.AsyncClient, service: ChatService
) -> None:
    row = (await http.get("/v1/models/nmt")).json()
    assert f"http://{row['sends_to']}/v1" == service.url


async def test_terms_of_a_glossary_reach_the_service(
    http: httpx.AsyncClient, service: ChatService
) -> None:
    answer = await http.post(TEXT, json={**ASKED, "glossary": {"terms": [DEED]}})
    (row,) = answer.json()["translations"]
    assert (row["text"], row["warnings"]) == ("Envie a escritura hoje.", [])
    assert '"deed": "escritura"' in service.calls[0].asked


async def test_a_doubtful_answer_has_its_warning(
    http: httpx.AsyncClient, service: ChatService
) -> None:
    service.answer = lambda call: said("Envie isso hoje.")
    answer = await http.post(TEXT, json={**ASKED, "glossary": {"terms": [DEED]}})
    assert answer.headers["x-warnings"] == "term_lost"


async def test_a_busy_service_is_tried_later(http: httpx.AsyncClient, service: ChatService) -> None:
    service.answer = lambda call: Reply(429)
    answer = await http.post(TEXT, json=ASKED)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (503, "unavailable")
    assert "429" in error["message"]
    assert answer.headers["retry-after"] == "1"


async def test_a_text_that_is_refused(http: httpx.AsyncClient, service: ChatService) -> None:
    service.answer = lambda call: said(None, refusal="no")
    answer = await http.post(TEXT, json=ASKED)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "text")
