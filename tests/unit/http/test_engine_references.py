"""No caller names a class for the server to import: that is the configuration's alone."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.local import fake_config, fake_fleet

BROUGHT_IN = "brought_in:Mine"
LOAD = "/v2/repository/models/speaker/load"


@pytest.fixture
async def http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """The application, beside a module that nobody has imported yet."""
    (tmp_path / "brought_in.py").write_text("class Mine: ...")
    monkeypatch.syspath_prepend(tmp_path)
    config = fake_config()
    app = asgi_app(await fake_fleet(config), config, Admission(64))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def loading(name: str, value: Any) -> dict[str, Any]:
    config = {"parameters": {name: {"string_value": value}}}
    return {"json": {"parameters": {"config": json.dumps(config)}}}


REQUESTS: dict[str, tuple[str, dict[str, Any], int]] = {
    "a load with an engine": (LOAD, loading("engine", BROUGHT_IN), 403),
    "a load with a backend": (
        LOAD,
        {"json": {"parameters": {"config": json.dumps({"backend": BROUGHT_IN})}}},
        400,
    ),
    "a load with an option": (LOAD, loading("options.engine", BROUGHT_IN), 403),
    "a load of a model of that name": (f"/v2/repository/models/{BROUGHT_IN}/load", {}, 404),
    "an unload": (f"/v2/repository/models/{BROUGHT_IN}/unload", {}, 404),
    "an inference": (f"/v2/models/{BROUGHT_IN}/infer", {"json": {"inputs": []}}, 404),
    "a model of speech": (
        "/v1/audio/speech",
        {"json": {"model": BROUGHT_IN, "input": "Hello.", "voice": "fake-en"}},
        404,
    ),
}


@pytest.mark.parametrize(("path", "request_", "status"), REQUESTS.values(), ids=REQUESTS)
async def test_a_class_that_a_caller_names_is_not_imported(
    http: httpx.AsyncClient, path: str, request_: dict[str, Any], status: int
) -> None:
    answer = await http.post(path, **request_)
    assert (answer.status_code, "brought_in" in sys.modules) == (status, False), answer.text
