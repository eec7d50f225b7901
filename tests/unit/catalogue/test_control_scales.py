"""The control has as many replicas as the ingresses' queues ask for, and as fit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deployments.catalogue.control import Control
from deployments.catalogue.scaling import Load
from deployments.config.replicas import ReplicaRange
from deployments.config.schema import ModelConfig
from tests.support.fakes import SLEEP
from tests.support.local import LocalPlatform


class Loaded(LocalPlatform):
    """One ingress, whose requests wait."""

    async def loads(self) -> list[dict[str, Load]]:
        return [{"speaker": Load(wait_s=5.0, in_flight=2)}]

    async def scale(self, name: str, app: str, replicas: int) -> None:
        await super().scale(name, app, replicas)
        self.gpus_left = (self.gpus_left[0], 0.0)  # which the new replica has taken


RANGES = {
    "no GPU": ({}, (0.0, 0.0), 4),
    "a GPU with room for one more": ({"gpu_fraction": 0.3}, (1.0, 0.5), 2),
    "a GPU that is full": ({"gpu_fraction": 0.3}, (1.0, 0.1), 1),
}


@pytest.mark.parametrize(("config", "gpus", "most"), RANGES.values(), ids=RANGES)
async def test_replicas_are_added_while_requests_wait(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], gpus: tuple[float, float], most: int
) -> None:
    for pause in ("control.ROUND_S", "operations.POLL_S"):
        monkeypatch.setattr(f"deployments.catalogue.{pause}", 0.0)
    platform = Loaded()
    platform.gpus_left = (1.0, 1.0)
    models = {"speaker": ModelConfig(engine=SLEEP, replicas=ReplicaRange(max=4), **config)}
    control = Control(models, platform)
    control.start()
    while (await control.placements()).of["speaker"].state != "READY":
        await asyncio.sleep(0)
    platform.gpus_left = gpus
    for _ in range(200):
        await asyncio.sleep(0)
    assert (await control.placements()).of["speaker"].replicas == most
    assert max([1, *(replicas for _, replicas in platform.scaled)]) == most


async def test_replicas_that_find_no_room_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("control.ROUND_S", "operations.POLL_S", "operations.REPLICAS_S"):
        monkeypatch.setattr(f"deployments.catalogue.{pause}", 0.0)
    platform = Loaded()
    platform.most_replicas = 3
    control = Control(
        {"speaker": ModelConfig(engine=SLEEP, replicas=ReplicaRange(max=9))}, platform
    )
    control.start()
    async with asyncio.timeout(10):
        while ("speaker", 3) not in platform.scaled[1:]:
            await asyncio.sleep(0)
    assert (await control.placements()).of["speaker"].replicas <= 3
