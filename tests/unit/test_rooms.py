"""Rooms: who may import whom, no circle of imports, and what is imported is declared."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("models", "deployments", "tuning", "bench", "tests", "client/dragoman_client", "client/load")
# Each room with those that it may import beside itself. A folder of ``deployments`` is a room.
DOORS: dict[str, set[str]] = {
    "models": set(),
    "config": {"models"},
    "batching": {"models", "config"},
    "telemetry": {"models", "config", "batching"},
    "catalogue": {"models", "config", "batching", "telemetry"},
    "graph": {"models", "config", "batching", "telemetry", "catalogue"},
    "security": {"models", "config", "telemetry"},
    "doctor": {"models", "config", "telemetry", "security"},
}
DOORS["library"] = {"models", "config", "telemetry"}
DOORS["jobs"] = {"models", "config", "batching", "telemetry", "catalogue", "graph", "library"}
DOORS["live"] = {"models", "config", "batching", "telemetry", "catalogue", "graph"}
DOORS["inference"] = {*DOORS["live"], "security"}
DOORS["http"] = {*DOORS, "graph"}
DOORS["grpc"] = {*DOORS, "graph"}
DOORS["serve"] = {*DOORS, "http"}
DOORS["cli"] = {*DOORS, "serve"}
DOORS["app"] = {"config", "serve"}
DOORS["dragoman_client"] = set()
DOORS["load"] = {"dragoman_client"}
DOORS["tuning"] = {*DOORS, "dragoman_client", "load"} - {"app"}
DOORS["bench"] = {*DOORS, "tuning", "tests.support"}
RAY_ROOMS = {"serve", "app", "bench", "tests"}


def files() -> Iterator[Path]:
    for top in TOP:
        yield from (ROOT / top).rglob("*.py")


def module_of(path: Path) -> str:
    """The dotted name that a file is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "client" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in files()}


def room_of(module: str) -> str:
    """Name a module's room: ``deployments.http.app`` is of ``http``."""
    parts = module.split(".")
    if parts[0] == "deployments":
        return parts[1] if len(parts) > 1 else "config"
    return "tests.support" if parts[:2] == ["tests", "support"] else parts[0]


@cache
def imports(path: Path) -> tuple[tuple[str, bool], ...]:
    """Each module that a file imports, and whether for types alone."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, *, for_types: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.append((submodule if submodule in MODULES else node.module, for_types))
        elif isinstance(node, ast.If):
            for_types = for_types or ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in blocks(node):
            visit(child, for_types=for_types)

    visit(ast.parse(path.read_text()), for_types=False)
    return tuple(found)


def blocks(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a statement's blocks; an expression holds no import."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        yield from getattr(node, field, ())


@cache
def imported(path: Path) -> set[str]:
    """Top-level names of all that a file imports, wherever in it."""
    return {module.split(".")[0] for module, _ in imports(path)}


@pytest.mark.parametrize("room", DOORS)
def test_a_room_imports_only_through_its_doors(room: str) -> None:
    members = {module: path for module, path in MODULES.items() if room_of(module) == room}
    wrong = {
        f"{module} -> {target}"
        for module, path in members.items()
        for target, _ in imports(path)
        if target in MODULES and room_of(target) not in {room, *DOORS[room]}
    }
    assert members
    assert wrong == set()


def test_every_room_has_its_doors_told() -> None:
    assert {room_of(module) for module in MODULES} == {*DOORS, "tests", "tests.support"}


def test_only_one_room_imports_ray() -> None:
    rooms = {room_of(module) for module, path in MODULES.items() if "ray" in imported(path)}
    assert {room.split(".")[0] for room in rooms} <= RAY_ROOMS


def test_imports_form_no_circle() -> None:
    graph = {
        module: {target for target, _ in imports(path) if target in MODULES and target != module}
        for module, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


# ---- what is imported is declared --------------------------------------------------------

OWN = {"models", "deployments", "tuning", "bench", "tests"}
OWN |= {"client", "dragoman_client", "load", "load_test"}
# Peers and stock clients run in environments of their own, with the packages that they import.
FOREIGN = (
    ROOT / "bench" / "overhead" / "peers",
    ROOT / "tests" / "clients",
    ROOT / "tests" / "page" / "browser",
)
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


def declared(path: Path, *, with_dev: bool) -> set[str]:
    """Return what a pyproject.toml asks for, in extras or without; ``dev`` is for tests alone."""
    project = tomllib.loads(path.read_text())["project"]
    extras = project.get("optional-dependencies", {})
    wanted = [extra for name, extra in extras.items() if with_dev or name != "dev"]
    return {canonical(each) for each in [*project["dependencies"], *chain(*wanted)]}


@pytest.mark.parametrize("room", DECLARED_IN)
def test_what_a_room_imports_is_declared(room: str) -> None:
    """A package that is there because another needs it may be gone with that one's next version."""
    weights = (ROOT / "requirements-weights.txt").read_text().splitlines()
    known = {canonical(line) for line in weights if line and not line.startswith("#")}
    with_dev = room in ("bench", "tests")
    packages = "*/" if room == "client" else ""  # beside them lie scripts for who develops it
    known = known.union(*(declared(path, with_dev=with_dev) for path in DECLARED_IN[room]))
    owners = distributions()
    files = [
        f
        for f in (ROOT / room).glob(f"{packages}**/*.py")
        if not any(map(f.is_relative_to, FOREIGN))
    ]
    names = set().union(*(imported(f) for f in files)) - OWN - sys.stdlib_module_names
    missing = {n for n in names if not {canonical(o) for o in owners.get(n, [n])} & known}
    assert missing == set()
