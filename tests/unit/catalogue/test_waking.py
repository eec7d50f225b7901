"""A model without replicas is loaded for those who ask: they wait, or are told to come again."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from deployments.catalogue.selection import Fleet
from deployments.config.replicas import ReplicaRange
from deployments.config.schema import ModelConfig
from models.errors import NotReady
from models.types import SpeakerItem
from tests.support.fakes import SLEEP
from tests.support.local import LocalDirectory, fake_config, fake_fleet

FROM_NONE = ReplicaRange(min=0, max=2)


async def idle_fleet(replicas: int | ReplicaRange) -> Fleet:
    """A fleet whose speaker model has been unloaded until it is asked for."""
    config = fake_config()
    config.models["speaker"] = ModelConfig(engine=SLEEP, replicas=replicas, idle_unload_s=0.01)
    fleet = await fake_fleet(config)
    async with asyncio.timeout(10):
        while fleet.placements()["speaker"].app is not None:
            await asyncio.sleep(0)
    return fleet


async def embed(fleet: Fleet) -> int:
    """The size of the embedding."""
    item = SpeakerItem(np.ones(160, np.int16))
    outcome = await fleet.get("speaker").batcher.submit(item)
    return len(outcome.result.embedding)


async def test_who_asks_for_a_model_of_a_fixed_number_waits_for_it() -> None:
    assert await embed(await idle_fleet(1)) == 192


async def test_who_asks_for_one_whose_number_may_be_none_is_told_to_come_again() -> None:
    with pytest.raises(NotReady, match="'speaker' is still loading"):
        await embed(await idle_fleet(FROM_NONE))


async def test_who_comes_again_is_answered() -> None:
    fleet = await idle_fleet(FROM_NONE)
    found: list[int] = []
    async with asyncio.timeout(10):
        while not found:
            try:
                found.append(await embed(fleet))
            except NotReady:
                await asyncio.sleep(0)
    assert found == [192]


async def test_a_model_is_loaded_once_for_all_who_ask() -> None:
    fleet = await idle_fleet(FROM_NONE)
    assert isinstance(fleet.directory, LocalDirectory)
    platform = fleet.directory.platform
    platform.held.update(platform.models)
    answers = await asyncio.gather(*(embed(fleet) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {NotReady}
    async with asyncio.timeout(10):
        while not platform.started:
            await asyncio.sleep(0)
    assert len(platform.started) == 1


async def test_a_look_at_it_does_not_load_it() -> None:
    fleet = await idle_fleet(FROM_NONE)
    assert isinstance(fleet.directory, LocalDirectory)
    assert fleet.get("speaker").name == "speaker"
    await asyncio.sleep(0.05)
    assert fleet.directory.platform.started == []
