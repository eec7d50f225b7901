"""Writes what was chosen: the user's file with only the tuned keys changed, comments kept."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.util import load_yaml_guess_indent

from deployments.config.files import ServeFile, load
from models.errors import ConfigError
from tuning.space import Candidate

Number: TypeAlias = int | float
Change: TypeAlias = tuple[tuple[str, ...], Number]  # the path of a key of the file, its value
INGRESS, BATCHING = "Ingress", ("user_config", "batching")
MAX_WIDTH = 1 << 16  # characters: no line is broken that was not


def changes(config: ServeFile, present: Candidate, chosen: Candidate) -> list[Change]:
    """List the keys that differ; paths begin under ``args``, or the ingress' ``user_config``.

    With the replicas go the threads where the file names none: they depend on them there.
    """
    models = config.applications[0].args.models
    return [
        (path, value)
        for (name, before), (_, after) in zip(present.models, chosen.models, strict=True)
        for path, was, value in (
            (("args", "models", name, "replicas"), before.replicas, after.replicas),
            (("args", "models", name, "threads"), before.threads, after.threads),
            (
                (*BATCHING, name, "max_batch_size"),
                before.max_batch_size,
                after.max_batch_size,
            ),
            (
                (*BATCHING, name, "max_queue_delay_ms"),
                before.max_queue_delay_ms,
                _plain(after.max_queue_delay_ms),
            ),
        )
        if was != value
        or (
            path[-1] == "threads"
            and before.replicas != after.replicas
            and models[name].threads is None
        )
    ]


def tuned(text: str, wanted: list[Change]) -> str:
    """Return the text of a valid serve file with these keys changed, and nothing else."""
    _, indent, offset = load_yaml_guess_indent(text)
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, MAX_WIDTH
    if indent is not None:
        yaml.indent(mapping=2, sequence=indent, offset=offset or 0)
    content = yaml.load(text)
    _set(content, wanted)
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def write(source: Path, config: ServeFile, wanted: list[Change], output: Path) -> None:
    """Write the tuned file, after it was found to be valid and to say what it should.

    Raises:
        OSError: it cannot be written.
        ConfigError: it would not say so: the file is written in a way that is not understood.
    """
    text = tuned(source.read_text(encoding="utf-8"), wanted)
    draft = output.with_name(f".{output.name}.draft")
    try:
        draft.write_text(text, encoding="utf-8")
        if load(draft).model_dump() != expected(config, wanted).model_dump():
            raise ConfigError(f"{source}: its keys could not be changed one by one")
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)


def expected(config: ServeFile, wanted: list[Change]) -> ServeFile:
    """Return the configuration with these keys changed, whatever its text looks like."""
    content = config.model_dump(mode="json", exclude_unset=True)
    _set(content, wanted)
    return ServeFile.model_validate(content)


def _set(content: Any, wanted: list[Change]) -> None:
    (application,) = content["applications"]
    for (first, *path, key), value in wanted:
        place = application if first == "args" else _ingress(application)
        for step in (first, *path):
            place = _own(place, step)
        place[key] = value


def _ingress(application: Any) -> Any:
    """Return the ingress' entry among the deployments, made where there is none."""
    deployments = _own(application, "deployments", CommentedSeq)
    found = [place for place in deployments if place["name"] == INGRESS]
    if not found:
        deployments.append(CommentedMap({"name": INGRESS}))
    return (found or deployments)[-1]


def _own(place: Any, key: str, kind: type[Any] = CommentedMap) -> Any:
    """Return what stands under a key, made where nothing does; copy what others share (``&``)."""
    if place.get(key) is None:
        place[key] = kind()
    node = place[key]
    if getattr(node, "anchor", None) is not None and node.anchor.value is not None:
        place[key] = node = copy.deepcopy(node)
        node.yaml_set_anchor(None)
    return node


def _plain(value: float) -> Number:
    return int(value) if value == int(value) else value
