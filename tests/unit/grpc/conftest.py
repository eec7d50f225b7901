"""The service on fakes, which most tests ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deployments.config.policy import BatchPolicy
from tests.support.grpc_server import Served, Setting, serving


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    setting = Setting(policies={"speaker": BatchPolicy(max_batch_size=4)})
    async with serving(setting) as served:
        yield served
