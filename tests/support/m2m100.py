"""A small M2M100 for tests: its settings, its items, and the answers that are no errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from models.devices.device import DeviceRequest
from models.nmt.m2m100.engine import M2m100Nmt
from models.runtime import ItemError, RuntimeSettings
from models.types import NmtItem, Translation
from tests.support.m2m100_transformers import M2m100TransformersNmt
from tests.support.published.m2m100 import SENTENCES

MAX_TOKENS = 30  # a random model seldom ends by itself
Engine: TypeAlias = M2m100Nmt | M2m100TransformersNmt


def mixed_items(**fields: Any) -> list[NmtItem]:
    """Ten sentences of several lengths and scripts, each of another pair."""
    languages = list(SENTENCES)
    targets = languages[3:] + languages[:3]
    return [
        NmtItem(SENTENCES[source], source, target, **{"max_tokens": MAX_TOKENS} | fields)
        for source, target in zip(languages, targets, strict=True)
    ]


def settings(folder: Path) -> RuntimeSettings:
    return RuntimeSettings("translator", f"path:{folder}", DeviceRequest("cpu", threads=1))


def load(engine: Engine) -> Engine:
    engine.load()
    return engine


def translations(results: Sequence[Translation | ItemError]) -> list[Translation]:
    assert not [result for result in results if isinstance(result, ItemError)]
    return [result for result in results if isinstance(result, Translation)]


def run(engine: Engine, items: Sequence[NmtItem]) -> list[Translation]:
    return translations(engine.run(items))
