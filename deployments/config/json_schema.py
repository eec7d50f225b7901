"""The JSON schema of ``serve_config.yaml``, for editors: made of the configuration's types."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter

from deployments.config.files import ServeFile
from deployments.config.policy import Strict
from models.registry import ENGINES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFS = "#/$defs/"
A_CLASS = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"  # package.module:Class
MODEL = "ModelConfig"
OPTIONS = "options of {}"  # of an engine, in $defs


def serve_file_schema() -> dict[str, Any]:
    """Describe the whole file, with a meaning for each key and the options of each engine."""
    schema = ServeFile.model_json_schema()
    classes = {cls.__name__: cls for cls in _subclasses(Strict)}
    for name, definition in [("ServeFile", schema), *schema["$defs"].items()]:
        _describe(definition, classes[name])
    model = schema["$defs"][MODEL]
    model["properties"]["engine"] |= {"anyOf": [{"enum": [*ENGINES]}, {"pattern": A_CLASS}]}
    model["allOf"] = [
        {
            "if": {"properties": {"engine": {"const": name}}},
            "then": {"properties": {"options": {"$ref": DEFS + OPTIONS.format(name)}}},
        }
        for name in ENGINES
    ]
    for name in ENGINES:
        options = options_schema(name)
        schema["$defs"] |= options.pop("$defs", {})
        schema["$defs"][OPTIONS.format(name)] = options
    return {"$schema": DIALECT, **_untitled(schema)}


def options_schema(engine: str) -> dict[str, Any]:
    """Describe the options of one of Dragoman's own engines."""
    cls = ENGINES[engine].engine.options
    schema = TypeAdapter(cls).json_schema()
    _describe(schema, cls)
    for name, within in _classes_within(cls):
        _describe(schema["$defs"][name], within)
    untitled: dict[str, Any] = _untitled({**schema, "additionalProperties": False})
    return untitled


def field_docs(cls: type[Any]) -> Mapping[str, str]:
    """Read the text below each field of a class and of its bases, each in one line."""
    docs: dict[str, str] = {}
    for each in reversed(cls.__mro__):
        if each.__module__.partition(".")[0] not in ("models", "deployments"):
            continue
        tree = ast.parse(textwrap.dedent(inspect.getsource(each))).body[0]
        assert isinstance(tree, ast.ClassDef)
        for field, below in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                docs[field.target.id] = " ".join(str(below.value.value).split())
    return docs


def _describe(definition: dict[str, Any], cls: type[Any]) -> None:
    """Write the meaning of each key into a schema. Raises KeyError: a field has none."""
    docs = field_docs(cls)
    definition["description"] = " ".join((inspect.getdoc(cls) or "").split())
    for name, value in definition["properties"].items():
        value |= {"description": docs[name], **_made_default(cls, name)}
        if "$ref" in value:
            value.pop("default", None)  # those of its keys say it


def _classes_within(cls: type[Any]) -> Iterator[tuple[str, type[Any]]]:
    """Yield the dataclasses that fields of a dataclass hold, by name."""
    hints = list(get_type_hints(cls).values())
    while hints:
        hint = hints.pop()
        hints += get_args(hint)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield hint.__name__, hint


def _made_default(cls: type[Any], name: str) -> dict[str, Any]:
    """Make a default that pydantic leaves out, as it comes from a factory."""
    if issubclass(cls, Strict):
        field = cls.model_fields[name]
        is_made = field.default_factory is not None
        return {"default": field.get_default(call_default_factory=True)} if is_made else {}
    factory = cls.__dataclass_fields__[name].default_factory
    return {} if factory is dataclasses.MISSING else {"default": factory()}


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)


def _untitled(value: Any) -> Any:
    """Drop the titles that pydantic makes of names: they say nothing more."""
    if isinstance(value, dict):
        return {
            key: _untitled(each)
            for key, each in value.items()
            if key != "title" or not isinstance(each, str)
        }
    return [_untitled(each) for each in value] if isinstance(value, list) else value
