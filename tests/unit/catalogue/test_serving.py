"""An ingress that follows where the models are: nothing that waits is lost, nothing hangs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deployments.batching.batch import BatchReply
from deployments.catalogue.generation import ModelOverride
from deployments.catalogue.placements import IDLE, UNLOADED, Placement, Placements
from deployments.catalogue.selection import Fleet
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig, ModelConfig
from models.errors import LoadFailed, NotReady, Unavailable, UnknownLanguage, UnsupportedPair
from models.types import SpeakerItem
from tests.support.fakes import FAKE_NMT, SLEEP
from tests.support.local import LocalDirectory, LocalRemote, fake_config, fake_fleet

SMALL = ModelOverride({"options": {"embedding_size": 7}})


def clip(number: int = 1) -> SpeakerItem:
    return SpeakerItem(np.full(160, number, np.int16))


def directory(fleet: Fleet) -> LocalDirectory:
    assert isinstance(fleet.directory, LocalDirectory)
    return fleet.directory


async def embed(fleet: Fleet, number: int = 1) -> int:
    """The size of the embedding."""
    outcome = await fleet.get("speaker").batcher.submit(clip(number))
    return len(outcome.result.embedding)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


class Gate:
    """Holds the batches of a remote."""

    def __init__(self, remote: LocalRemote, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = asyncio.Event()
        self.entered = 0
        self._infer: Callable[[Sequence[Any]], Awaitable[BatchReply[Any]]] = remote.infer
        monkeypatch.setattr(remote, "infer", self.infer)

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        self.entered += 1
        await self.opened.wait()
        return await self._infer(items)


async def test_another_generation_answers_through_the_same_queue() -> None:
    fleet = await fake_fleet(fake_config())
    batcher = fleet.get("speaker").batcher
    assert await embed(fleet) == 192
    await fleet.directory.load("speaker", SMALL)
    assert (await embed(fleet), fleet.get("speaker").spec.embedding_size) == (7, 7)
    await fleet.directory.load("speaker")
    assert await embed(fleet) == 192
    assert fleet.get("speaker").batcher is batcher


async def test_what_runs_on_the_old_generation_ends_there_and_what_waits_goes_to_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = await fake_fleet(fake_config(), speaker=BatchPolicy(max_batch_size=1))
    old = directory(fleet)["speaker"]
    gate = Gate(old, monkeypatch)
    asked = [asyncio.create_task(embed(fleet)) for _ in range(5)]
    await eventually(lambda: gate.entered == 2)  # three wait
    loading = asyncio.create_task(fleet.directory.load("speaker", SMALL))
    await eventually(lambda: fleet.get("speaker").spec.embedding_size == 7)
    assert not loading.done()  # two are still on their way
    gate.opened.set()
    await loading
    assert await asyncio.gather(*asked) == [192, 192, 7, 7, 7]


async def test_batches_of_an_application_that_is_gone_go_to_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = await fake_fleet(fake_config())
    known = fleet.follower.placements
    gate = Gate(directory(fleet)["speaker"], monkeypatch)
    asked = asyncio.create_task(embed(fleet))
    await eventually(lambda: gate.entered == 1)
    gone = {**known.of, "speaker": Placement(None, "UNAVAILABLE", IDLE, on_demand=True)}
    await fleet.follower.follow(Placements((known.version[0], known.version[1] + 1), gone))
    assert await fleet.follower.settle("speaker", 10)  # nobody would have answered there
    later = Placements((known.version[0], known.version[1] + 2), known.of)
    gate.opened.set()
    await fleet.follower.follow(later)
    assert await asked == 192


async def test_an_unload_finishes_what_it_finds_and_refuses_what_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = await fake_fleet(fake_config(), speaker=BatchPolicy(max_batch_size=1))
    gate = Gate(directory(fleet)["speaker"], monkeypatch)
    asked = [asyncio.create_task(embed(fleet)) for _ in range(5)]
    await eventually(lambda: gate.entered == 2)
    unloading = asyncio.create_task(fleet.directory.unload("speaker"))
    await eventually(lambda: fleet.placements()["speaker"].state == "UNLOADING")
    with pytest.raises(Unavailable, match="'speaker' is unloaded"):
        fleet.get("speaker")
    assert not unloading.done()
    gate.opened.set()
    assert await asyncio.gather(*asked) == [192] * 5
    await unloading
    assert fleet.readiness()["speaker"] == "unloaded"
    assert fleet.is_ready()


async def test_an_unload_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.catalogue.operations.SETTLE_S", 0.01)
    fleet = await fake_fleet(fake_config())
    gate = Gate(directory(fleet)["speaker"], monkeypatch)
    asked = asyncio.create_task(embed(fleet))
    await eventually(lambda: gate.entered == 1)
    await fleet.directory.unload("speaker")
    with pytest.raises(Unavailable, match="'speaker' is unloaded"):
        await asked


async def test_one_who_holds_an_unloaded_model_is_told() -> None:
    fleet = await fake_fleet(fake_config())
    model = fleet.get("speaker")
    await fleet.directory.unload("speaker")
    with pytest.raises(Unavailable, match="'speaker' is unloaded"):
        await model.batcher.submit(clip())


def idle_config() -> AppConfig:
    config = fake_config()
    config.models["speaker"] = ModelConfig(engine=SLEEP, idle_unload_s=0.01)
    return config


async def idle_fleet() -> Fleet:
    """A fleet whose speaker model has been unloaded until it is asked for."""
    fleet = await fake_fleet(idle_config())
    await eventually(lambda: fleet.placements()["speaker"].app is None)
    return fleet


async def test_a_model_that_nobody_used_comes_back_for_who_asks() -> None:
    fleet = await idle_fleet()
    assert (fleet.readiness()["speaker"], fleet.is_ready()) == ("unloaded", True)
    sizes = await asyncio.gather(*(embed(fleet, number) for number in range(20)))
    assert sizes == [192] * 20
    assert len(directory(fleet).platform.started) == 1


async def test_the_queue_of_a_model_that_comes_back_has_its_bounds() -> None:
    fleet = await idle_fleet()
    platform = directory(fleet).platform
    platform.held.update(platform.models)
    batcher = fleet.get("speaker").batcher
    batcher.reconfigure(BatchPolicy(max_batch_size=1, max_queue_size=3))
    asked = [asyncio.create_task(embed(fleet)) for _ in range(10)]
    await eventually(lambda: len(platform.started) == 1)
    deadline = asyncio.get_running_loop().time() + 0.01
    with pytest.raises(Unavailable, match="full"):
        await batcher.submit(clip(), deadline=deadline)
    platform.held.clear()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert answers.count(192) == 5  # two on the way, three in the queue


async def test_a_deadline_holds_while_a_model_comes_back() -> None:
    fleet = await idle_fleet()
    platform = directory(fleet).platform
    platform.held.update(platform.models)
    deadline = asyncio.get_running_loop().time() + 0.01
    with pytest.raises(Exception, match="the deadline passed"):
        await fleet.get("speaker").batcher.submit(clip(), deadline=deadline)


async def test_an_ingress_that_never_saw_a_model_knows_it_from_others() -> None:
    first = await idle_fleet()
    fleet = Fleet(idle_config(), first.directory)
    directory(first).platform.fleets.append(fleet)
    await fleet.follower.follow(first.follower.placements)
    assert await embed(fleet) == 192


async def test_a_model_that_nobody_knows_is_loaded_and_not_yet_ready() -> None:
    first = await idle_fleet()
    fleet = Fleet(idle_config(), first.directory)
    directory(first).platform.fleets.append(fleet)
    known = first.follower.placements
    unseen = replace(known.of["speaker"], description=None)
    await fleet.follower.follow(Placements(known.version, {**known.of, "speaker": unseen}))
    with pytest.raises(NotReady):
        fleet.get("speaker")
    await eventually(lambda: fleet.readiness()["speaker"] == "ready")
    assert await embed(fleet) == 192


async def test_of_two_placements_the_later_one_holds() -> None:
    fleet = await fake_fleet(fake_config())
    later = fleet.follower.placements
    gone = {**later.of, "speaker": Placement(None, "UNAVAILABLE", UNLOADED)}
    await fleet.follower.follow(Placements((0, 99), gone))
    assert fleet.placements() == later.of


class Deaf(LocalDirectory):
    """Answers until it is told to be deaf."""

    is_deaf = False
    unanswered = 0

    async def placements(self) -> Placements:
        if self.is_deaf:
            self.unanswered += 1
            raise Unavailable("the control of the models does not answer")
        return await super().placements()


async def test_what_is_known_holds_while_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.catalogue.serving.POLL_WARM_S", 0.0)
    config = fake_config()
    deaf = Deaf(config)
    fleet = Fleet(config, deaf)
    fleet.start()
    await fleet.warm.wait()
    deaf.is_deaf = True
    await eventually(lambda: deaf.unanswered == 3)
    assert (fleet.is_ready(), await embed(fleet)) == (True, 192)


async def test_a_policy_of_an_override_holds_until_the_model_is_loaded_without() -> None:
    fleet = await fake_fleet(fake_config(), speaker=BatchPolicy(max_batch_size=16))
    await fleet.directory.load("speaker", ModelOverride({}, {"max_batch_size": 3}))
    fleet.reconfigure({"speaker": BatchPolicy(max_batch_size=16, max_queue_size=5)})
    policy = fleet.get("speaker").batcher.policy
    assert (policy.max_batch_size, policy.max_queue_size) == (3, 5)
    await fleet.directory.load("speaker")
    assert fleet.get("speaker").batcher.policy.max_batch_size == 16


async def test_a_model_that_cannot_be_loaded_is_told_from_one_that_was_unloaded() -> None:
    fleet = await fake_fleet(fake_config())
    await fleet.directory.unload("vad")
    broken = ModelOverride({"engine": "silero", "weights": "path:/no/such/folder"})
    with pytest.raises(LoadFailed):
        await fleet.directory.load("vad", broken)
    assert fleet.readiness()["vad"].startswith("failed: ")
    assert not fleet.is_ready()
    with pytest.raises(Unavailable, match="could not be loaded"):
        fleet.get("vad")


async def two_translators() -> Fleet:
    config = fake_config()
    config.models["other"] = ModelConfig(engine=FAKE_NMT)
    return await fake_fleet(config)


async def test_a_model_stands_in_for_one_of_its_kind_that_is_unloaded() -> None:
    fleet = await two_translators()
    await fleet.directory.unload("nmt")
    assert [model.name for model in fleet.route("en", "pt").models] == ["other"]


async def test_what_an_unloaded_model_might_do_is_not_called_impossible() -> None:
    fleet = await two_translators()
    with pytest.raises((UnsupportedPair, UnknownLanguage)):
        fleet.route("fr", "pt")
    await fleet.directory.unload("nmt")
    with pytest.raises(Unavailable, match="'nmt' is unloaded"):
        fleet.route("fr", "pt")
