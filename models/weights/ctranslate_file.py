"""Checks CTranslate2's ``model.bin``, since reading a damaged one can end the process."""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import BinaryIO

from models.errors import WeightsError

MODEL_FILE = "model.bin"
OLDEST, NEWEST = 4, 6  # versions of the format; older ones do not state the variables' types
ELEMENT_BYTES = (4, 1, 2, 4, 2, 2)  # float32, int8, int16, int32, float16, bfloat16
MOST_DIMENSIONS = 8


def check_model_file(path: Path) -> None:
    """Walk through the file's parts to its end, without reading the tensors.

    Raises:
        WeightsError: a part is not what the file states, or does not lie in it.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        try:
            _follow(file, size_bytes)
        except (ValueError, struct.error) as error:
            raise WeightsError(f"{path}: not a model of CTranslate2: {error}") from error


def _follow(file: BinaryIO, size_bytes: int) -> None:
    version = _number(file, "<I")
    if not OLDEST <= version <= NEWEST:
        raise ValueError(f"its format is {version}, not {OLDEST} to {NEWEST}")
    _text(file)
    _number(file, "<I")  # the revision of the kind of model
    names = set()
    for _ in range(_number(file, "<I")):
        names.add(name := _text(file))
        dimensions = _number(file, "<B")
        if dimensions > MOST_DIMENSIONS:
            raise ValueError(f"{name} has {dimensions} dimensions")
        shape = [_number(file, "<I") for _ in range(dimensions)]
        kind, data_bytes = _number(file, "<B"), _number(file, "<I")
        if kind >= len(ELEMENT_BYTES) or prod(shape) * ELEMENT_BYTES[kind] != data_bytes:
            raise ValueError(f"{name} of {shape} and type {kind} has {data_bytes} bytes")
        if file.seek(data_bytes, 1) > size_bytes:
            raise ValueError(f"it is cut in {name}")
    for _ in range(_number(file, "<I")):
        alias, name = _text(file), _text(file)
        if name not in names:
            raise ValueError(f"{alias} stands for {name}, which is not there")
    if file.tell() != size_bytes:
        raise ValueError(f"it ends at {file.tell()} of {size_bytes} bytes")


def _number(file: BinaryIO, form: str) -> int:
    size = struct.calcsize(form)
    (number,) = struct.unpack(form, file.read(size))
    return int(number)


def _text(file: BinaryIO) -> str:
    length = _number(file, "<H")
    text = file.read(length)
    if len(text) < length:
        raise ValueError("it is cut in a name")
    return text.rstrip(b"\0").decode()
