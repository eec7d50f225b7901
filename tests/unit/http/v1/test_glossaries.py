"""``/v1/glossaries``, and requests that use what is kept there, on fakes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from deployments.config.schema import ModelConfig
from deployments.http.app import asgi_app
from deployments.http.glossary_fields import GlossaryFields
from deployments.http.middleware.admission import Admission
from deployments.library.sealing import Sealing
from deployments.library.store import Store
from tests.support.asgi import SPEECH, connect, translate
from tests.support.bad_input import TEXT
from tests.support.fakes import TERMED_NMT
from tests.support.local import fake_config, fake_fleet

PATH = "/v1/glossaries"
DEED: dict[str, Any] = {"term": "deed", "language": "en", "translations": {"pt": "escritura"}}
LEGAL: dict[str, Any] = {"name": "legal", "terms": [DEED]}


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    config = fake_config()
    models = {**config.models, "nmt": ModelConfig(engine=TERMED_NMT)}
    config = config.model_copy(update={"models": models})
    store = Store(tmp_path, Sealing(None), 1 << 30)
    app = asgi_app(await fake_fleet(config), config, Admission(64), store=store)
    async with connect(app) as client:
        yield client


@pytest.fixture
async def forgetful() -> AsyncIterator[httpx.AsyncClient]:
    config = fake_config()
    async with connect(asgi_app(await fake_fleet(config), config, Admission(64))) as client:
        yield client


async def kept(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post(PATH, json={**LEGAL, **fields})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def text(http: httpx.AsyncClient, glossary: Any, source: str | None = "en") -> httpx.Response:
    body = {
        "text": "Please sign the deed of the house.",
        "target_language": "pt",
        "glossary": glossary,
    }
    return await http.post(
        TEXT, json=body if source is None else {**body, "source_language": source}
    )


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    told = answer.json()["error"]
    return answer.status_code, told["code"], told["param"]


async def test_a_glossary_is_kept_listed_shown_and_deleted(http: httpx.AsyncClient) -> None:
    made = await kept(http)
    assert made["id"].startswith("gloss_")
    assert made["terms"] == [{**DEED, "sounds": {}, "case_sensitive": False}]
    assert (await http.get(f"{PATH}/{made['id']}")).json() == made
    listed = {name: made[name] for name in made if name != "terms"}
    assert (await http.get(PATH)).json() == {"object": "list", "data": [listed]}
    assert (await http.delete(f"{PATH}/{made['id']}")).json()["deleted"] is True
    assert error(await http.get(f"{PATH}/{made['id']}")) == (404, "not_found", "id")
    assert (await http.get(PATH)).json()["data"] == []


@pytest.mark.parametrize("source", ["en", None], ids=["named", "detected"])
async def test_a_text_is_translated_with_it(http: httpx.AsyncClient, source: str | None) -> None:
    made = await kept(http)
    for glossary in (made["id"], {"terms": [DEED]}):
        (row,) = (await text(http, glossary, source)).json()["translations"]
        assert row["text"] == "pt: Please sign the escritura of the house."


async def test_a_glossary_that_is_gone_is_not_used(http: httpx.AsyncClient) -> None:
    made = await kept(http)
    await text(http, made["id"])
    await http.delete(f"{PATH}/{made['id']}")
    assert error(await text(http, made["id"])) == (404, "not_found", "glossary")


async def test_a_form_has_it_as_json(http: httpx.AsyncClient) -> None:
    term = {"term": "samples", "language": "en", "translations": {"pt": "amostras"}}
    answer = await translate(
        http, SPEECH, target_language="pt", glossary=json.dumps({"terms": [term]})
    )
    assert "16000 amostras" in answer.json()["translation"]["text"]


async def test_speech_is_spoken_as_it_sounds(http: httpx.AsyncClient) -> None:
    term = {"term": "Kestrelle", "language": "en", "sounds": {"en": "kestrel"}}
    asked = {"voice": "fake-en", "response_format": "pcm"}
    texts: list[dict[str, Any]] = [
        {"input": "Ask Kestrelle.", "glossary": {"terms": [term]}},
        {"input": "Ask kestrel."},
        {"input": "Ask Kestrelle."},
    ]
    answers = [await http.post("/v1/audio/speech", json={**asked, **each}) for each in texts]
    told, spelt, plain = (answer.content for answer in answers)
    assert told == spelt != plain


async def test_phonemes_that_a_voice_does_not_take_are_said(http: httpx.AsyncClient) -> None:
    term = {"term": "Niamh", "language": "en", "sounds": {"en": "/niːv/"}}
    body = {"input": "Ask Niamh.", "voice": "fake-en", "glossary": {"terms": [term]}}
    answer = await http.post("/v1/audio/speech", json=body)
    assert answer.headers["x-warnings"] == "sound_unused"


async def test_a_model_that_takes_no_terms_says_so(forgetful: httpx.AsyncClient) -> None:
    (row,) = (await text(forgetful, {"terms": [DEED]})).json()["translations"]
    assert [warning["code"] for warning in row["warnings"]] == ["term_lost"]


async def test_a_server_that_keeps_nothing_says_so(forgetful: httpx.AsyncClient) -> None:
    for answer in (await forgetful.get(PATH), await forgetful.post(PATH, json=LEGAL)):
        assert error(answer)[:2] == (422, "nothing_kept")
    assert error(await text(forgetful, "gloss_0")) == (422, "nothing_kept", "glossary")


@pytest.mark.parametrize(
    ("glossary", "words"),
    [
        pytest.param({"terms": []}, "glossary", id="no-terms"),
        pytest.param({"terms": [DEED] * 1001}, "at most 1000 entries", id="too-many"),
        pytest.param({"terms": [DEED, DEED]}, "has 'deed' twice", id="twice"),
        pytest.param({"terms": [{**DEED, "term": ""}]}, "letter or a digit", id="empty"),
        pytest.param({"terms": [{**DEED, "term": "..."}]}, "letter or a digit", id="signs"),
        pytest.param({"terms": [{**DEED, "term": "a" * 101}]}, "100 characters", id="long"),
        pytest.param({"terms": [{**DEED, "term": "a\x00b"}]}, "no control", id="control"),
        pytest.param({"terms": [{**DEED, "term": "a\ue000"}]}, "private use", id="private-use"),
        pytest.param({"terms": [{**DEED, "term": "a\ud800"}]}, "UTF-8", id="half-a-pair"),
        pytest.param({"terms": [{**DEED, "language": "auto"}]}, "language", id="no-language"),
        pytest.param(
            {"terms": [{**DEED, "translations": {"klingonese": "x"}}]}, "languages", id="unknown"
        ),
        pytest.param({"terms": [{**DEED, "translations": {"en": "x"}}]}, "of en to en", id="same"),
        pytest.param({"terms": [{**DEED, "sounds": {"fr": "x"}}]}, "no word in it", id="sound"),
        pytest.param({"terms": [{**DEED, "more": 1}]}, "not known", id="more"),
        pytest.param({"terms": "deed"}, "list", id="no-list"),
        pytest.param("{", "JSON", id="no-json"),
        pytest.param(7, "glossary", id="number"),
    ],
)
async def test_a_wrong_glossary_is_refused_in_words(
    http: httpx.AsyncClient, glossary: Any, words: str
) -> None:
    body = {"text": "A deed.", "target_language": "pt", "glossary": glossary}
    answer = await http.post(
        TEXT, content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert error(answer) == (400, "invalid_value", "glossary")
    assert words in answer.json()["error"]["message"]


async def test_all_of_a_glossarys_characters_are_bounded(http: httpx.AsyncClient) -> None:
    codes = [f"{a}{b}" for a in "abc" for b in "abcdefg" if f"{a}{b}" != "en"]
    terms = [
        {"term": f"{number}", "language": "en", "translations": dict.fromkeys(codes, "x" * 100)}
        for number in range(60)
    ]
    answer = await http.post(PATH, json={"name": "long", "terms": terms})
    assert "at most 100000 characters" in answer.json()["error"]["message"]


async def test_a_glossary_to_keep_has_a_name(http: httpx.AsyncClient) -> None:
    for body in ({"terms": [DEED]}, {**LEGAL, "name": " "}):
        assert error(await http.post(PATH, json=body)) == (400, "invalid_value", "name")


async def test_a_glossarys_words_are_bounded_before_they_are_read(http: httpx.AsyncClient) -> None:
    codes = [f"{a}{b}" for a in "xyz" for b in "abcdefg"]
    wrong = dict.fromkeys(codes, "\0")
    terms = [{"term": f"{n}", "language": "en", "translations": wrong} for n in range(1000)]
    answer = await http.post(PATH, json={"name": "many", "terms": terms})
    assert "at most 10000 words" in answer.json()["error"]["message"]


def test_a_few_wrong_terms_are_enough_to_refuse_all() -> None:
    wrong = [{**DEED, "term": "\0"}] * 1000
    with pytest.raises(ValidationError) as caught:
        GlossaryFields.model_validate({"terms": wrong})
    assert caught.value.error_count() < 5


async def test_an_id_that_is_not_known_is_not_repeated_at_length(http: httpx.AsyncClient) -> None:
    body = {"text": "A deed.", "target_language": "pt", "glossary": "x" * 100_000}
    answer = await http.post(TEXT, json=body)
    assert error(answer) == (404, "not_found", "glossary")
    assert len(answer.content) < 1000
