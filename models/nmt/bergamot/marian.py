"""Reads Marian's binary files as NumPy arrays: a model's weights and its lexical shortlist.

Sources: ``src/common/binary.cpp`` (models) and ``src/data/shortlist.{h,cpp}`` (shortlists) of
https://github.com/browsermt/marian-dev, the Bergamot project's branch of Marian.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import yaml
from numpy.typing import NDArray

from models.errors import WeightsError

Array: TypeAlias = NDArray[np.float32]

# Marian's type codes (src/common/types.h): class (0x0100 signed, 0x0400 float, 0x4000 intgemm)
# plus the bytes of one element.
_INT8, _FLOAT32, _INTGEMM8 = 0x0101, 0x0404, 0x4101
_ELEMENT_BYTES = {_INT8: 1, _FLOAT32: 4, _INTGEMM8: 1}
_SCALE_BYTES = 4  # behind an intgemm8 tensor: the float32 that its values were multiplied by
_MODEL_VERSION = 1
_MODEL_HEADER = struct.Struct("<QQ")  # version, number of tensors
_TENSOR_HEADER = struct.Struct("<QQQQ")  # bytes of the name, type, dimensions, bytes of the data
_CONFIG_TENSOR = "special:model.yml"
# The factor by which a matrix's input is multiplied before it is rounded to 8 bits.
_ACTIVATION_SCALE_SUFFIX = "_QuantMultA"
_EMBEDDING = "Wemb"  # used as a table of rows, so never transposed

_SHORTLIST_MAGIC = 0xF11A48D5013417F5
# magic, checksum, frequent words, words for each source word, number of offsets, number of words
_SHORTLIST_HEADER = struct.Struct("<6Q")
_SHORTLIST_MULTIPLE = 8  # Marian fills shortlists up to a multiple of this


@dataclass(frozen=True, slots=True, eq=False)
class MarianModel:
    """A model file: its ``config`` and its ``tensors``, float32, by Marian's names.

    Matrices have shape [outputs, inputs]; the embedding ``Wemb`` [vocabulary, dimensions]; biases
    and the like [n]. ``weight_steps`` and ``input_steps`` hold the value of one step of a matrix's
    8-bit weights, and of its input's; matrices in floating point have none.
    """

    config: Mapping[str, Any]
    tensors: Mapping[str, Array]
    weight_steps: Mapping[str, float] = field(default_factory=dict)
    input_steps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    type: int
    shape: tuple[int, ...]
    data_bytes: int

    @property
    def needed_bytes(self) -> int:
        scale_bytes = _SCALE_BYTES if self.type == _INTGEMM8 else 0
        return prod(self.shape) * _ELEMENT_BYTES[self.type] + scale_bytes


def read_model(path: Path) -> MarianModel:
    """Read a Marian model of float32 or intgemm8 weights.

    Raises:
        WeightsError: the file is not such a model, or its headers contradict its size.
    """
    data = path.read_bytes()
    try:
        headers, offset = _read_headers(data)
        config, tensors = None, {}
        weight_steps, input_steps = {}, {}
        for header in headers:
            chunk = data[offset : offset + header.data_bytes]
            offset += header.data_bytes
            if header.name == _CONFIG_TENSOR:
                config = yaml.safe_load(chunk.rstrip(b"\0").decode())
            elif header.name.endswith(_ACTIVATION_SCALE_SUFFIX):
                if header.type == _FLOAT32:  # that of the embedding is not, and is not used
                    name = header.name.removesuffix(_ACTIVATION_SCALE_SUFFIX)
                    input_steps[name] = 1 / _scale(header, chunk, 0)
            else:
                tensors[header.name] = _dequantise(header, chunk)
                if header.type == _INTGEMM8:
                    weight_steps[header.name] = 1 / _scale(header, chunk, prod(header.shape))
    except (struct.error, UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise WeightsError(f"{path}: not a Marian model: {error}") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path}: not a Marian model: no configuration in {_CONFIG_TENSOR}")
    return MarianModel(config, tensors, weight_steps, input_steps)


def _read_headers(data: bytes) -> tuple[list[_Header], int]:
    """Return the headers of all tensors and where the data of the first one starts.

    Raises:
        ValueError, struct.error: they promise more than the file holds.
    """
    version, count = _MODEL_HEADER.unpack_from(data)
    if version != _MODEL_VERSION:
        raise ValueError(f"version {version}, expected {_MODEL_VERSION}")
    if count * _TENSOR_HEADER.size > len(data):
        raise ValueError(f"{count} tensors in a file of {len(data)} bytes")
    offset = _MODEL_HEADER.size
    raw = [_TENSOR_HEADER.unpack_from(data, offset + i * _TENSOR_HEADER.size) for i in range(count)]
    offset += count * _TENSOR_HEADER.size
    names = []
    for name_bytes, *_ in raw:
        names.append(_slice(data, offset, name_bytes).rstrip(b"\0").decode())
        offset += name_bytes
    headers = []
    for name, (_, type_code, dimensions, data_bytes) in zip(names, raw, strict=True):
        shape = struct.unpack(f"<{dimensions}i", _slice(data, offset, 4 * dimensions))
        offset += 4 * dimensions
        headers.append(_checked(_Header(name, type_code, shape, data_bytes)))
    (padding,) = struct.unpack_from("<Q", data, offset)  # aligns the data
    offset += 8 + padding
    total_bytes = sum(header.data_bytes for header in headers)
    if offset + total_bytes > len(data):
        raise ValueError(f"{total_bytes} bytes of tensors do not fit in a file of {len(data)}")
    return headers, offset


def _slice(data: bytes, offset: int, size: int) -> bytes:
    if offset + size > len(data):
        raise ValueError(f"{size} bytes at {offset} in a file of {len(data)} bytes")
    return data[offset : offset + size]


def _checked(header: _Header) -> _Header:
    if header.type not in _ELEMENT_BYTES:
        raise ValueError(f"{header.name} has the type {header.type:#06x}, which is not supported")
    if any(size < 0 for size in header.shape):
        raise ValueError(f"{header.name} has the shape {header.shape}")
    if header.needed_bytes > header.data_bytes:
        raise ValueError(f"{header.name} of shape {header.shape} has {header.data_bytes} bytes")
    return header


def _dequantise(header: _Header, chunk: bytes) -> Array:
    """Return the float32 values of one tensor, in the layout that ``MarianModel`` states."""
    count = prod(header.shape)
    if header.type != _INTGEMM8:
        stored = np.dtype("<f4" if header.type == _FLOAT32 else "i1")
        values: Array = np.frombuffer(chunk, stored, count).astype(np.float32)
        if 1 in header.shape:
            return values
        values = values.reshape(header.shape)
        return values if header.name == _EMBEDDING else values.T.copy()
    scale = np.float32(_scale(header, chunk, count))
    values = np.frombuffer(chunk, np.int8, count).astype(np.float32) / scale
    # intgemm stores a matrix as its kernel reads it: transposed, so [outputs, inputs].
    return values.reshape(header.shape if header.name == _EMBEDDING else header.shape[::-1])


def _scale(header: _Header, chunk: bytes, offset: int) -> float:
    """Return the float32 factor that values were multiplied by before rounding to 8 bits."""
    (scale,) = np.frombuffer(chunk, "<f4", 1, offset=offset)
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"{header.name} has the scale {scale}")
    return float(scale)


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """The target words that a sentence may use: frequent ones, and translations of its words.

    ``targets[offsets[s]:offsets[s + 1]]`` are the likely translations of the source token s.
    """

    frequent: int  # the first so many tokens of the vocabulary are always allowed
    offsets: NDArray[np.uint64]  # [source vocabulary + 1]
    targets: NDArray[np.uint32]  # [n]

    def candidates(self, source_tokens: Sequence[int], vocabulary_size: int) -> NDArray[np.int64]:
        """Return the sorted target tokens [n] for one sentence, n a multiple of 8 as in Marian."""
        allowed = np.zeros(vocabulary_size, np.bool_)
        allowed[: self.frequent] = True
        for token in set(source_tokens):
            allowed[self.targets[self.offsets[token] : self.offsets[token + 1]]] = True
        missing = -int(allowed.sum()) % _SHORTLIST_MULTIPLE
        allowed[np.flatnonzero(~allowed)[:missing]] = True
        return np.flatnonzero(allowed)


def read_shortlist(path: Path, vocabulary_size: int) -> Shortlist:
    """Read a binary lexical shortlist (``lex.*.bin``) for a shared vocabulary.

    Raises:
        WeightsError: the file is not a shortlist, or not one of this vocabulary.
    """
    data = path.read_bytes()
    if len(data) < _SHORTLIST_HEADER.size:
        raise WeightsError(f"{path}: not a shortlist: it has {len(data)} bytes")
    magic, _, frequent, _, offset_count, target_count = _SHORTLIST_HEADER.unpack_from(data)
    if magic != _SHORTLIST_MAGIC:
        raise WeightsError(f"{path}: not a shortlist: it starts with {magic:#x}")
    if _SHORTLIST_HEADER.size + 8 * offset_count + 4 * target_count > len(data):
        raise WeightsError(f"{path}: its header promises more than its {len(data)} bytes")
    offsets = np.frombuffer(data, "<u8", offset_count, _SHORTLIST_HEADER.size)
    targets = np.frombuffer(data, "<u4", target_count, _SHORTLIST_HEADER.size + 8 * offset_count)
    consistent = (
        offset_count == vocabulary_size + 1
        and offsets[-1] <= target_count
        and bool((offsets[:-1] <= offsets[1:]).all())
        and frequent <= vocabulary_size
        and (target_count == 0 or targets.max() < vocabulary_size)
    )
    if not consistent:
        raise WeightsError(f"{path}: not a shortlist of {vocabulary_size} tokens")
    return Shortlist(frequent, offsets, targets)
