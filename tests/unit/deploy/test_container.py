"""The container's files: they say what the project's own configuration says, and ask for a key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.config.environment import SETTINGS
from deployments.config.files import load
from models.errors import ConfigError

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
KUBERAY = DEPLOY / "kuberay"
BY_KUBERAY = {"RAY_AUTH_MODE"}  # it sets this itself, with the token


def config(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text())
    return read


def args(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = config(path)["applications"][0]["args"]
    return found


def ray_service() -> dict[str, Any]:
    return config(KUBERAY / "rayservice.yaml")["spec"]  # type: ignore[no-any-return]


def containers() -> list[dict[str, Any]]:
    """The head's and the workers' containers."""
    cluster = ray_service()["rayClusterConfig"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [each for group in groups for each in group["template"]["spec"]["containers"]]


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        pytest.param(DEPLOY / "container" / "serve_config.yaml", {"ingress"}, id="container"),
        pytest.param(
            KUBERAY / "serve_config.yaml", {"ingress", "library", "security"}, id="kuberay"
        ),
    ],
)
def test_a_configuration_differs_from_the_project_s_where_it_must(
    path: Path, changed: set[str]
) -> None:
    own, ours = args(path), args(ROOT / "serve_config.yaml")
    assert {key for key in {*own, *ours} if own.get(key) != ours.get(key)} == changed
    assert {**config(path), "applications": None} == {
        **config(ROOT / "serve_config.yaml"),
        "applications": None,
    }


def test_a_container_without_a_key_does_not_start() -> None:
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0 is reached from other machines"):
        load(DEPLOY / "container" / "serve_config.yaml")


def test_a_pod_serves_the_file_beside_the_manifest() -> None:
    assert ray_service()["serveConfigV2"] == (KUBERAY / "serve_config.yaml").read_text()


def test_a_pod_s_file_is_valid() -> None:
    load(KUBERAY / "serve_config.yaml")


def test_ray_is_of_one_version_in_image_and_manifest() -> None:
    pinned = re.search(r"^ray(?:\[\w+\])?==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert pinned is not None
    assert ray_service()["rayClusterConfig"]["rayVersion"] == pinned[1]


def test_every_pod_has_the_environment_that_dragoman_serve_sets() -> None:
    wanted = {name: value for name, value in SETTINGS.items() if name not in BY_KUBERAY}
    for container in containers():
        given = {each["name"]: each.get("value") for each in container["env"]}
        assert {name: given.get(name) for name in wanted} == wanted


def test_no_container_may_more_than_it_must() -> None:
    for container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_what_selects_pods_finds_them() -> None:
    cluster = ray_service()["rayClusterConfig"]
    pods = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    labels = [pod["template"]["metadata"]["labels"] for pod in pods]
    service = config(KUBERAY / "service.yaml")["spec"]["selector"]
    budgets = [
        each["spec"]["selector"]["matchLabels"]
        for each in yaml.safe_load_all((KUBERAY / "disruption.yaml").read_text())
    ]
    for selector in (service, *budgets):
        assert any(selector.items() <= each.items() for each in labels)
