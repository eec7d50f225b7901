"""Which models run: loads, unloads, idleness, and a control that takes over from another."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments.catalogue.control import Control
from deployments.catalogue.generation import Generation, ModelOverride, model_of
from deployments.catalogue.placements import IDLE, UNLOADED, Placement, Placements
from deployments.config.schema import ModelConfig
from models.errors import InvalidRequest, LoadFailed, Unavailable, UnknownModel
from tests.support.fakes import FAKE_VAD, SLEEP
from tests.support.local import LocalPlatform, LocalRemote

MODELS = {"vad": ModelConfig(engine=FAKE_VAD), "speaker": ModelConfig(engine=SLEEP)}
BASE = {name: Generation.of(name, config) for name, config in MODELS.items()}
SMALL = ModelOverride({"options": {"embedding_size": 7}})
BROKEN = ModelOverride({"engine": "silero", "weights": "path:/no/such/folder"})


def small(models: dict[str, ModelConfig] = MODELS) -> Generation:
    return Generation.of("speaker", models["speaker"], SMALL)


async def started(
    platform: LocalPlatform, models: dict[str, ModelConfig] = MODELS, **settings: Any
) -> Control:
    """A control that has loaded what it could."""
    control = Control(models, platform, **settings)
    control.start()
    await until(control, lambda of: all(p.state != "LOADING" for p in of.values()))
    return control


async def until(control: Control, condition: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition((await control.placements()).of):
            await asyncio.sleep(0)


async def placed(control: Control, name: str) -> Placement:
    return (await control.placements()).of[name]


def where(placement: Placement) -> tuple[str | None, str, str]:
    return placement.app, placement.state, placement.reason


async def test_a_start_loads_every_model() -> None:
    platform = LocalPlatform()
    control = await started(platform)
    apps = {name: p.app for name, p in (await control.placements()).of.items()}
    assert apps == {name: generation.app for name, generation in BASE.items()}
    assert set(platform.apps) == set(apps.values())


async def test_a_model_that_cannot_be_loaded_at_the_start_says_why() -> None:
    broken = {"vad": ModelConfig(engine="silero", weights="path:/no/such/folder")}
    control = await started(LocalPlatform(), MODELS | broken)
    app, state, reason = where(await placed(control, "vad"))
    assert (app, state) == (None, "UNAVAILABLE")
    assert "/no/such/folder" in reason
    assert (await placed(control, "speaker")).state == "READY"


async def test_an_override_takes_the_place_of_what_served() -> None:
    platform = LocalPlatform()
    control = await started(platform)
    await control.load("speaker", SMALL)
    now = await placed(control, "speaker")
    assert (now.app, now.override) == (small().app, SMALL)
    assert now.description is not None
    assert now.description.spec.embedding_size == 7
    assert set(platform.apps) == {BASE["vad"].app, small().app}


async def test_a_load_without_an_override_returns_to_the_configuration() -> None:
    platform = LocalPlatform()
    control = await started(platform)
    await control.load("speaker", SMALL)
    await control.load("speaker")
    assert set(platform.apps) == {generation.app for generation in BASE.values()}


@pytest.mark.parametrize("override", [None, SMALL], ids=["as configured", "with an override"])
async def test_a_load_of_what_serves_already_changes_nothing(
    override: ModelOverride | None,
) -> None:
    platform = LocalPlatform()
    control = await started(platform)
    await control.load("speaker", override)
    before, version = list(platform.started), (await control.placements()).version
    await control.load("speaker", override)
    assert (platform.started, (await control.placements()).version) == (before, version)


async def test_a_load_that_fails_leaves_what_served() -> None:
    platform = LocalPlatform()
    control = await started(platform)
    before = platform.remote(BASE["vad"].app)
    with pytest.raises(LoadFailed, match="/no/such/folder"):
        await control.load("vad", BROKEN)
    assert platform.remote(BASE["vad"].app) is before
    assert len(platform.apps) == len(BASE)
    app, state, reason = where(await placed(control, "vad"))
    assert (app, state) == (BASE["vad"].app, "READY")
    assert "/no/such/folder" in reason


BAD_OVERRIDES = {
    "unknown field": (ModelOverride({"replica": 2}), "models.speaker.replica"),
    "wrong value": (ModelOverride({"replicas": 0}), "models.speaker.replicas"),
    "wrong option": (ModelOverride({"options": {"size": 7}}), "options.size: unknown option"),
    "another kind": (ModelOverride({"engine": "bergamot", "options": {}}), "speaker model"),
    "wrong policy": (ModelOverride({}, {"max_batch_size": 0}), "batching.max_batch_size"),
}


@pytest.mark.parametrize(("override", "message"), BAD_OVERRIDES.values(), ids=BAD_OVERRIDES)
async def test_an_override_that_does_not_fit_is_refused(
    override: ModelOverride, message: str
) -> None:
    platform = LocalPlatform()
    control = await started(platform)
    with pytest.raises(InvalidRequest, match=message):
        await control.load("speaker", override)
    assert len(platform.started) == len(MODELS)


async def test_a_load_imports_no_class_that_the_configuration_does_not_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brought_in.py").write_text("class Mine: ...")
    monkeypatch.syspath_prepend(tmp_path)
    control = await started(LocalPlatform())
    with pytest.raises(InvalidRequest, match="only the configuration names a class"):
        await control.load("speaker", ModelOverride({"engine": "brought_in:Mine"}))
    assert "brought_in" not in sys.modules


async def test_a_generation_for_which_there_is_no_gpu_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deployments.catalogue.operations.SHARE_S", 0.0)
    config = ModelConfig(engine=SLEEP, gpu_fraction=0.6)
    platform = LocalPlatform()
    control = await started(platform, {"speaker": config})
    platform.gpus_left = (1.0, 0.4)
    with pytest.raises(LoadFailed, match=r"0\.6 of a GPU, and 0\.4 is left beside the one"):
        await control.load("speaker", SMALL)
    assert len(platform.started) == 1
    platform.gpus_left = (1.0, 1.0)
    await control.unload("speaker")
    await control.load("speaker", SMALL)


async def test_an_unloaded_model_is_gone_until_it_is_loaded() -> None:
    platform = LocalPlatform()
    control = await started(platform)
    await control.unload("speaker")
    assert BASE["speaker"].app not in platform.apps
    assert where(await placed(control, "speaker")) == (None, "UNAVAILABLE", UNLOADED)
    with pytest.raises(Unavailable, match="'speaker' is unloaded"):
        await control.wake("speaker")
    await control.load("speaker")
    assert where(await placed(control, "speaker")) == (BASE["speaker"].app, "READY", "")


@pytest.mark.parametrize("operation", ["load", "unload", "wake"])
async def test_a_model_that_is_not_configured_is_unknown(operation: str) -> None:
    control = await started(LocalPlatform())
    with pytest.raises(UnknownModel):
        await getattr(control, operation)("asr")


async def test_operations_on_one_model_wait_and_those_on_others_do_not() -> None:
    platform = LocalPlatform()
    control = await started(platform)
    platform.held.add(small().app)
    loading = asyncio.create_task(control.load("speaker", SMALL))
    unloading = asyncio.create_task(control.unload("speaker"))
    await control.unload("vad")
    assert not loading.done()
    assert not unloading.done()
    platform.held.clear()
    await asyncio.gather(loading, unloading)
    assert platform.apps == {}


async def test_an_operation_goes_on_when_who_asked_has_left() -> None:
    platform = LocalPlatform()
    control = await started(platform)
    platform.held.add(small().app)
    loading = asyncio.create_task(control.load("speaker", SMALL))
    async with asyncio.timeout(10):
        while len(platform.started) == len(MODELS):
            await asyncio.sleep(0)
    loading.cancel()
    platform.held.clear()
    await until(control, lambda of: of["speaker"].app == small().app)


IDLE_S = 60.0


class Idle(LocalPlatform):
    """One ingress, which says how idle the speaker model is."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.idle_s: float | None = 2 * IDLE_S
        self.answers = True
        self.asked = 0

    async def idle(self) -> list[dict[str, float | None]] | None:
        self.asked += 1
        return [{"speaker": self.idle_s}] if self.answers else None


IDLE_MODELS = {"speaker": ModelConfig(engine=SLEEP, idle_unload_s=IDLE_S)}


async def idle_control(monkeypatch: pytest.MonkeyPatch) -> tuple[Control, Idle]:
    for pause in ("control.WATCH_S", "control.ROUND_S", "operations.POLL_S"):
        monkeypatch.setattr(f"deployments.catalogue.{pause}", 0.0)
    platform = Idle()
    control = await started(platform, IDLE_MODELS, clock=lambda: platform.now)
    return control, platform


async def test_an_idle_model_is_unloaded_until_somebody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control, platform = await idle_control(monkeypatch)
    platform.now = IDLE_S
    await until(control, lambda of: of["speaker"].reason == IDLE and of["speaker"].app is None)
    gone = await placed(control, "speaker")
    assert (gone.state, gone.on_demand, platform.apps) == ("UNAVAILABLE", True, {})
    platform.idle_s = None  # who asks waits: the model is busy
    await asyncio.gather(*(control.wake("speaker") for _ in range(3)))
    assert (await placed(control, "speaker")).state == "READY"
    assert len(platform.started) == 2  # one at the start, one for all three


NOT_IDLE: dict[str, Callable[[Idle], None]] = {
    "it is busy": lambda platform: setattr(platform, "idle_s", None),
    "it was used": lambda platform: setattr(platform, "idle_s", IDLE_S / 2),
    "an ingress does not answer": lambda platform: setattr(platform, "answers", False),
    "it was just loaded": lambda platform: setattr(platform, "now", IDLE_S / 2),
}


@pytest.mark.parametrize("change", NOT_IDLE.values(), ids=NOT_IDLE)
async def test_a_model_that_may_be_used_stays(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Idle], None]
) -> None:
    control, platform = await idle_control(monkeypatch)
    asked = platform.asked
    change(platform)
    if platform.now == 0.0:
        platform.now = IDLE_S
    async with asyncio.timeout(10):
        while platform.asked < asked + 5:
            await asyncio.sleep(0)
    assert (await placed(control, "speaker")).state == "READY"


async def test_an_override_survives_idleness(monkeypatch: pytest.MonkeyPatch) -> None:
    control, platform = await idle_control(monkeypatch)
    await control.load("speaker", SMALL)
    platform.now = IDLE_S
    await until(control, lambda of: of["speaker"].app is None)
    platform.idle_s = None
    await control.wake("speaker")
    assert (await placed(control, "speaker")).app == small(IDLE_MODELS).app


async def test_a_model_that_cannot_come_back_says_so_to_all_who_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control, platform = await idle_control(monkeypatch)
    platform.now = IDLE_S
    await until(control, lambda of: of["speaker"].app is None)
    platform.gpus_left = (1.0, 0.0)
    monkeypatch.setattr(platform, "start", refuse)
    wakes = [control.wake("speaker") for _ in range(3)]
    errors = await asyncio.gather(*wakes, return_exceptions=True)
    assert [type(error) for error in errors] == [Unavailable] * 3
    assert "out of memory" in str(errors[0])
    assert (await placed(control, "speaker")).on_demand  # the next request tries it again


async def refuse(generation: Generation, most_on_a_node: int | None) -> None:
    raise LoadFailed("out of memory")


# ---- a control that takes over ----------------------------------------------------------------


def remote(name: str, override: ModelOverride | None = None) -> LocalRemote:
    generation = Generation.of(name, MODELS[name], override)
    return LocalRemote(name, generation.config, override)


def running(*generations: Generation) -> LocalPlatform:
    return LocalPlatform({g.app: remote(g.name, g.override) for g in generations})


async def test_what_runs_is_kept_with_its_override() -> None:
    platform = running(BASE["vad"], small())
    control = await started(platform)
    assert platform.started == []
    now = await placed(control, "speaker")
    assert (now.app, now.override) == (small().app, SMALL)


async def test_what_is_missing_is_started() -> None:
    platform = running(BASE["vad"])
    await started(platform)
    assert [generation.name for generation in platform.started] == ["speaker"]


REMEMBERED = {"by an operator": (UNLOADED, False), "as idle": (IDLE, True)}


@pytest.mark.parametrize(("reason", "on_demand"), REMEMBERED.values(), ids=REMEMBERED)
@pytest.mark.parametrize("state", ["UNAVAILABLE", "UNLOADING"])
async def test_what_was_unloaded_stays_so(reason: str, on_demand: bool, state: Any) -> None:
    platform = running(BASE["vad"], BASE["speaker"])
    gone = Placement(None, state, reason, on_demand)
    platform.remembered = Placements((1, 1), {"speaker": gone})
    control = await started(platform)
    async with asyncio.timeout(10):
        while BASE["speaker"].app in platform.apps:
            await asyncio.sleep(0)
    assert await placed(control, "speaker") == replace(gone, state="UNAVAILABLE")
    assert platform.started == []


async def test_a_model_that_is_no_longer_configured_goes() -> None:
    platform = running(*BASE.values())
    await started(platform, {"vad": MODELS["vad"]})
    async with asyncio.timeout(10):
        while set(platform.apps) != {BASE["vad"].app}:
            await asyncio.sleep(0)


OTHER = {"vad": MODELS["vad"], "speaker": ModelConfig(engine=SLEEP, threads=2)}
OTHER_APP = Generation.of("speaker", OTHER["speaker"]).app


async def test_a_model_of_another_configuration_serves_until_the_new_one_is_warm() -> None:
    platform = running(*BASE.values())
    platform.held.add(OTHER_APP)
    control = Control(OTHER, platform)
    control.start()
    async with asyncio.timeout(10):
        while OTHER_APP not in platform.apps:
            await asyncio.sleep(0)
    assert where(await placed(control, "speaker")) == (BASE["speaker"].app, "READY", "")
    platform.held.clear()
    await until(control, lambda of: of["speaker"].app == OTHER_APP)
    async with asyncio.timeout(10):
        while BASE["speaker"].app in platform.apps:
            await asyncio.sleep(0)


async def test_a_model_of_another_configuration_stays_if_the_new_one_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = running(*BASE.values())
    monkeypatch.setattr(platform, "start", refuse)
    control = Control(OTHER, platform)
    control.start()
    await until(control, lambda of: of["speaker"].reason == "out of memory")
    now = await placed(control, "speaker")
    assert (now.app, now.state) == (BASE["speaker"].app, "READY")


DASHES = Generation.of("m-0123abcd", MODELS["speaker"]).app
APPS = {
    "as configured": (BASE["speaker"].app, ("speaker",), "speaker"),
    "with an override": (small().app, ("speaker",), "speaker"),
    "not yet with its deployment": (small().app, (), "speaker"),
    "a name like a digest": (DASHES, ("m-0123abcd",), "m-0123abcd"),
    "the server's own": ("dragoman", ("Ingress", "ModelControl"), None),
    "a stranger's of one deployment": ("chat-0123abcd", ("Bot",), None),
    "a stranger's of two": ("chat-0123abcd", ("chat", "Bot"), None),
}


@pytest.mark.parametrize(("app", "deployments", "model"), APPS.values(), ids=APPS)
def test_an_application_s_name_tells_its_model(
    app: str, deployments: tuple[str, ...], model: str | None
) -> None:
    assert model_of(app, *deployments) == model


def test_what_does_not_change_a_replica_does_not_change_its_application() -> None:
    config = ModelConfig(engine=SLEEP, idle_unload_s=5.0)
    assert Generation.of("speaker", config).app == BASE["speaker"].app
