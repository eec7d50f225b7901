"""The remembering router answers as Starlette's own, the first time and every time after it."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router
from starlette.testclient import TestClient

from deployments.http.router import MAX_KNOWN_CHARS, RememberingRouter


async def told(request: Request) -> PlainTextResponse:
    return PlainTextResponse(
        f"{request.method} {request.scope['route'].path} {request.path_params}"
    )


async def careless(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.path_params.pop("name"))


async def all_of_them(request: Request) -> PlainTextResponse:
    return PlainTextResponse("all")


ROUTES = [
    Route("/models/all", all_of_them),
    Route("/models/{name}", told, methods=["POST"]),
    Route("/models/{name}", told, methods=["GET"]),
    Route("/careless/{name}", careless),
]


@pytest.fixture
def remembering() -> TestClient:
    return TestClient(RememberingRouter(ROUTES))


@pytest.fixture
def plain() -> TestClient:
    return TestClient(Router(ROUTES))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("GET", "/models/asr", id="by-its-name"),
        pytest.param("POST", "/models/asr", id="another-method"),
        pytest.param("HEAD", "/models/asr", id="head"),
        pytest.param("GET", "/models/all", id="the-first-that-fits"),
        pytest.param("GET", "/nothing", id="no-such-path"),
        pytest.param("GET", "/models/asr/", id="redirected"),
        pytest.param("GET", "/models/a%20b", id="encoded"),
        pytest.param("GET", "/models/" + MAX_KNOWN_CHARS * "x", id="too-long-to-remember"),
    ],
)
def test_every_time_the_answer_is_that_of_starlette(
    method: str, path: str, remembering: TestClient, plain: TestClient
) -> None:
    expected = plain.request(method, path)
    for _ in range(3):
        answer = remembering.request(method, path)
        assert (answer.status_code, answer.text) == (expected.status_code, expected.text)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        pytest.param("/models/asr", "GET, HEAD, POST", id="two-routes"),
        pytest.param("/careless/asr", "GET, HEAD", id="one-route"),
    ],
)
def test_a_wrong_method_is_told_every_right_one(
    path: str, allowed: str, remembering: TestClient
) -> None:
    with pytest.raises(HTTPException) as caught:
        remembering.delete(path)
    assert (caught.value.status_code, caught.value.headers) == (405, {"Allow": allowed})


def test_two_paths_of_one_route_keep_their_own_names(remembering: TestClient) -> None:
    texts = [remembering.get(f"/models/{name}").text for name in ("asr", "nmt", "asr")]
    assert [text.partition(": ")[2] for text in texts] == ["'asr'}", "'nmt'}", "'asr'}"]


def test_a_handler_that_changes_its_path_s_names_changes_nobody_else_s(
    remembering: TestClient,
) -> None:
    assert [remembering.get("/careless/asr").text for _ in range(2)] == ["asr", "asr"]
