"""Who comes in: the scopes of every endpoint, hosts, pages, and what a refusal says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute, Route, WebSocketRoute

from deployments.catalogue.selection import Fleet
from deployments.config.security import SCOPES, Key, Scope, Security
from deployments.http.app import LiveParts, asgi_app, job_routes, live_routes, routes
from deployments.http.middleware.access import Door
from deployments.http.middleware.admission import Admission
from deployments.http.router import RememberingRouter
from deployments.live.fleet_sessions import sessions_of
from deployments.security.keys import KnownKeys, new_key
from deployments.security.scopes import ANY, NOBODY_ASKED, RIGHTS, Scopes
from deployments.security.tokens import Tokens
from deployments.telemetry.cluster_figures import ClusterFigures
from models.errors import (
    DragomanError,
    HostNotAllowed,
    InsufficientScope,
    InvalidRequest,
    KeyRequired,
    ModelControlOff,
    NoKey,
    OriginNotAllowed,
    Unauthorized,
)
from tests.support.bad_input import TEXT, TEXT_OK
from tests.support.local import fake_config, fake_fleet, fake_remotes
from tests.support.sockets import raw
from tests.support.sockets import serving as listening

MODELS, METRICS, DOCTOR, LIVE = "/v1/models", "/metrics", "/v1/doctor", "/health/live"
UNLOAD = "/v2/repository/models/speaker/unload"
LOAD = "/v2/repository/models/speaker/load"
SECRETS = {scope: new_key() for scope in SCOPES}
KEYS = tuple(Key(name=s, hash=digest, scopes=(s,)) for s, (_, digest) in SECRETS.items())


def configured(ingress_host: str = "127.0.0.1", **security: Any) -> Any:
    config = fake_config()
    ingress = config.ingress.model_copy(update={"host": ingress_host})
    return config.model_copy(update={"ingress": ingress, "security": Security(**security)})


def all_routes() -> list[BaseRoute]:
    config = fake_config()
    fleet = Fleet(config, fake_remotes(config))
    figures, admission = ClusterFigures("alone", fleet.figures), Admission(8)
    live = LiveParts(sessions_of(fleet, config))
    tokens = Tokens(live.signing_key, KnownKeys(config.security))
    return [
        *routes(fleet, config, admission.why_not_ready, figures),
        *live_routes(fleet, config, admission, figures, live, tokens),
        *job_routes(fleet, config, admission, None),
    ]


ROUTER = RememberingRouter(all_routes())


def door(config: Any) -> Door:
    keys = KnownKeys(config.security)
    return Door(config, keys, ROUTER.template, Tokens(b"k" * 32, keys))


def request(
    path: str = MODELS, method: str = "GET", host: str = "localhost:8000", **headers: str
) -> dict[str, Any]:
    """The ASGI scope of a request; names of headers with ``_`` for ``-``."""
    named = {"host": host, **headers}
    raw = [
        (name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in named.items()
    ]
    return {"type": "http", "method": method, "path": path, "headers": raw}


def bearer(scope: Scope) -> str:
    return f"Bearer {SECRETS[scope][0]}"


def outcome(door: Door, scope: dict[str, Any]) -> type[DragomanError] | None:
    """None: it is let in."""
    try:
        door.enter(scope)
    except DragomanError as error:
        return type(error)
    return None


# ---- scopes ----------------------------------------------------------------------------


def test_every_route_has_a_row_that_says_who_may() -> None:
    declared = {
        (method, route.path)
        for route in ROUTER.routes
        if isinstance(route, Route)
        for method in (route.methods or {"POST"}) - {"HEAD"}  # bare applications take POST alone
    }
    sockets = {("GET", r.path) for r in ROUTER.routes if isinstance(r, WebSocketRoute)}
    assert sockets <= declared
    assert all(isinstance(route, Route | WebSocketRoute) for route in ROUTER.routes)
    assert declared == set(RIGHTS)


ROWS = {f"{method} {path}": (method, path, scopes) for (method, path), scopes in RIGHTS.items()}


def filled(path: str) -> str:
    return path.replace("{name}", "asr").replace("{name:path}", "x").replace("{version}", "1")


@pytest.mark.parametrize(("method", "path", "scopes"), ROWS.values(), ids=ROWS)
def test_a_key_opens_what_its_scope_names(method: str, path: str, scopes: Scopes) -> None:
    guarded = door(configured(keys=KEYS))
    found = {
        key: outcome(guarded, request(filled(path), method, authorization=bearer(key)))
        for key in SCOPES
    }
    allowed = scopes if scopes else ANY
    assert found == {key: None if key in allowed else InsufficientScope for key in SCOPES}


@pytest.mark.parametrize(("method", "path", "scopes"), ROWS.values(), ids=ROWS)
def test_without_a_key_only_probes_are_answered(method: str, path: str, scopes: Scopes) -> None:
    found = outcome(door(configured(keys=KEYS)), request(filled(path), method))
    assert found is (None if scopes == NOBODY_ASKED else NoKey)


SPELLINGS = {
    "no path of ours": ("GET", "/admin", NoKey),
    "a verb that no row has": ("PUT", MODELS, NoKey),
    "HEAD is GET": ("HEAD", LIVE, None),
    "a slash behind": ("POST", f"{UNLOAD}/", NoKey),
    "two slashes": ("POST", f"/{UNLOAD}", NoKey),
    "in capitals": ("GET", "/HEALTH/LIVE", NoKey),
    "a model called like a probe": ("POST", "/v2/repository/models/%2e%2e/load", NoKey),
    "longer than is remembered": ("POST", f"/v2/repository/models/{'x' * 4000}/unload", NoKey),
}


@pytest.mark.parametrize(("method", "path", "expected"), SPELLINGS.values(), ids=SPELLINGS)
def test_no_spelling_gets_around_the_table(method: str, path: str, expected: Any) -> None:
    assert outcome(door(configured(keys=KEYS)), request(path, method)) is expected


AUTHORIZATIONS: Mapping[str, tuple[str, type[DragomanError] | None]] = {
    "as it is meant": (bearer("infer"), None),
    "in small letters": (bearer("infer").replace("Bearer", "bearer"), None),
    "with two spaces": (bearer("infer").replace(" ", "  "), None),
    "another scheme": ("Basic dXNlcjpwYXNz", NoKey),
    "no scheme": (SECRETS["infer"][0], NoKey),
    "nothing behind it": ("Bearer", Unauthorized),
    "empty": ("", NoKey),
    "a key with one letter changed": (bearer("infer")[:-1] + "*", Unauthorized),
    "the hash of a key": (f"Bearer {SECRETS['infer'][1]}", Unauthorized),
    "two keys": (f"{bearer('infer')}, {bearer('admin')}", Unauthorized),
    "huge": (f"Bearer {'x' * 60_000}", Unauthorized),
    "no ASCII": ("Bearer \xe9\xff", Unauthorized),
}


@pytest.mark.parametrize(("sent", "expected"), AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
def test_a_key_comes_as_a_bearer(sent: str, expected: Any) -> None:
    assert outcome(door(configured(keys=KEYS)), request(authorization=sent)) is expected


@pytest.mark.parametrize("name", ["authorization", "host", "origin"])
def test_a_header_that_stands_twice_is_refused(name: str) -> None:
    scope = request(authorization=bearer("infer"), origin="http://localhost:8000")
    value = dict(scope["headers"])[name.encode()]
    scope["headers"].append((name.encode(), value))
    with pytest.raises(InvalidRequest, match=f"{name} must stand once"):
        door(configured(keys=KEYS)).enter(scope)


# ---- hosts -----------------------------------------------------------------------------

HOSTS = {
    "localhost": None,
    "LOCALHOST:8000": None,
    "localhost.": None,
    "api.localhost:8000": None,
    "127.0.0.1:8000": None,
    "127.1.2.3": None,
    "[::1]:8000": None,
    "[::ffff:127.0.0.1]": None,
    "evil.example": HostNotAllowed,
    "evil.example:8000": HostNotAllowed,
    "localhost.evil.example": HostNotAllowed,
    "127.0.0.1.evil.example": HostNotAllowed,
    "10.0.0.5": HostNotAllowed,
    "0.0.0.0": HostNotAllowed,
    "[::]": HostNotAllowed,
    "2130706433": HostNotAllowed,
    "127.1": HostNotAllowed,
    "localhost@evil.example": HostNotAllowed,
    "localhost:8000, evil.example": HostNotAllowed,
    "localhost:x": HostNotAllowed,
    "\xe9": HostNotAllowed,
    "": HostNotAllowed,
    "x" * 60_000: HostNotAllowed,
}


@pytest.mark.parametrize(
    ("host", "expected"), HOSTS.items(), ids=[host[:40] or "empty" for host in HOSTS]
)
def test_on_loopback_only_loopback_s_names_are_known(host: str, expected: Any) -> None:
    assert outcome(door(configured()), request(host=host)) is expected


NAMED = {
    "the public URL's": ("speech.example.com", None),
    "the public URL's, with a port": ("speech.example.com:443", None),
    "one of hosts": ("Dragoman.internal:8000", None),
    "an address": ("10.0.0.5:8000", None),
    "an address of IPv6": ("[2001:db8::1]", None),
    "another": ("evil.example", HostNotAllowed),
}


@pytest.mark.parametrize(("host", "expected"), NAMED.values(), ids=NAMED)
def test_beyond_loopback_addresses_and_configured_names_are_known(host: str, expected: Any) -> None:
    public, hosts = "https://speech.example.com", ["dragoman.internal"]
    config = configured("0.0.0.0", open=True, public_url=public, hosts=hosts)
    assert outcome(door(config), request(host=host)) is expected


def test_the_address_to_listen_on_may_be_a_name() -> None:
    guarded = door(configured("node7", open=True))
    assert outcome(guarded, request(host="node7:8000")) is None


def test_who_sends_no_host_is_no_browser() -> None:
    scope = request()
    scope["headers"] = []
    assert outcome(door(configured()), scope) is None


# ---- pages -----------------------------------------------------------------------------

OWN = "http://localhost:8000"
PAGES: Mapping[str, tuple[dict[str, str], type[DragomanError] | None]] = {
    "no browser": ({}, None),
    "its own page": ({"origin": OWN}, None),
    "its own page behind TLS": ({"origin": "https://localhost:8000"}, None),
    "another site": ({"origin": "http://evil.example"}, OriginNotAllowed),
    "another port": ({"origin": "http://localhost:3000"}, OriginNotAllowed),
    "a page without an origin": ({"origin": "null"}, OriginNotAllowed),
    "empty": ({"origin": ""}, OriginNotAllowed),
    "a name that begins alike": ({"origin": f"{OWN}.evil.example"}, OriginNotAllowed),
    "a user before it": ({"origin": "http://x@localhost:8000"}, OriginNotAllowed),
    "another scheme": ({"origin": "file://localhost:8000"}, OriginNotAllowed),
    "two origins": ({"origin": f"{OWN} http://evil.example"}, OriginNotAllowed),
    "an image of another site": ({"sec_fetch_site": "cross-site"}, OriginNotAllowed),
    "an image of another port": ({"sec_fetch_site": "same-site"}, OriginNotAllowed),
    "its own image": ({"sec_fetch_site": "same-origin"}, None),
    "typed by somebody": ({"sec_fetch_site": "none"}, None),
}


@pytest.mark.parametrize(("headers", "expected"), PAGES.values(), ids=PAGES)
def test_pages_of_other_sites_may_not_ask(headers: dict[str, str], expected: Any) -> None:
    assert outcome(door(configured()), request(TEXT, "POST", **headers)) is expected


def test_a_probe_may_be_looked_at_from_anywhere() -> None:
    assert outcome(door(configured()), request(LIVE, origin="http://evil.example")) is None


def test_an_origin_that_is_named_may_ask() -> None:
    guarded = door(configured(origins=["https://app.example"]))
    assert outcome(guarded, request(TEXT, "POST", origin="https://app.example")) is None


def test_a_key_opens_no_page_that_is_not_named() -> None:
    scope = request(TEXT, "POST", authorization=bearer("infer"), origin="http://evil.example")
    assert outcome(door(configured(keys=KEYS)), scope) is OriginNotAllowed


# ---- operators without keys ------------------------------------------------------------

OPERATORS: Mapping[str, tuple[Any, dict[str, str], type[DragomanError] | None]] = {
    "on its own machine": (configured(), {}, None),
    "by its own page": (configured(), {"origin": OWN}, None),
    "under another known name": (
        configured(hosts=["node7"]),
        {"host": "node7"},
        KeyRequired,
    ),
    "by a page that may ask for work": (
        configured(origins=["https://app.example"]),
        {"origin": "https://app.example"},
        KeyRequired,
    ),
    "on an open server": (configured("0.0.0.0", open=True), {}, KeyRequired),
    "open, on loopback": (configured(open=True), {}, KeyRequired),
    "behind a proxy": (configured(open=True, public_url="https://a.example"), {}, KeyRequired),
    "where it is off": (configured(model_control="off"), {}, ModelControlOff),
}


@pytest.mark.parametrize(("config", "headers", "expected"), OPERATORS.values(), ids=OPERATORS)
def test_without_keys_models_are_controlled_from_loopback(
    config: Any, headers: dict[str, str], expected: Any
) -> None:
    assert outcome(door(config), request(UNLOAD, "POST", **headers)) is expected


def test_model_control_that_is_off_is_off_for_operators_too() -> None:
    guarded = door(configured(keys=KEYS, model_control="off"))
    scope = request(LOAD, "POST", authorization=bearer("admin"))
    assert outcome(guarded, scope) is ModelControlOff


def test_an_open_server_starts_no_process_for_strangers() -> None:
    guarded = door(configured("0.0.0.0", open=True))
    assert outcome(guarded, request(DOCTOR)) is KeyRequired
    assert outcome(guarded, request(METRICS)) is None


# ---- over HTTP -------------------------------------------------------------------------


@asynccontextmanager
async def serving(**security: Any) -> AsyncIterator[httpx.AsyncClient]:
    config = configured(**security)
    app = asgi_app(await fake_fleet(config), config, Admission(8))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield http


async def test_openai_s_paths_refuse_in_openai_s_words() -> None:
    async with serving(keys=KEYS) as http:
        none = await http.post(TEXT, json=TEXT_OK)
        wrong = await http.post(TEXT, json=TEXT_OK, headers={"authorization": "Bearer x"})
        other = await http.post(TEXT, json=TEXT_OK, headers={"authorization": bearer("metrics")})
    found = [(a.status_code, a.json()["error"]["code"]) for a in (none, wrong, other)]
    assert found == [(401, "no_api_key"), (401, "invalid_api_key"), (403, "insufficient_scope")]
    assert none.headers["www-authenticate"] == 'Bearer realm="dragoman"'
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    assert none.headers["x-request-id"]


async def test_triton_s_paths_refuse_in_triton_s_words() -> None:
    async with serving(keys=KEYS) as http:
        refused = await http.get("/v2/models/asr/config")
    assert refused.status_code == 401
    assert refused.json() == {
        "error": "a key is needed: send it as the header Authorization: Bearer KEY"
    }


async def test_who_is_refused_takes_no_place() -> None:
    config = configured(keys=KEYS)
    app = asgi_app(await fake_fleet(config), config, Admission(0))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        refused = await http.post(TEXT, json=TEXT_OK)
    assert refused.status_code == 401


WIRE = {
    "a name that is known": (b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n", 200),
    "another name": (b"GET /v1/models HTTP/1.1\r\nhost: evil.example\r\n", 403),
    "another name in the target": (
        b"GET http://localhost/v1/models HTTP/1.1\r\nhost: evil.example\r\n",
        403,
    ),
    "two names": (b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n", 400),
    "capitals": (b"GET /v1/models HTTP/1.1\r\nHOST: evil.example\r\n", 403),
    "no name, as HTTP/1.0 may": (b"GET /v1/models HTTP/1.0\r\n", 200),
    "a path in pieces": (b"GET /v1/../v1/models HTTP/1.1\r\nhost: localhost\r\n", 404),
}


@pytest.mark.parametrize(("head", "status"), WIRE.values(), ids=WIRE)
async def test_names_are_checked_as_they_come_over_a_socket(head: bytes, status: int) -> None:
    config = configured()
    app = asgi_app(await fake_fleet(config), config, Admission(8))
    async with listening(app) as url:
        answer = await raw(url, head + b"connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 %d " % status)


async def test_preflights_are_answered_without_a_key_for_origins_that_are_named() -> None:
    async with serving(keys=KEYS, origins=["https://app.example"]) as http:
        asks = {"access-control-request-method": "POST"}
        asks["access-control-request-headers"] = "authorization, content-type"
        preflight = await http.options(TEXT, headers={**asks, "origin": "https://app.example"})
        headers = {"origin": "https://app.example", "authorization": bearer("infer")}
        answer = await http.post(TEXT, json=TEXT_OK, headers=headers)
        other = await http.options(TEXT, headers={**asks, "origin": "https://evil.example"})
    assert preflight.status_code == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in other.headers


async def test_no_answer_is_shared_unless_an_origin_is_named() -> None:
    async with serving() as http:
        preflight = await http.options(TEXT, headers={"origin": "https://app.example"})
        probe = await http.get(LIVE, headers={"origin": "https://app.example"})
    assert preflight.status_code == 403
    assert "access-control-allow-origin" not in probe.headers


async def test_usage_and_refusals_are_counted_by_the_key_s_name() -> None:
    async with serving(keys=KEYS) as http:
        await http.post(TEXT, json=TEXT_OK, headers={"authorization": bearer("infer")})
        await http.post(TEXT, json=TEXT_OK, headers={"authorization": bearer("metrics")})
        await http.post(TEXT, json=TEXT_OK)
        metrics = await http.get(METRICS, headers={"authorization": bearer("metrics")})
    lines = metrics.text.splitlines()
    characters = float(len(TEXT_OK["text"]))
    assert 'dragoman_key_requests_total{key="infer"} 1.0' in lines
    assert f'dragoman_key_characters_total{{key="infer"}} {characters}' in lines
    refused = "dragoman_refused_requests_total"
    assert f'{refused}{{key="metrics",reason="insufficient_scope"}} 1.0' in lines
    assert f'{refused}{{key="",reason="no_api_key"}} 1.0' in lines


async def test_requests_that_run_count_until_they_end() -> None:
    limited = Key(**{**KEYS[0].model_dump(), "max_concurrent_per_ingress": 1})
    config = configured(keys=(limited,))
    remotes = fake_remotes(config)
    app = asgi_app(await fake_fleet(config, remotes), config, Admission(8))
    held, headers = asyncio.Event(), {"authorization": bearer("infer")}
    remotes["nmt"].hold_all(until=held)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://localhost", headers=headers
    ) as http:
        both = [asyncio.ensure_future(http.post(TEXT, json=TEXT_OK)) for _ in range(2)]
        (refused,), (running,) = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        held.set()
        after = [(await running).status_code, (await http.post(TEXT, json=TEXT_OK)).status_code]
    assert (refused.result().status_code, refused.result().headers["retry-after"]) == (429, "1")
    assert after == [200, 200]
