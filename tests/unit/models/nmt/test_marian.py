"""Marian files are read as they were written, and those that lie are refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from models.errors import WeightsError
from models.nmt.bergamot.marian import Shortlist, read_model, read_shortlist

INT8, FLOAT32, INTGEMM8 = 0x0101, 0x0404, 0x4101
Row = tuple[str, int, tuple[int, ...], bytes]  # name, type, shape, data

CONFIG: Row = ("special:model.yml", INT8, (13,), b"type: tiny11\0")
BIAS: Row = ("bias", FLOAT32, (1, 3), struct.pack("<3f", 0.5, -1.0, 2.0))
# A matrix of 2 inputs and 3 outputs; intgemm stores it transposed, and its scale behind it.
MATRIX: Row = ("W", INTGEMM8, (2, 3), struct.pack("<6bf", 1, 2, 3, 4, 5, -6, 2.0))
EMBEDDING: Row = ("Wemb", INTGEMM8, (3, 2), struct.pack("<6bf", 1, 2, 3, 4, 5, -6, 4.0))
DENSE: Row = ("dense", FLOAT32, (2, 3), struct.pack("<6f", 1, 2, 3, 4, 5, 6))
ACTIVATION: Row = ("W_QuantMultA", FLOAT32, (1, 1), struct.pack("<f", 9.0))


def model_bytes(*rows: Row, version: int = 1, count: int | None = None, padding: int = 5) -> bytes:
    """A model file as ``marian-dev/src/common/binary.cpp`` writes it."""
    out = struct.pack("<QQ", version, len(rows) if count is None else count)
    for name, type_code, shape, data in rows:
        out += struct.pack("<QQQQ", len(name.encode()) + 1, type_code, len(shape), len(data))
    out += b"".join(name.encode() + b"\0" for name, *_ in rows)
    out += b"".join(struct.pack(f"<{len(shape)}i", *shape) for _, _, shape, _ in rows)
    return out + struct.pack("<Q", padding) + bytes(padding) + b"".join(row[3] for row in rows)


def test_an_embedding_of_float32_keeps_its_layout(tmp_path: Path) -> None:
    row: Row = ("Wemb", FLOAT32, (3, 2), struct.pack("<6f", 1, 2, 3, 4, 5, 6))
    model = read_model(write(tmp_path, model_bytes(CONFIG, row)))
    assert model.tensors["Wemb"].tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def write(folder: Path, data: bytes) -> Path:
    path = folder / "file.bin"
    path.write_bytes(data)
    return path


def test_a_model_is_read(tmp_path: Path) -> None:
    rows = (CONFIG, BIAS, MATRIX, EMBEDDING, DENSE, ACTIVATION)
    model = read_model(write(tmp_path, model_bytes(*rows)))
    assert model.config == {"type": "tiny11"}
    assert {name: tensor.tolist() for name, tensor in model.tensors.items()} == {
        "bias": [0.5, -1.0, 2.0],
        "W": [[0.5, 1.0], [1.5, 2.0], [2.5, -3.0]],
        "Wemb": [[0.25, 0.5], [0.75, 1.0], [1.25, -1.5]],
        "dense": [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]],
    }
    assert model.weight_steps == {"W": 0.5, "Wemb": 0.25}
    assert model.input_steps == {"W": pytest.approx(1 / 9)}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "not a Marian model", id="empty"),
        pytest.param(b"PK\3\4" * 40, "version", id="another-format"),
        pytest.param(model_bytes(CONFIG, version=2), "version 2", id="version"),
        pytest.param(model_bytes(CONFIG, count=1 << 60), "tensors in a file", id="tensor-count"),
        pytest.param(model_bytes(CONFIG, BIAS)[:-1], "do not fit", id="truncated"),
        pytest.param(model_bytes(CONFIG)[:60], "not a Marian model", id="truncated-header"),
        pytest.param(model_bytes(CONFIG, padding=1 << 10)[:-1024], "do not fit", id="padding"),
        pytest.param(
            model_bytes(CONFIG, ("x", FLOAT32, (2, 2), bytes(12))), "shape", id="shape-over-data"
        ),
        pytest.param(
            model_bytes(CONFIG, ("x", INTGEMM8, (2, 2), bytes(4))), "shape", id="no-room-for-scale"
        ),
        pytest.param(
            model_bytes(CONFIG, ("x", INTGEMM8, (2, 2), bytes(8))), "scale", id="scale-zero"
        ),
        pytest.param(
            model_bytes(CONFIG, ("x", FLOAT32, (-2, -2), bytes(16))), "shape", id="negative-shape"
        ),
        pytest.param(
            model_bytes(CONFIG, ("x", 0x0408, (1,), bytes(8))), "type 0x0408", id="unknown-type"
        ),
        pytest.param(model_bytes(BIAS), "no configuration", id="no-configuration"),
        pytest.param(
            model_bytes(("special:model.yml", INT8, (3,), b"[a:")),
            "not a Marian model",
            id="configuration-is-not-yaml",
        ),
    ],
)
def test_a_model_that_lies_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        read_model(write(tmp_path, data))


@pytest.mark.parametrize("field", range(4), ids=["name", "type", "dimensions", "data"])
def test_a_huge_number_in_a_header_is_refused(tmp_path: Path, field: int) -> None:
    data = bytearray(model_bytes(CONFIG, BIAS))
    struct.pack_into("<Q", data, 16 + 8 * field, 1 << 40)
    with pytest.raises(WeightsError):
        read_model(write(tmp_path, bytes(data)))


def shortlist_bytes(
    offsets: list[int], targets: list[int], *, magic: int = 0xF11A48D5013417F5, frequent: int = 2
) -> bytes:
    header = struct.pack("<6Q", magic, 0, frequent, 2, len(offsets), len(targets))
    return header + struct.pack(f"<{len(offsets)}Q{len(targets)}I", *offsets, *targets)


def test_candidates_are_frequent_words_and_likely_translations(tmp_path: Path) -> None:
    offsets = [0] * 5 + [3] * 5 + [9] * 11  # source token 4: 3 targets, token 9: 6 targets
    data = shortlist_bytes(offsets, [12, 15, 7, 12, 8, 9, 10, 11, 13])
    shortlist = read_shortlist(write(tmp_path, data), vocabulary_size=20)
    # 0 and 1 are frequent; 2, 3 and so on fill up to a multiple of 8
    assert shortlist.candidates([4, 4], 20).tolist() == [0, 1, 2, 3, 4, 7, 12, 15]
    assert shortlist.candidates([4, 9], 20).tolist() == [
        *[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    ]


def test_candidates_end_with_a_small_vocabulary() -> None:
    shortlist = Shortlist(2, np.zeros(6, np.uint64), np.zeros(0, np.uint32))
    assert shortlist.candidates([3], 5).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "0 bytes", id="empty"),
        pytest.param(shortlist_bytes([0, 1, 1], [0], magic=7), "starts with 0x7", id="magic"),
        pytest.param(shortlist_bytes([0, 1, 1], [0])[:-1], "promises more", id="truncated"),
        pytest.param(shortlist_bytes([0, 1], [0]), "of 2 tokens", id="another-vocabulary"),
        pytest.param(shortlist_bytes([0, 2, 2], [0]), "of 2 tokens", id="offset-over-targets"),
        pytest.param(shortlist_bytes([1, 0, 1], [0]), "of 2 tokens", id="offsets-fall"),
        pytest.param(shortlist_bytes([0, 1, 1], [2]), "of 2 tokens", id="target-over-vocabulary"),
        pytest.param(shortlist_bytes([0, 0, 0], [], frequent=3), "of 2 tokens", id="frequent"),
    ],
)
def test_a_shortlist_that_lies_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        read_shortlist(write(tmp_path, data), vocabulary_size=2)
