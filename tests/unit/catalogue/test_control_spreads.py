"""The control starts a model spread over the nodes, and places replicas that lie badly anew."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from deployments.catalogue import control as watching
from deployments.catalogue.control import Control
from deployments.catalogue.generation import Generation, ModelOverride
from deployments.catalogue.spreading import Lying
from deployments.config.replicas import ReplicaRange
from deployments.config.schema import ModelConfig
from tests.support.fakes import SLEEP
from tests.support.local import LocalPlatform

REPLICAS = 3


@dataclass
class Clock:
    """A watch's interval passes with each look."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += watching.WATCH_S
        return self.now


@dataclass
class Started:
    platform: LocalPlatform = field(default_factory=LocalPlatform)
    model: ModelConfig = field(default_factory=lambda: ModelConfig(engine=SLEEP, replicas=REPLICAS))

    def control(self) -> Control:
        self.platform.nodes = (20,) * 3
        control = Control({"speaker": self.model}, self.platform, Clock())
        control.start()
        return control


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("control.ROUND_S", "operations.POLL_S"):
        monkeypatch.setattr(f"deployments.catalogue.{pause}", 0.0)


async def until_started(platform: LocalPlatform, times: int) -> None:
    async with asyncio.timeout(10):
        while len(platform.limits) < times:
            await asyncio.sleep(0)


async def looks(times: int = 200) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


CONFIGS: dict[str, tuple[dict[str, Any], int | None]] = {
    "a fixed number": ({"replicas": REPLICAS}, 1),
    "more than nodes": ({"replicas": 7}, 3),
    "one": ({"replicas": 1}, None),
    "by the load": ({"replicas": ReplicaRange(min=3, max=6)}, None),
}


@pytest.mark.parametrize(("fields", "limit"), CONFIGS.values(), ids=CONFIGS)
async def test_a_start_spreads_replicas_whose_number_is_fixed(
    fields: dict[str, Any], limit: int | None
) -> None:
    started = Started(model=ModelConfig(engine=SLEEP, **fields))
    started.control()
    await until_started(started.platform, 1)
    assert started.platform.limits == [limit]


async def test_packed_replicas_of_a_model_that_serves_are_spread() -> None:
    started = Started()
    control = started.control()
    await until_started(started.platform, 1)
    await control.load("speaker", ModelOverride({"options": {"embedding_size": 7}}))
    started.platform.lying = Lying(("a", "a", "a"))
    await until_started(started.platform, 3)
    started.platform.lying = Lying(("a", "b", "c"), 1)
    await looks()
    assert started.platform.limits == [1, 1, 1]
    assert started.platform.started[1] == started.platform.started[2]  # with its override
    assert (await control.placements()).of["speaker"].state == "READY"


async def test_a_start_that_finds_no_place_goes_on_without_a_limit() -> None:
    started = Started()
    app = Generation.of("speaker", started.model).app
    started.platform.held.add(app)
    started.platform.lying = Lying(("a", "b", None), 1, is_complete=False)
    control = started.control()
    await until_started(started.platform, 2)
    assert started.platform.limits == [1, None]
    started.platform.lying = Lying(("a", "b", "b"))
    started.platform.held.clear()
    await looks()
    placed = (await control.placements()).of["speaker"]
    assert (placed.app, placed.state) == (app, "READY")


async def test_a_control_that_takes_over_lets_a_model_serve_that_is_being_placed_anew() -> None:
    started = Started()
    before = started.control()
    await looks()
    started.platform.remembered = await before.placements()
    (app,) = started.platform.apps
    started.platform.held.add(app)
    after = started.control()
    placed = (await after.placements()).of["speaker"]
    assert (placed.app, placed.state) == (app, "READY")
    assert started.platform.limits == [1]


async def test_a_load_is_not_held_up_by_a_replica_without_a_place() -> None:
    started = Started()
    control = started.control()
    await until_started(started.platform, 1)
    started.platform.lying = Lying(("a", "b", None), 1)
    await control.load("speaker", ModelOverride({"options": {"embedding_size": 7}}))
    assert (await control.placements()).of["speaker"].override is not None
