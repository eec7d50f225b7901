"""Read a glossary from a file: CSV, TSV or JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ENDINGS = (".csv", ".tsv", ".json")
SOUND, CASE = "sound:", "case_sensitive"  # columns beside those of languages
YES = frozenset({"1", "true", "yes", "x"})


def read_glossary(path: Path) -> dict[str, Any]:
    """Read a glossary as the API takes it; its name is the file's, unless the file has one.

    The first row of a CSV or TSV names its columns: languages such as ``en``, the first of them
    the terms' own; ``sound:en`` for how a term sounds; ``case_sensitive``. JSON is as in the API,
    or a list of terms.

    Raises:
        ValueError: the file holds no glossary; the message says why.
        OSError: it cannot be read.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ValueError(f"{path.name} must end in one of {', '.join(ENDINGS)}")
    text = path.read_text(encoding="utf-8-sig")
    if ending != ".json":
        rows = csv.DictReader(text.splitlines(), delimiter="\t" if ending == ".tsv" else ",")
        return {"name": path.stem, "terms": list(_terms(rows, path.name))}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path.name} is no JSON: {error}") from None
    if isinstance(found, list):
        found = {"terms": found}
    if not isinstance(found, dict) or "terms" not in found:
        raise ValueError(f"{path.name} must hold a list of terms, or an object with terms")
    return {"name": found.get("name", path.stem), "terms": found["terms"]}


def _terms(rows: csv.DictReader[str], name: str) -> Iterator[dict[str, Any]]:
    columns: Sequence[str] = [column.strip() for column in rows.fieldnames or ()]
    rows.fieldnames = columns
    languages = [each for each in columns if each != CASE and not each.startswith(SOUND)]
    if not languages or "" in columns:
        raise ValueError(f"the first row of {name} must name languages, such as en,pt")
    for number, row in enumerate(rows, 2):
        if None in row:
            raise ValueError(f"{name}: row {number} has more fields than the first row")
        yield _term({key: (value or "").strip() for key, value in row.items()}, languages)


def _term(row: Mapping[str, str], languages: Sequence[str]) -> dict[str, Any]:
    own, *others = languages
    sounds = {key.removeprefix(SOUND): row[key] for key in row if key.startswith(SOUND)}
    return {
        "term": row[own],
        "language": own,
        "translations": {language: row[language] for language in others if row[language]},
        "sounds": {language: sound for language, sound in sounds.items() if sound},
        "case_sensitive": row.get(CASE, "").lower() in YES,
    }
