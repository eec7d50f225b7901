"""Finds the files of a translation model in CTranslate2's format, and reads what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.errors import WeightsError
from models.weights.ctranslate_file import MODEL_FILE
from models.weights.source import WeightSource

CONFIG_FILE, README_FILE = "config.json", "README.md"
FILES = (
    *(CONFIG_FILE, MODEL_FILE, "*vocabulary.json", "*vocabulary.txt"),
    *("*.spm", "*.model", "tokenizer.json", "tokenizer_config.json", README_FILE),
)
_SUFFIXES = (".json", ".txt")  # the latter is older
_FRONT_MATTER = re.compile(r"---\r?\n(.*?)\r?\n---", re.DOTALL)
# Identifiers of the hub beside SPDX's own.
_SPDX = {"apache-2.0": "Apache-2.0", "mit": "MIT", "mpl-2.0": "MPL-2.0"}
_NO_LICENCES = frozenset({"", "none", "other", "unknown"})


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model of CTranslate2.

    Attributes:
        folder: holds what the library reads.
        source_tokens, target_tokens: its vocabularies, in the order of their numbers.
        end: the token behind a text; None: the library adds it.
        unknown: the token that stands for what the vocabulary lacks.
    """

    folder: Path
    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    end: str | None
    unknown: str


def find_model(source: WeightSource) -> ModelFiles:
    """Find a model's files, and read all but the tensors.

    Raises:
        WeightsError: a file is missing, differs from its pin or is of another kind.
    """
    config = read_json(source.file(CONFIG_FILE), dict)
    paths = _vocabularies(source)
    names = [MODEL_FILE, CONFIG_FILE, *dict.fromkeys(path.name for path in paths)]
    end = str(config.get("eos_token") or "</s>")
    source_tokens, target_tokens = (_tokens(path) for path in paths)
    return ModelFiles(
        source.folder(names),
        source_tokens,
        target_tokens,
        None if config.get("add_source_eos") else end,
        str(config.get("unk_token") or "<unk>"),
    )


def is_there(source: WeightSource, name: str) -> bool:
    return any((folder / name).is_file() for _, folder in source.folders)


def read_readme(source: WeightSource) -> str:
    """Return the text beside the weights; empty: there is none."""
    if not is_there(source, README_FILE):
        return ""
    return source.file(README_FILE).read_text(encoding="utf-8", errors="replace")


def licence_in(readme: str) -> str | None:
    """Return the licence that the head of a README names; None: it names none.

    >>> licence_in("---\\nlicense: cc-by-nc-4.0\\n---\\n# A model")
    'CC-BY-NC-4.0'
    """
    head = _FRONT_MATTER.match(readme)
    try:
        fields = yaml.safe_load(head[1]) if head else None
    except yaml.YAMLError:
        return None
    named = fields.get("license") if isinstance(fields, dict) else None
    if not isinstance(named, str) or named.lower() in _NO_LICENCES:
        return None
    return _SPDX.get(named, named.upper() if named.startswith("cc") else named)


def read_json(path: Path, kind: type[Any]) -> Any:
    """Read a file of JSON. Raises WeightsError: it is none, or holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: not JSON: {error}") from error
    if not isinstance(found, kind):
        raise WeightsError(f"{path}: expected a JSON {kind.__name__}")
    return found


def _vocabularies(source: WeightSource) -> Sequence[Path]:
    """Return the paths of the vocabularies of source and target, which may be one."""
    shared = [f"shared_vocabulary{suffix}" for suffix in _SUFFIXES]
    if is_there(source, f"source_vocabulary{_SUFFIXES[0]}") or is_there(
        source, f"source_vocabulary{_SUFFIXES[1]}"
    ):
        return [
            source.first([f"{side}_vocabulary{suffix}" for suffix in _SUFFIXES])
            for side in ("source", "target")
        ]
    return [source.first(shared)] * 2


def _tokens(path: Path) -> tuple[str, ...]:
    if path.suffix == ".json":
        return tuple(map(str, read_json(path, list)))
    # Tokens may hold other ends of lines.
    return tuple(path.read_text(encoding="utf-8").removesuffix("\n").split("\n"))
