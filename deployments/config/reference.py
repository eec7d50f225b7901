"""The reference of the configuration: writes ``docs/configuration.md`` and the JSON schema.

Both are made of the configuration's types: ``python -m deployments.config.reference``. With
``--check`` nothing is written, and the exit code is 1 if a file is out of date.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deployments.config.json_schema import DEFS, options_schema, serve_file_schema
from models.registry import ENGINES

ROOT = Path(__file__).parents[2]
PAGE, SCHEMA = ROOT / "docs" / "configuration.md", ROOT / "docs" / "serve_config.schema.json"
INTRODUCTION = """# Configuration

<!-- Made by `python -m deployments.config.reference` of the types in deployments/config. -->

Every key of `serve_config.yaml`, with its type, bounds, default and meaning. An unknown key or a
wrong value stops the start, and the message names it. `dragoman check --config FILE` only checks.

Paths are shortened: `args` is `applications[].args`, and `deployments[]` is
`applications[].deployments[]`. `NAME` is a name of your own, such as a model's. What stands under
`args` is read at the start, and a change there loads models again. What stands under
`deployments[].user_config` applies to the running server.

Editors that know the language server for YAML complete and check the file by
`docs/serve_config.schema.json`, which the first line of `serve_config.yaml` names.
"""
ENGINE_INTRODUCTION = """## Engines

`engine` is one of these names, or `package.module:Class`: any class that the server's Python can
import ([engines.md](engines.md)). Only the configuration names a class; no request can.
"""
OPTIONS_INTRODUCTION = "Under `args.models.NAME.options`, where `engine` is `{}`. {}"
ARGUMENTS = "applications[]."  # left out of paths
NUMBER_TYPES = ("integer", "number")
BOUNDS = {  # of JSON Schema, in words
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}


def files() -> dict[Path, str]:
    """Make the page and the schema."""
    schema = serve_file_schema()
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return {PAGE: page(schema), SCHEMA: text}


def page(schema: Mapping[str, Any]) -> str:
    """Write the page: a table for each object of the file, and one for each engine's options."""
    parts = [INTRODUCTION]
    for path, definition in _objects(schema, schema["$defs"], ""):
        title = f"`{path}`" if path else "The file"
        parts.append(f"## {title}\n\n{definition['description']}\n\n{_table(definition)}")
    parts.append(f"{ENGINE_INTRODUCTION}\n{_engines()}")
    for name in ENGINES:
        definition = options_schema(name)
        introduction = OPTIONS_INTRODUCTION.format(name, definition["description"])
        parts.append(f"### Options of `{name}`\n\n{introduction}\n\n{_table(definition)}")
    return "\n".join(parts).replace("``", "`")


def _objects(
    definition: Mapping[str, Any], defs: Mapping[str, Any], path: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each object of the file with its path, those within it behind it."""
    yield path, definition
    for key, value in definition["properties"].items():
        for suffix, target in _targets(value):
            name = target.removeprefix(DEFS)
            below = f"{path}.{key}{suffix}".removeprefix(".")
            yield from _objects(defs[name], defs, below.removeprefix(ARGUMENTS))


def _targets(value: Any, suffix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the objects that a key may hold: what follows the key in a path, and a reference."""
    if "$ref" in value:
        yield suffix, value["$ref"]
    for each in value.get("anyOf", ()):
        yield from _targets(each, suffix)
    if isinstance(value.get("items"), dict):
        yield from _targets(value["items"], f"{suffix}[]")
    if isinstance(value.get("additionalProperties"), dict):
        yield from _targets(value["additionalProperties"], f"{suffix}.NAME")


def _engines() -> str:
    rows = ["| Engine | Kind | Library | Class |", "|---|---|---|---|"]
    for name, found in ENGINES.items():
        library = found.engine.library or "none"
        rows.append(f"| `{name}` | {found.engine.kind} | {library} | `{found.reference}` |")
    return "\n".join(rows) + "\n"


def _table(definition: Mapping[str, Any]) -> str:
    rows = ["| Key | Type | Default | Meaning |", "|---|---|---|---|"]
    required = definition.get("required", ())
    for key, value in definition["properties"].items():
        default = "required" if key in required else _default(value)
        cells = [f"`{key}`", _type(value), default, value["description"]]
        rows.append(f"| {' | '.join(_cell(cell) for cell in cells)} |")
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(value: Mapping[str, Any]) -> str:
    if "default" not in value:
        return "see below"
    return f"`{json.dumps(value['default'], ensure_ascii=False)}`"


def _type(value: Mapping[str, Any]) -> str:
    """Write a type in words, with its bounds."""
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value and "anyOf" not in value:
        return ", ".join(f"`{json.dumps(each)}`" for each in value["enum"])
    if "$ref" in value:
        return "object"
    if "anyOf" in value and "type" not in value:
        return " or ".join(_type(each) for each in value["anyOf"])
    kind = value["type"]
    if kind in NUMBER_TYPES:
        return f"{kind}{_bounds(value)}"
    if kind == "array":
        least = " (at least one)" if value.get("minItems") else ""
        return f"list of {_plural(value['items'])}{least}"
    if kind == "object":
        return _map(value)
    return "text" if kind == "string" else kind


def _plural(value: Mapping[str, Any]) -> str:
    name = _type(value)
    return {"object": "objects", "text": "texts", "number": "numbers"}.get(name, name)


def _map(value: Mapping[str, Any]) -> str:
    within = value.get("additionalProperties")
    if value.get("patternProperties"):
        (within,) = value["patternProperties"].values()
    return f"map of name to {_type(within)}" if isinstance(within, dict) else "map"


def _bounds(value: Mapping[str, Any]) -> str:
    bounds = [f"{word} {_number(value[key])}" for key, word in BOUNDS.items() if key in value]
    return f", {' '.join(bounds)}" if bounds else ""


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def main(arguments: list[str] | None = None) -> int:
    """Write both files, or tell which are out of date."""
    parser = argparse.ArgumentParser(prog="deployments.config.reference", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if out of date")
    is_check = parser.parse_args(arguments).check
    made = files()
    stale = [path for path in made if not path.exists() or path.read_text() != made[path]]
    for path in stale:
        if is_check:
            sys.stderr.write(f"{path}: out of date; run python -m deployments.config.reference\n")
        else:
            path.write_text(made[path])
    return int(is_check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
