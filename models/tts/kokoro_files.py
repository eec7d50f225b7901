"""Reads the files of Kokoro: its graph, the tokens of its phonemes, and its voices."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.errors import WeightsError
from models.weights.source import WeightSource

MAX_TOKENS = 510  # of 512 positions two hold the blanks at the ends
STYLE_SIZE = 256
PART_FILE = "part.bin"  # of a model that was cut into packages
ONE_VOICE = "{voice}"  # in the name of the files of voices, where each has its own


def model_path(source: WeightSource, name: str) -> Path:
    """Find the graph: a file of that name, or the joined parts of the packages, in their order.

    The pin of a joined graph is called ``FIRST_PACKAGE/NAME``, as if it lay there, or ``NAME``.
    """
    parts = [
        f"{label}/{PART_FILE}" for label, folder in source.folders if (folder / PART_FILE).is_file()
    ]
    if not parts:
        return source.file(name)
    path = source.join(parts, name)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    first_label = source.folders[0][0]
    pin = source.pins.get(f"{first_label}/{name}") or source.pins.get(name)
    if pin and digest != pin.lower():  # without one the pins of the parts count
        raise WeightsError(f"{path} has SHA-256 {digest}, but {pin} is pinned: delete it")
    return path


def read_vocab(path: Path) -> dict[str, int]:
    """Read the table of phoneme -> token, also of a ``tokenizer.json``.

    Raises:
        WeightsError: the file holds no such table.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        table = content.get("vocab") or content["model"]["vocab"]
        return {str(p): int(token) for p, token in table.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: not a vocabulary of Kokoro: {error!r}") from error


def styles_of(
    source: WeightSource, name: str, voices: Sequence[str]
) -> dict[str, NDArray[np.float32]]:
    """Read the styles of the named voices: voice -> float32 [510, 256], a row a number of tokens.

    Args:
        source: where the files are.
        name: of a file with all voices, or with ``{voice}`` of one that holds float32 alone.
        voices: their names; at least one.

    Raises:
        WeightsError: a voice is not there, or is no voice.
    """
    if ONE_VOICE not in name:
        return read_styles(source.file(name), voices)
    styles = {}
    for voice in voices:
        path = source.file(name.replace(ONE_VOICE, voice))
        content = path.read_bytes()
        if len(content) % np.dtype(np.float32).itemsize:
            raise WeightsError(f"{path}: {len(content)} bytes are no voice in float32")
        styles[voice] = _style(path, voice, np.frombuffer(content, "<f4"))
    return styles


def read_styles(path: Path, voices: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Read the styles of the named voices from one file.

    Raises:
        WeightsError: the file does not hold a voice; the message lists those it holds.
    """
    try:
        with path.open("rb") as file, np.load(file) as tables:  # numpy refuses pickles
            known = list(tables.files)
            styles = {voice: tables[voice] for voice in voices if voice in known}
    except (ValueError, OSError, EOFError, AttributeError, BadZipFile, zlib.error) as error:
        raise WeightsError(f"{path}: no table of voices: {error}") from error
    missing = sorted(set(voices) - set(styles))
    if missing or not voices:
        there = ", ".join(known)
        raise WeightsError(f"{path}: no voice {', '.join(missing)!r}; there are {there}")
    return {voice: _style(path, voice, style) for voice, style in styles.items()}


def _style(path: Path, voice: str, style: NDArray[Any]) -> NDArray[np.float32]:
    if style.size != MAX_TOKENS * STYLE_SIZE or style.dtype.kind != "f":
        raise WeightsError(
            f"{path}: voice {voice!r} is {style.dtype} {list(style.shape)}, not float32 of "
            f"{MAX_TOKENS} rows of {STYLE_SIZE}"
        )
    return style.astype(np.float32).reshape(MAX_TOKENS, STYLE_SIZE)
