"""The application on fakes, which the tests of every endpoint ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from tests.support.asgi import connect
from tests.support.local import fake_config, fake_fleet


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    config = fake_config(max_audio_s=120)
    fleet = await fake_fleet(config)
    async with connect(asgi_app(fleet, config, Admission(64))) as client:
        yield client
