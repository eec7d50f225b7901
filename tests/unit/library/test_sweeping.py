"""What is over goes by itself, and a sweep that fails does not stop the next one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deployments.library.sealing import Sealing
from deployments.library.store import Store
from deployments.library.sweeping import sweep_for_ever
from tests.support.sockets import until


@asynccontextmanager
async def sweeping(store: Store, every_s: float = 0.01) -> AsyncIterator[None]:
    task = asyncio.create_task(sweep_for_ever(store, every_s))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class FailingStore(Store):
    """Cannot be swept at first."""

    sweeps = 0

    def sweep(self) -> int:
        self.sweeps += 1
        if self.sweeps == 1:
            raise OSError("the disk is busy")
        return super().sweep()


async def test_what_is_over_is_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path, Sealing(None), 1 << 20)
    shelf = store.shelf("anna", "voices")
    record = shelf.add("voice", {}, {"sample": [b"sound"]}, lasts_s=0.0)
    async with sweeping(store):
        await until(lambda: not (tmp_path / "key-anna" / "voices" / record.id).exists())


async def test_a_failed_sweep_is_tried_again(tmp_path: Path) -> None:
    store = FailingStore(tmp_path, Sealing(None), 1 << 20)
    async with sweeping(store):
        await until(lambda: store.sweeps > 1)


def test_what_cannot_be_read_stops_no_sweep(tmp_path: Path) -> None:
    sealed = Store(tmp_path, Sealing("k" * 32), 1 << 20)
    for number in range(3):
        sealed.shelf("anna", "voices").add("voice", {"number": number})
    plain = Store(tmp_path, Sealing(None), 1 << 20)
    over = plain.shelf("anna", "voices").add("voice", {}, lasts_s=0.0)
    assert plain.sweep() == 1
    assert not (tmp_path / "key-anna" / "voices" / over.id).exists()
