"""Checkpoints are read as tensors and nothing else; whatever is wrong, the error names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from models.errors import WeightsError
from models.weights.checkpoints import fill, read_tensors

TENSORS = {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}


class _Opens:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self._path,)


def save_older(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    ("name", "save", "content", "entry"),
    [
        pytest.param("a.safetensors", save_file, TENSORS, None, id="safetensors"),
        pytest.param("a.safetensors", save_file, TENSORS, "model", id="safetensors-no-entry"),
        pytest.param("a.bin", torch.save, TENSORS, None, id="torch"),
        pytest.param("a.bin", save_older, TENSORS, None, id="torch-older"),
        pytest.param("a.pth", torch.save, {"model": TENSORS, "step": 1}, "model", id="entry"),
    ],
)
def test_tensors_are_read(
    tmp_path: Path, name: str, save: Callable[..., None], content: Any, entry: str | None
) -> None:
    save(content, tmp_path / name)

    found = read_tensors(tmp_path / name, entry)

    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        name: tensor.tolist() for name, tensor in TENSORS.items()
    }


@pytest.mark.parametrize("name", ["model.bin", "model.safetensors"])
@pytest.mark.parametrize(
    "content", [b"", b"PK\3\4nothing", b"\x80\2]."], ids=["empty", "zip", "list"]
)
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(WeightsError, match=f"{name}: not a checkpoint"):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize("save", [torch.save, save_older, save_file])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, save: Callable[..., None]) -> None:
    path = tmp_path / ("a.safetensors" if save is save_file else "a.bin")
    save(TENSORS, path)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(WeightsError, match=path.name):
        read_tensors(path)


@pytest.mark.parametrize(
    ("content", "entry", "says"),
    [
        pytest.param([1], None, "not a checkpoint", id="list"),
        pytest.param({"step": 1}, None, "'step' is int", id="number"),
        pytest.param([1], "model", "no 'model'", id="entry-of-a-list"),
        pytest.param(TENSORS, "model", "no 'model'", id="no-entry"),
        pytest.param({"model": {"step": 1}}, "model", "'step' is int", id="entry-of-numbers"),
    ],
)
def test_a_file_of_other_things_is_refused(
    tmp_path: Path, content: Any, entry: str | None, says: str
) -> None:
    torch.save(content, tmp_path / "a.pth")

    with pytest.raises(WeightsError, match=rf"a\.pth.*{says}"):
        read_tensors(tmp_path / "a.pth", entry)


def test_a_checkpoint_that_runs_code_is_refused(tmp_path: Path) -> None:
    torch.save({"x": _Opens(tmp_path / "opened")}, tmp_path / "a.bin")

    with pytest.raises(WeightsError, match=r"a\.bin.*Python objects"):
        read_tensors(tmp_path / "a.bin")
    assert not (tmp_path / "opened").exists()


def test_a_network_takes_its_tensors() -> None:
    network = torch.nn.Linear(3, 2)

    fill(network, TENSORS, Path("a.bin"))

    assert network.weight.tolist() == TENSORS["weight"].tolist()


def test_tensors_of_another_network_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"a\.bin.*does not fit"):
        fill(torch.nn.Linear(4, 2), TENSORS, Path("a.bin"))
