"""Imports run one way: tuning to deployments to models; what is imported is declared."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "models": {
        *("deployments", "tuning", "dragoman_client", "load", "client", "ray", "starlette"),
        *("tests", "bench"),
    },
    "deployments": {"tuning", "dragoman_client", "load", "client", "tests", "bench"},
    "tuning": {"client", "tests", "bench"},
    "client": {"models", "deployments", "tuning", "ray", "torch", "numpy", "tests"},
}
# What forms batches and runs the graph must not know Ray: it is tested without.
RAY_FREE = {
    *("batcher.py", "concurrency.py", "config.py", "control.py", "dispatcher.py", "fleet.py"),
    *("follower.py", "generation.py", "pipeline.py", "remote.py", "statistics.py", "waiting.py"),
}


@cache
def imported(path: Path) -> set[str]:
    """Top-level names of all that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    found = {str(f.relative_to(ROOT)): imported(f) & FORBIDDEN[room] for f in files}
    assert files
    assert not {name: bad for name, bad in found.items() if bad}


@pytest.mark.parametrize("name", sorted(RAY_FREE))
def test_batching_and_the_graph_are_free_of_ray(name: str) -> None:
    assert "ray" not in imported(ROOT / "deployments" / name)


# ---- what is imported is declared --------------------------------------------------------

OWN = {"models", "deployments", "tuning", "bench", "tests"}
OWN |= {"client", "dragoman_client", "load", "load_test"}
# Peers run in environments of their own, and so do the packages that they import.
PEERS = ROOT / "bench" / "overhead" / "peers"
SERVER, CLIENT = ROOT / "pyproject.toml", ROOT / "client" / "pyproject.toml"
DECLARED_IN = {
    "models": [SERVER],
    "deployments": [SERVER],
    "tuning": [SERVER],
    "client": [CLIENT],
    "bench": [SERVER, CLIENT],
    "tests": [SERVER, CLIENT],
}


@cache
def distributions() -> Mapping[str, list[str]]:
    """Who brings each module: looked up once, as that reads every package's list of files."""
    return packages_distributions()


def canonical(name: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", name, maxsplit=1)[0].replace("_", "-").lower()


def declared(path: Path) -> set[str]:
    """The distributions that a pyproject.toml asks for, in extras or without."""
    project = tomllib.loads(path.read_text())["project"]
    extras = project.get("optional-dependencies", {})
    return {canonical(each) for each in [*project["dependencies"], *chain(*extras.values())]}


@pytest.mark.parametrize("room", DECLARED_IN)
def test_what_a_room_imports_is_declared(room: str) -> None:
    """A package that is there because another needs it may be gone with that one's next version."""
    weights = (ROOT / "requirements-weights.txt").read_text().splitlines()
    known = {canonical(line) for line in weights if line and not line.startswith("#")}
    known = known.union(*(declared(path) for path in DECLARED_IN[room]))
    owners = distributions()
    files = [f for f in (ROOT / room).rglob("*.py") if not f.is_relative_to(PEERS)]
    names = set().union(*(imported(f) for f in files)) - OWN - sys.stdlib_module_names
    missing = {n for n in names if not {canonical(o) for o in owners.get(n, [n])} & known}
    assert missing == set()
