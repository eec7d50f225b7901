"""Models whose licence forbids commercial use: loaded only where the configuration accepts it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from deployments.catalogue.control import Control
from deployments.catalogue.generation import ModelOverride
from deployments.config.schema import AppConfig, ModelConfig
from deployments.config.security import LoadAllow, Security
from deployments.http.app import asgi_app
from deployments.http.middleware.admission import Admission
from models.errors import InvalidRequest, LoadFailed
from tests.support.asgi import connect
from tests.support.fakes import FAKE_VAD
from tests.support.licensed import FREE, TOLD_LATE, UNFREE
from tests.support.local import LocalPlatform, fake_fleet
from tests.unit.catalogue.test_control import placed, started

REFUSAL = r"models\.vad\.accept_license: .* under CC-BY-NC-4\.0, which forbids commercial use"


def control_of(**model: object) -> dict[str, ModelConfig]:
    return {"vad": ModelConfig.model_validate({"engine": FREE, **model})}


def folder(place: Path, licence: str) -> str:
    place.mkdir()
    (place / "README.md").write_text(f"---\nlicense: {licence}\n---\n")
    return f"path:{place}"


async def test_a_licence_told_after_loading_fails_the_load() -> None:
    control = await started(LocalPlatform(), control_of(engine=TOLD_LATE))
    now = await placed(control, "vad")
    assert now.state == "UNAVAILABLE"
    with pytest.raises(LoadFailed, match=REFUSAL):
        raise LoadFailed(now.reason)


async def test_what_the_configuration_accepts_is_loaded() -> None:
    control = await started(LocalPlatform(), control_of(engine=TOLD_LATE, accept_license=True))
    assert (await placed(control, "vad")).state == "READY"


async def test_a_load_is_refused_before_anything_is_loaded() -> None:
    platform = LocalPlatform()
    control = await started(platform, control_of(engine=UNFREE))
    platform.started.clear()
    with pytest.raises(LoadFailed, match=REFUSAL):
        await control.load("vad")
    assert platform.started == []


@pytest.mark.parametrize("value", [True, False])
async def test_a_load_accepts_no_licence(value: bool) -> None:
    control = await started(LocalPlatform(), control_of())
    with pytest.raises(InvalidRequest, match="only the configuration accepts a licence"):
        await control.load("vad", ModelOverride({"accept_license": value}))


async def other_weights(control: Control, weights: str) -> None:
    await control.load("vad", ModelOverride({"weights": weights}))


async def test_what_is_accepted_for_some_weights_is_not_for_others(tmp_path: Path) -> None:
    own, other = folder(tmp_path / "own", "cc-by-nc-4.0"), folder(tmp_path / "other", "cpml")
    control = await started(LocalPlatform(), control_of(weights=own, accept_license=True))
    with pytest.raises(LoadFailed, match=r"models\.vad\.accept_license: .* under cpml"):
        await other_weights(control, other)


async def test_what_is_accepted_holds_for_other_weights_under_the_same_licence(
    tmp_path: Path,
) -> None:
    own, other = (folder(tmp_path / name, "cc-by-nc-4.0") for name in ("own", "other"))
    control = await started(LocalPlatform(), control_of(weights=own, accept_license=True))
    await other_weights(control, other)
    assert (await placed(control, "vad")).state == "READY"


async def test_what_is_accepted_for_unknown_weights_is_not_for_others() -> None:
    model = {"engine": TOLD_LATE, "accept_license": True}
    control = await started(LocalPlatform(), control_of(**model))
    with pytest.raises(LoadFailed, match=REFUSAL):
        await other_weights(control, "path:/srv/other")


@pytest.fixture
async def app(tmp_path: Path) -> AppConfig:
    weights = folder(tmp_path / "nc", "cc-by-nc-4.0")
    allow = LoadAllow(weights=(weights,), options=("accept_license",))
    return AppConfig(
        models={"vad": ModelConfig(engine=FAKE_VAD)}, security=Security(load_allow=allow)
    )


async def load(config: AppConfig, parameters: str) -> httpx.Response:
    async with connect(asgi_app(await fake_fleet(config), config, Admission(4))) as http:
        body = {"parameters": {"config": f'{{"parameters": {parameters}}}'}}
        return await http.post("/v2/repository/models/vad/load", json=body)


async def test_a_caller_is_told_what_to_accept_in_the_same_words(app: AppConfig) -> None:
    (weights,) = app.security.load_allow.weights
    answer = await load(app, f'{{"weights": {{"string_value": "{weights}"}}}}')
    assert answer.status_code == 400
    assert "write `accept_license: true` under models.vad" in answer.json()["error"]


@pytest.mark.parametrize("key", ["accept_license", "options.accept_license"])
async def test_a_caller_cannot_accept_for_the_owner(app: AppConfig, key: str) -> None:
    answer = await load(app, f'{{"{key}": {{"string_value": "true"}}}}')
    assert (answer.status_code, "accept_license" in answer.json()["error"]) == (400, True)
