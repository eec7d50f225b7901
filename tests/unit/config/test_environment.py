"""The environment of the fast data path: what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.config.environment import (
    RAY_REACHABLE,
    SETTINGS,
    launcher_settings,
    library_path,
    loopback,
    machine_environment,
    missing_settings,
)
from models.devices.nvidia import VISIBLE


def test_nothing_is_missing_where_the_launcher_set_it() -> None:
    assert missing_settings(SETTINGS) == []


def test_a_bare_start_is_told_what_it_lacks() -> None:
    assert missing_settings({}) == ["RAY_SERVE_THROUGHPUT_OPTIMIZED=1"]


LAUNCHED = {"nothing": {}, "a choice": {VISIBLE: "1"}, "none": {VISIBLE: ""}}


@pytest.mark.parametrize("outer", LAUNCHED.values(), ids=LAUNCHED)
def test_what_the_launcher_saw_is_known_where_ray_hides_the_gpus(outer: dict[str, str]) -> None:
    inside = {**outer, **launcher_settings(outer), VISIBLE: ""}
    seen = machine_environment(inside)
    assert seen.get(VISIBLE) == outer.get(VISIBLE)


def test_a_bare_start_hides_nothing_that_could_be_restored() -> None:
    assert machine_environment({VISIBLE: "1"}) == {VISIBLE: "1"}


@pytest.mark.parametrize(
    ("outer", "own"),
    [
        pytest.param({}, {RAY_REACHABLE: "0"}, id="a cluster of its own"),
        pytest.param({"RAY_ADDRESS": "local"}, {RAY_REACHABLE: "0"}, id="by name"),
        pytest.param({"RAY_ADDRESS": "10.0.0.1:6379"}, {}, id="a real cluster"),
        pytest.param({"RAY_ADDRESS": "auto"}, {}, id="one that is found"),
    ],
)
def test_ray_keeps_to_loopback_on_a_cluster_of_its_own(
    outer: dict[str, str], own: dict[str, str]
) -> None:
    assert loopback(outer) == own


def test_the_libraries_of_packages_come_after_the_callers_own(tmp_path: Path) -> None:
    (tmp_path / "nvidia" / "cublas" / "lib").mkdir(parents=True)
    (tmp_path / "nvidia" / "cudnn" / "lib").mkdir(parents=True)
    paths = library_path({"LD_LIBRARY_PATH": "/own"}, tmp_path).split(":")
    assert paths == ["/own", *(f"{tmp_path}/nvidia/{name}/lib" for name in ("cublas", "cudnn"))]


def test_without_such_packages_the_path_stays(tmp_path: Path) -> None:
    assert library_path({}, tmp_path) == ""
