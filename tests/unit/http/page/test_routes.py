"""The page's files: who gets them, with which headers, and what a browser has is not sent again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from deployments.config.security import Key, Security
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from deployments.http.page.routes import MEDIA_TYPES, STATIC
from deployments.security.keys import new_key
from tests.support.asgi import connect
from tests.support.local import fake_config, fake_fleet

FILES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.*"))


@pytest.fixture
async def stranger() -> AsyncIterator[httpx.AsyncClient]:
    """Give a client without a key, where all else needs one."""
    _, digest = new_key()
    security = Security(keys=(Key(name="ann", hash=digest, scopes=("infer",)),))
    config = fake_config().model_copy(update={"security": security})
    async with connect(asgi_app(await fake_fleet(config), config, Admission(8))) as client:
        yield client


async def test_the_page_is_read_without_a_key(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.content == (STATIC / "index.html").read_bytes()
    assert (await stranger.get("/v1/models")).status_code == 401


async def test_every_file_is_sent_as_what_it_is(stranger: httpx.AsyncClient) -> None:
    for name in FILES:
        answer = await stranger.get(f"/page/{name}")
        assert answer.content == (STATIC / name).read_bytes()
        kind = MEDIA_TYPES[(STATIC / name).suffix]
        assert answer.headers["content-type"].partition(";")[0] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/page/js/main.js"])
async def test_what_a_browser_has_is_not_sent_again(stranger: httpx.AsyncClient, path: str) -> None:
    tag = (await stranger.get(path)).headers["etag"]
    again = await stranger.get(path, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    other = await stranger.get(path, headers={"if-none-match": '"other"'})
    assert other.status_code == 200


async def test_the_page_runs_and_loads_nothing_that_is_not_the_servers(
    stranger: httpx.AsyncClient,
) -> None:
    headers = (await stranger.get("/")).headers
    policy = dict(
        rule.split(" ", 1) for rule in headers["content-security-policy"].split("; ") if rule
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "no-referrer"
    assert "microphone=(self)" in headers["permissions-policy"]
    assert "display-capture=(self)" in headers["permissions-policy"]
    assert "geolocation=()" in headers["permissions-policy"]


@pytest.mark.parametrize(
    "path", ["/page/", "/page/none.js", "/page/../routes.py", "/page/..%2froutes.py", "/page/js"]
)
async def test_what_is_no_file_of_the_page_is_not_there(
    stranger: httpx.AsyncClient, path: str
) -> None:
    assert (await stranger.get(path)).status_code in (401, 404)


async def test_a_name_that_is_not_the_servers_gets_no_page(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/", headers={"host": "elsewhere.example"})
    assert answer.json()["error"]["code"] == "host_not_allowed"
