"""The description of the HTTP API: whole, valid, up to date, and there to be read offline."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from deployments.config.security import Key, Security
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.openapi.__main__ import FILE, text
from deployments.http.openapi.document import OPERATIONS, document
from deployments.http.openapi.page import ASSETS, SCRIPT
from deployments.security.keys import new_key
from deployments.security.scopes import ANY, NOBODY_ASKED, RIGHTS
from tests.support.local import fake_config, fake_fleet


@pytest.fixture
async def stranger() -> AsyncIterator[httpx.AsyncClient]:
    """Give a client without a key, where one is needed."""
    _, digest = new_key()
    security = Security(keys=(Key(name="operator", hash=digest, scopes=("admin",)),))
    config = fake_config().model_copy(update={"security": security})
    transport = httpx.ASGITransport(asgi_app(await fake_fleet(config), config, Admission(8)))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def described() -> dict[str, dict[str, Any]]:
    """Return every operation by its id."""
    return {
        operation["operationId"]: operation
        for path in document()["paths"].values()
        for operation in path.values()
    }


def test_every_route_is_described() -> None:
    assert set(OPERATIONS) == set(RIGHTS)


def test_the_file_is_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m deployments.http.openapi"


def test_it_is_valid() -> None:
    validate(document(), cls=OpenAPIV31SpecValidator)


def test_every_operation_has_an_id_of_its_own() -> None:
    assert len(described()) == len(OPERATIONS)


@pytest.mark.parametrize("route", RIGHTS, ids=" ".join)
def test_scopes_are_those_that_the_door_asks_for(route: tuple[str, str]) -> None:
    shown = described()[OPERATIONS[route].id]["security"]
    scopes = RIGHTS[route]
    if scopes == NOBODY_ASKED:
        assert shown == []
    else:
        named = {scope for each in shown for scope in each["key"]}
        assert named == (set() if scopes == ANY else scopes)


def test_a_refusal_names_its_headers() -> None:
    responses = document()["components"]["responses"]
    assert "retry-after" in responses["Error429"]["headers"]
    assert "retry-after" in responses["TritonError503"]["headers"]
    assert "www-authenticate" in responses["Error401"]["headers"]


def test_fields_of_requests_come_from_their_types() -> None:
    schema = document()["components"]["schemas"]["SpeechTranslationFields"]
    assert schema["required"] == ["file", "target_language"]
    assert schema["properties"]["speed"]["maximum"] == 4.0
    assert schema["additionalProperties"] is False


async def test_it_is_sent_to_anybody(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/openapi.json")
    assert (answer.status_code, answer.json()) == (200, json.loads(json.dumps(document())))


async def test_what_did_not_change_is_not_sent_again(stranger: httpx.AsyncClient) -> None:
    first = await stranger.get("/openapi.json")
    again = await stranger.get("/openapi.json", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_the_page_needs_nothing_from_elsewhere(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/docs")
    named = re.findall(r"(?:src|href)=\"([^\"]*)\"", answer.text)
    assert {name.removeprefix("docs/") for name in named} == {*ASSETS, SCRIPT}
    for name in named:
        assert (await stranger.get(f"/{name}")).status_code == 200
    assert not re.search(r"<script>|<style|style=|\bon\w+=", answer.text)


async def test_the_page_s_policy_lets_nothing_else_in(stranger: httpx.AsyncClient) -> None:
    policy = (await stranger.get("/docs")).headers["content-security-policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert (rules["default-src"], rules["script-src"]) == ("'none'", "'self'")
    assert not re.search(r"unsafe|http|\*", policy)


async def test_the_package_s_script_reads_openapi_3_1(stranger: httpx.AsyncClient) -> None:
    script = (await stranger.get(f"/docs/{ASSETS[0]}")).text
    found = re.search(r'PACKAGE_VERSION:"(\d+)\.(\d+)', script)
    assert found is not None
    assert int(found[1]) >= 5


@pytest.mark.parametrize("name", ["redoc.standalone.js", "core.py", "nothing"])
async def test_no_other_file_is_sent(stranger: httpx.AsyncClient, name: str) -> None:
    assert (await stranger.get(f"/docs/{name}")).status_code == 404
