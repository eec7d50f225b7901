"""Regions of shared memory: what may be registered, and who sees it."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployments.config.shared_memory import SharedMemory
from deployments.inference.region_records import Region
from deployments.inference.regions import Regions
from deployments.telemetry import usage
from models.errors import ConfigError, InvalidRequest, NotFound, StorageFull
from tests.support.shared_memory import PREFIX, SHM, Memory, memory
from tests.unit.inference.conftest import BEYOND, CONFIG, SMALL, refusal

ROOT = Path(__file__).parents[3]


@dataclass
class Account:
    """A key, as a request of its has it."""

    name: str

    def meter(self, audio_s: float, characters: int) -> None: ...

    def check_quotas(self) -> None: ...


@contextmanager
def of(key: str) -> Iterator[None]:
    """Be a request of a key."""
    outer = usage.current.set(Account(key))
    try:
        yield
    finally:
        usage.current.reset(outer)


# ---- registering -------------------------------------------------------------------------


async def test_a_region_is_listed_as_it_was_registered(regions: Regions, shared: Memory) -> None:
    await regions.register("a/ü", shared.key, 64, 128)
    assert await regions.status(None) == [Region("a/ü", shared.key, 64, 128)]
    assert await regions.status("a/ü") == [Region("a/ü", shared.key, 64, 128)]


async def test_an_unknown_region_has_no_status(regions: Regions) -> None:
    assert "'x'" in await refusal(NotFound, regions.status("x"))


async def test_a_name_is_registered_once(regions: Regions, shared: Memory) -> None:
    await regions.register("a", shared.key, 0, 8)
    again = regions.register("a", shared.key, 8, 8)
    assert "already in manager" in await refusal(InvalidRequest, again)


async def test_one_of_many_at_once_gets_a_name(regions: Regions, shared: Memory) -> None:
    calls = [regions.register("a", shared.key, 0, 8) for _ in range(8)]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [end for end in ends if end is None] == [None]


async def test_regions_may_overlap(regions: Regions, shared: Memory) -> None:
    await regions.register("a", shared.key, 0, 16)
    await regions.register("b", shared.key, 8, 16)
    shared.put(b"12345678", 8)
    assert bytes((await regions.open("a", "X")).view(8, 8, "X")) == b"12345678"
    assert bytes((await regions.open("b", "X")).view(0, 8, "X")) == b"12345678"


async def test_unregistering_forgets_one_or_all(regions: Regions, shared: Memory) -> None:
    for name in "abc":
        await regions.register(name, shared.key, 0, 8)
    await regions.unregister("b")
    await regions.unregister("nothing")
    assert [region.name for region in await regions.status(None)] == ["a", "c"]
    await regions.unregister(None)
    assert await regions.status(None) == []


BAD_KEYS = {
    "another prefix": "/other",
    "no slash": PREFIX[1:] + "x",
    "a folder": PREFIX + "a/b",
    "the folder above": PREFIX + "..",
    "a path upwards": PREFIX + "/../x",
    "a NUL": PREFIX + "x\0",
    "nothing": "",
    "too long": PREFIX + "x" * 300,
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS)
async def test_a_key_outside_the_prefix_is_refused(regions: Regions, key: str) -> None:
    assert "key must begin with" in await refusal(InvalidRequest, regions.register("a", key, 0, 8))


BAD_PARTS = {
    "a negative offset": (-1, 8),
    "no bytes": (0, 0),
    "negative bytes": (0, -8),
    "past the end": (0, 4097),
    "from past the end": (4096, 1),
    "an offset of 2^63": (BEYOND, 8),
    "2^63 bytes": (0, BEYOND),
    "beyond 64 bits": (1, 2**64 - 1),
}


@pytest.mark.parametrize(("offset", "size"), BAD_PARTS.values(), ids=BAD_PARTS)
async def test_a_region_lies_within_its_memory(
    regions: Regions, shared: Memory, offset: int, size: int
) -> None:
    await refusal(InvalidRequest, regions.register("a", shared.key, offset, size))
    assert await regions.status(None) == []


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _second_name(path: Path) -> None:
    with memory(prefix="/other-") as other:
        path.hardlink_to(other.path)
        other.path.rename(path.with_suffix(".other"))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


NO_FILES: dict[str, Callable[[Path], None]] = {
    "nothing": lambda path: None,
    "a link": _link,
    "a second name": _second_name,
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a socket": _socket,
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
async def test_only_a_file_of_its_own_is_opened(
    regions: Regions, make: Callable[[Path], None]
) -> None:
    path = SHM / f"{PREFIX[1:]}no-file"
    make(path)
    try:
        await refusal(InvalidRequest, regions.register("a", f"/{path.name}", 0, 1))
    finally:
        path.with_suffix(".other").unlink(missing_ok=True)
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)


async def test_regions_are_bounded_in_number(regions: Regions, shared: Memory) -> None:
    for name in "abc":
        await regions.register(name, shared.key, 0, 8)
    assert "at most 3" in await refusal(StorageFull, regions.register("d", shared.key, 0, 8))


async def test_regions_are_bounded_in_bytes(regions: Regions) -> None:
    with memory(1 << 15) as large:
        await regions.register("a", large.key, 0, 1 << 13)
        more = regions.register("b", large.key, 0, (1 << 13) + 1)
        assert str(1 << 14) in await refusal(StorageFull, more)


async def test_nothing_is_registered_where_it_is_off(shared: Memory) -> None:
    off = Regions(SharedMemory(), SMALL)
    assert not off.is_on
    assert "prefix" in await refusal(InvalidRequest, off.register("a", shared.key, 0, 8))
    assert "prefix" in await refusal(InvalidRequest, off.open("a", "X"))
    assert await off.status(None) == []
    await off.unregister(None)


# ---- keys and processes ------------------------------------------------------------------


async def test_a_key_neither_sees_nor_uses_nor_forgets_what_is_another_s(
    regions: Regions, shared: Memory
) -> None:
    with of("alice"):
        await regions.register("a", shared.key, 0, 8)
    with of("bob"):
        await regions.unregister("a")
        await regions.unregister(None)
        assert await regions.status(None) == []
        await refusal(NotFound, regions.status("a"))
        await refusal(InvalidRequest, regions.open("a", "X"))
        await regions.register("a", shared.key, 8, 16)
    with of("alice"):
        assert await regions.status("a") == [Region("a", shared.key, 0, 8)]


async def test_other_processes_of_the_server_see_the_same(tmp_path: Path, shared: Memory) -> None:
    one, other = (Regions(CONFIG, SMALL, tmp_path / "records") for _ in range(2))
    await one.register("a", shared.key, 0, 8)
    assert await other.status("a") == [Region("a", shared.key, 0, 8)]
    await other.unregister("a")
    assert await one.status(None) == []


ELSEWHERE = """
import asyncio, sys
from pathlib import Path
from deployments.config.schema import Limits
from deployments.config.shared_memory import SharedMemory
from deployments.inference.regions import Regions

async def main(folder, prefix, key):
    regions = Regions(SharedMemory(prefix=prefix), Limits(), Path(folder))
    (await regions.open("a", "Y")).write(0, 8, b"written.", "Y")
    await regions.register("b", key, 8, 8)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.process
async def test_another_process_uses_what_this_one_has_registered(
    tmp_path: Path, shared: Memory
) -> None:
    here = Regions(CONFIG, SMALL, tmp_path / "records")
    await here.register("a", shared.key, 0, 8)
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "records"), PREFIX, shared.key]
    other = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    assert await other.wait() == 0
    assert shared.get(0, 8) == b"written."
    assert await here.status("b") == [Region("b", shared.key, 8, 8)]


async def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir(mode=0o755)
    with pytest.raises(ConfigError, match="this user alone"):
        Regions(CONFIG, SMALL, tmp_path / "records")


async def test_a_restart_forgets_all(tmp_path: Path, shared: Memory) -> None:
    before = Regions(CONFIG, SMALL, tmp_path / "records")
    await before.register("a", shared.key, 0, 8)
    del before
    gc.collect()
    assert await Regions(CONFIG, SMALL, tmp_path / "records").status(None) == []
