"""Kept files are whole or not there: what is broken is made again, what fails leaves nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import WeightsError
from models.weights import source
from models.weights.cached_files import cached, linked
from tests.support.processes import spawn

CONTENT = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("DRAGOMAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_file(path: Path) -> None:
    path.write_bytes(CONTENT)


def write_folder(path: Path) -> None:
    path.mkdir()
    for name in ("model.bin", "config.json"):
        (path / name).write_bytes(CONTENT)


def flip_a_bit(path: Path) -> None:
    """In place, with the size and the time of change that it had."""
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


DAMAGES = {"a flipped bit": flip_a_bit, "cut": cut, "longer": lengthen, "gone": Path.unlink}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_broken_file_is_made_again(cache: Path, damage: Callable[[Path], None]) -> None:
    path = cached(cache / "joined" / "model.bin", write_file)
    damage(path)
    assert cached(path, write_file).read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["model.bin", "config.json"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_folder_with_a_broken_file_is_made_again(
    cache: Path, damage: Callable[[Path], None], name: str
) -> None:
    path = cached(cache / "converted", write_folder)
    damage(path / name)
    assert (cached(path, write_folder) / name).read_bytes() == CONTENT


def test_a_file_of_nobody_knows_whom_is_made_again(cache: Path) -> None:
    path = cache / "model.bin"
    path.parent.mkdir()
    path.write_bytes(b"of an earlier version, which recorded nothing")
    assert cached(path, write_file).read_bytes() == CONTENT


def test_a_whole_file_is_not_made_again(cache: Path) -> None:
    path = cached(cache / "model.bin", write_file)
    before = path.stat().st_ino
    assert cached(path, write_file).stat().st_ino == before


def test_a_cache_that_moved_is_whole(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cached(cache / "model.bin", write_file).stat().st_ino
    moved = cache.rename(cache.with_name("moved"))
    monkeypatch.setenv("DRAGOMAN_CACHE", str(moved))
    assert cached(moved / "model.bin", write_file).stat().st_ino == before


def test_what_is_made_again_is_said(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = cached(cache / "model.bin", write_file)
    cut(path)
    cached(path, write_file)
    assert f"{path} is not as it was written" in caplog.text


def fail_midway(path: Path) -> None:
    path.write_bytes(CONTENT)
    raise OSError(28, "No space left on device")


def fail_in_a_folder(path: Path) -> None:
    write_folder(path)
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("write", [fail_midway, fail_in_a_folder], ids=["file", "folder"])
def test_a_failed_write_leaves_nothing_and_names_the_path(
    cache: Path, write: Callable[[Path], None]
) -> None:
    path = cache / "joined" / "key" / "model.bin"
    with pytest.raises(WeightsError, match=rf"{re.escape(str(path))}: .*No space left on device"):
        cached(path, write)
    assert left_in(cache) == []


def left_in(cache: Path) -> list[str]:
    """What is not a lock, whose files have no content."""
    return [p.name for p in cache.rglob("*") if p.is_file() and "locks" not in p.parts]


@pytest.mark.process
def test_a_disk_that_is_full_leaves_nothing_and_is_named(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "big.bin.part1").write_bytes(CONTENT)
    (tmp_path / "big.bin.part2").write_bytes(CONTENT)
    code = (
        "import resource, sys; from models.weights.source import resolve;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(CONTENT) + 1000},) * 2);"
        "resolve(sys.argv[1]).file('big.bin')"
    )
    process = spawn("-c", code, f"path:{tmp_path}")
    said = process.communicate()[1]
    assert re.search(rf"WeightsError: {re.escape(str(cache))}/joined/\w+/big\.bin: ", said)
    assert left_in(cache) == []


def test_a_link_that_points_elsewhere_is_made_again(tmp_path: Path, cache: Path) -> None:
    link = linked(cache / "folders" / "model.bin", tmp_path / "model.bin")
    link.unlink()
    link.symlink_to(tmp_path / "other.bin")
    assert linked(link, tmp_path / "model.bin").readlink() == tmp_path / "model.bin"


def test_a_file_in_a_link_s_place_is_replaced(tmp_path: Path, cache: Path) -> None:
    link = cache / "folders" / "model.bin"
    link.parent.mkdir(parents=True)
    link.write_bytes(b"no link")
    assert linked(link, tmp_path / "model.bin").readlink() == tmp_path / "model.bin"


def test_joined_weights_are_healed(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"big.bin.part{number}").write_bytes(CONTENT)
    flip_a_bit(source.resolve(f"path:{tmp_path}").file("big.bin"))
    healed = source.resolve(f"path:{tmp_path}").file("big.bin")
    assert healed.read_bytes() == CONTENT * 2
