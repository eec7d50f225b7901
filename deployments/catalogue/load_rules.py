"""Refuse calls to load a model with files, engines or options that nobody has allowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from deployments.catalogue.generation import SHOWN_CHARS, ModelOverride
from deployments.config.schema import ModelConfig
from deployments.config.security import LoadAllow
from models.errors import LoadNotAllowed
from models.registry import find_engine


def check_load(override: ModelOverride, base: ModelConfig, allow: LoadAllow) -> None:
    """Refuse changes that ``security.load_allow`` does not name, or that no call may make.

    Raises:
        LoadNotAllowed: names the field and the row that would allow it.
    """
    for field, row, value in _not_allowed(override.model, base, allow):
        message = f"{field} {str(value)[:SHOWN_CHARS]!r} is not in security.load_allow.{row}"
        raise LoadNotAllowed(message, param="config")


def _not_allowed(
    changed: Any, base: ModelConfig, allow: LoadAllow
) -> Iterator[tuple[str, str, Any]]:
    """Yield each field that is not allowed, its row of the allow-list, and the value."""
    weights = changed.get("weights", base.weights)
    if weights != base.weights and not _is_allowed(weights, allow.weights):
        yield "weights", "weights", weights
    engine = changed.get("engine", base.engine)
    if engine != base.engine and engine not in allow.engines:
        yield "engine", "engines", engine
    replicas = changed.get("replicas", base.replicas)
    most = replicas.get("max", 0) if isinstance(replicas, dict) else replicas
    if replicas != base.replicas and most > max(base.most_replicas, allow.max_replicas or 0):
        yield "replicas", "max_replicas", most
    of_file = find_engine(engine).engine.file_options
    for name, value in changed.get("options", base.options).items():
        is_new = name not in base.options or base.options[name] != value
        if is_new and name in of_file:
            message = f"options.{name} is taken from the configuration's file alone"
            raise LoadNotAllowed(message, param="config")
        if is_new and name not in allow.options:
            yield f"options.{name}", "options", value


def _is_allowed(weights: Any, patterns: tuple[str, ...]) -> bool:
    """Tell whether a pattern matches; never for a path with "..", which could leave the folder."""
    if not isinstance(weights, str) or ".." in re.split(r"[/\\]", weights):
        return False
    return any(fnmatchcase(weights, pattern) for pattern in patterns)
