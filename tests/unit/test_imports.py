"""Imports run one way: tuning to deployments to models; the client imports none of them."""

from __future__ import annotations

import ast
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
