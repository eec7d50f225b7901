"""Regions of shared memory with small bounds, and memory to register."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.config.schema import Limits
from deployments.config.shared_memory import SharedMemory
from deployments.inference.regions import Regions
from models.errors import DragomanError
from tests.support.shared_memory import PREFIX, Memory, memory

CONFIG = SharedMemory(prefix=PREFIX, max_regions_per_key=3, max_bytes_per_key=1 << 14)
SMALL = Limits(max_body_bytes=8192, max_bodies_bytes=10_000)
BEYOND = 2**63


@pytest.fixture
def shared() -> Iterator[Memory]:
    with memory() as made:
        yield made


@pytest.fixture
def regions(tmp_path: Path) -> Regions:
    return Regions(CONFIG, SMALL, tmp_path / "records")


async def refusal(error: type[DragomanError], call: Awaitable[Any]) -> str:
    with pytest.raises(error) as caught:
        await call
    return caught.value.message
