"""Damaged input is refused in words, whatever reads it: a few of those that ``make fuzz`` tries."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings

from models.errors import WeightsError
from tests.fuzz import files
from tests.fuzz.targets import BY_NAME

A_FEW = settings(derandomize=True, max_examples=8, phases=[Phase.generate])


# Recordings are damaged in many ways in the tests of decoding.
@pytest.mark.parametrize("name", sorted(set(BY_NAME) - {"recordings"}))
def test_nothing_crashes(name: str) -> None:
    target = BY_NAME[name]

    @A_FEW
    @given(target.examples())
    def each(example: object) -> None:
        target.run(example)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about files that are damaged
        each()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "other bytes": lambda data: b"\xff" * len(data),
}


@pytest.mark.parametrize("name", files.BY_NAME)
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_weights_are_named(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"file.{name}"
    path.write_bytes(damage(files.BY_NAME[name].good()))
    with pytest.raises(WeightsError, match=str(path)):
        files.BY_NAME[name].read(path)


@pytest.mark.parametrize("name", sorted(set(files.BY_NAME) - {"piper.onnx"}))
def test_whole_weights_are_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"file.{name}"
    path.write_bytes(files.BY_NAME[name].good())
    files.BY_NAME[name].read(path)
