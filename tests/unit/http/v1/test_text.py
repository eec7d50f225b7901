"""``POST /v1/text/translations``, on fakes."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from deployments.config.policy import BatchPolicy
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import (
    connect,
)
from tests.support.bad_input import TEXT, TEXT_OK
from tests.support.local import fake_config, fake_fleet, fake_remotes, until_queued


async def test_a_text_goes_through_english_too(http: httpx.AsyncClient) -> None:
    body = {"text": "Olá.", "source_language": "pt", "target_language": "fr"}
    (row,) = (await http.post(TEXT, json=body)).json()["translations"]
    assert (row["text"], row["pivot"]) == ("fr: en: Olá.", "en")


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


async def test_a_request_larger_than_a_queue_is_served() -> None:
    config = fake_config()
    fleet = await fake_fleet(config, nmt=BatchPolicy(max_queue_size=40, max_batch_size=1))
    many = [" ".join(f"Sentence number {n}." for n in range(20))] * 20
    async with connect(asgi_app(fleet, config, Admission(64))) as http:
        response = await http.post(TEXT, json={**TEXT_OK, "text": many})
    assert response.status_code == 200
