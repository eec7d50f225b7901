"""Engines are found by name or by class, and a class that is none says what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from models.devices.device import DeviceRequest
from models.errors import ConfigError
from models.registry import ENGINES, find_engine
from models.runtime import Engine, RuntimeSettings
from models.types import Kind
from tests.support.fakes import SLEEP, Options, SleepSpeaker

Importable = Callable[[str], str]


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Importable:
    """Make a module of a text; returns its name, which no other test has."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"engine_of_{tmp_path.name}"

    def write(content: str) -> str:
        (tmp_path / f"{name}.py").write_text(content)
        return name

    return write


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_of_our_own_declares_itself(name: str) -> None:
    assert find_engine(name).engine.kind in get_args(Kind)


def test_a_class_is_an_engine_like_one_with_a_name() -> None:
    settings = RuntimeSettings("speaker", "none", DeviceRequest("cpu"), {"embedding_size": 3})
    runtime = find_engine(SLEEP).create(settings)
    spec, _ = runtime.load()
    assert (isinstance(runtime, SleepSpeaker), spec.embedding_size) == (True, 3)


BEGIN = "from models.runtime import Engine\n"
METHODS = "    load = warm_up = run = close = print\n"
INIT = "    def __init__(self, settings, options): ...\n"
BAD = {
    "no such name": (None, "sloop", "unknown engine 'sloop'; there are silero, whisper"),
    "no class": (
        None,
        "models.runtime:",
        r"'models\.runtime:' is not of the form package\.module:",
    ),
    "a path": (None, "/srv/engine.py:Mine", "is not of the form"),
    "a call": (None, "os:system('true')", "is not of the form"),
    "no such module": (None, "nowhere.at_all:Mine", "importing nowhere.at_all failed: ModuleNot"),
    "a module that fails": ("1 / 0", "{}:Mine", "failed: ZeroDivisionError"),
    "a module that ends the process": ("import sys; sys.exit(1)", "{}:Mine", "failed: SystemExit"),
    "no such class": ("", "{}:Mine", "has no class Mine"),
    "a function": ("def Mine(): ...", "{}:Mine", "has no class Mine"),
    "no declaration": ("class Mine: ...", "{}:Mine", r"it lacks the attribute `engine = Engine\("),
    "another declaration": ("class Mine:\n    engine = 'asr'", "{}:Mine", "lacks the attribute"),
    "no kind": (BEGIN + "Engine('music')", "{}:Mine", "Engine.kind: one of vad, asr, .* 'music'"),
    "no method": (
        BEGIN + "class Mine:\n    engine = Engine('vad')\n    load = warm_up = run = print",
        "{}:Mine",
        "is no engine: it lacks the method close",
    ),
    "it keeps and does not know what it lacks": (
        BEGIN + "class Mine:\n    engine = Engine('nmt', keeps=True)\n" + METHODS + INIT,
        "{}:Mine",
        "it lacks the method lacks",
    ),
    "no settings": (
        BEGIN + "class Mine:\n    engine = Engine('vad')\n" + METHODS,
        "{}:Mine",
        r"__init__ must take \(settings, options\)",
    ),
}


@pytest.mark.parametrize(("content", "engine", "says"), BAD.values(), ids=BAD)
def test_what_is_no_engine_says_what_it_lacks(
    importable: Importable, content: str | None, engine: str, says: str
) -> None:
    if content is not None:
        engine = engine.format(importable(content))
    with pytest.raises(ConfigError, match=says):
        find_engine(engine)


def test_fakes_are_not_offered() -> None:
    with pytest.raises(ConfigError) as caught:
        find_engine("fake-asr")
    assert "fake" not in str(caught.value).removeprefix("unknown engine 'fake-asr'")


class Thawed:
    """Options that are no dataclass."""


DECLARATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "no such library": ({"library": "jax"}, "Engine.library: None or one of torch"),
    "one pattern": ({"files": "model.bin"}, "Engine.files: a tuple"),
    "no dataclass": ({"options": Thawed}, "Engine.options: a frozen dataclass"),
    "an instance": ({"options": Options()}, "Engine.options: a frozen dataclass"),
    "it keeps text that it has not": ({"keeps": True}, "Engine.keeps: for nmt alone"),
    "no licence, but an empty one": ({"licence": ""}, "Engine.licence: None or a text"),
}


@pytest.mark.parametrize(("fields", "says"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_a_declaration_that_is_wrong_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        Engine("vad", **fields)
