"""The tuner's requests to a model by its name, and how answers and refusals are counted."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from deployments.config.schema import AppConfig, ModelConfig
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from dragoman_client import ConnectionFailed, DragomanError, TimeoutError, Unavailable
from load.endpoints import Answer
from load.steps import Failure, failure_of
from tests.support.asgi import connect
from tests.support.local import fake_fleet
from tests.support.named_tensors import FAKE_TENSORS
from tuning.requests import Body, asker, tensor_bodies

BODIES = [Body(b"first", {"x-test": "1"}, audio_s=1.5), Body(b"second", {})]
Handler = Callable[[httpx.Request], httpx.Response]


async def asked(handler: Handler, *numbers: int) -> list[Answer]:
    transport = httpx.MockTransport(handler)
    async with httpx.AsyncClient(base_url="http://server", transport=transport) as http:
        ask = asker(http, "tts-en", BODIES)
        return [await ask(number) for number in numbers]


async def test_bodies_take_turns() -> None:
    seen: list[tuple[str, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, request.content))
        return httpx.Response(200)

    answers = await asked(answer, 0, 1, 2)
    path = "/v2/models/tts-en/infer"
    assert seen == [(path, b"first"), (path, b"second"), (path, b"first")]
    assert [one.audio_s for one in answers] == [1.5, None, 1.5]


def refusing(status: int) -> Handler:
    return lambda request: httpx.Response(status, json={"error": "no"})


def breaking(error: type[httpx.TransportError]) -> Handler:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("no", request=request)

    return fail


ERRORS: dict[str, tuple[Handler, type[DragomanError], Failure]] = {
    "full": (refusing(503), Unavailable, Failure("503", is_overload=True)),
    "broken": (refusing(500), DragomanError, Failure("500", is_overload=False)),
    "gone": (
        breaking(httpx.ConnectError),
        ConnectionFailed,
        Failure("connection failed", is_overload=False),
    ),
    "late": (
        breaking(httpx.ReadTimeout),
        TimeoutError,
        Failure("no answer in time", is_overload=False),
    ),
}


@pytest.mark.parametrize(("handler", "error", "counted"), ERRORS.values(), ids=ERRORS)
async def test_a_failure_is_the_client_s(
    handler: Handler, error: type[DragomanError], counted: Failure
) -> None:
    with pytest.raises(error) as raised:
        await asked(handler, 0)
    assert failure_of(raised.value) == counted


async def test_a_network_that_is_no_speech_is_asked_with_made_rows() -> None:
    config = AppConfig(models={"sums": ModelConfig(engine=FAKE_TENSORS)})
    sent = tensor_bodies("sums", config.models["sums"])
    app = asgi_app(await fake_fleet(config), config, Admission(8))
    async with connect(app) as http:
        ask = asker(http, "sums", sent)
        answers = [await ask(number) for number in range(2)]
    assert answers == [Answer(None), Answer(None)]
    assert len({body.content for body in sent}) == len(sent)
