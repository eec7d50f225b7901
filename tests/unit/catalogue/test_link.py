"""The way to a model's application: what is on it, and that nothing of it stays."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import pytest

from deployments.batching.batcher import Batcher
from deployments.catalogue.link import Link
from deployments.config.policy import BatchPolicy
from models.types import SpeakerItem


class Samples(np.ndarray[Any, Any]):
    """An array that can be referred to weakly."""


class Hung:
    """Replicas that have a batch and never answer."""

    def __init__(self) -> None:
        self.has_batch = asyncio.Event()

    async def infer(self, items: Sequence[Any]) -> NoReturn:
        self.has_batch.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def describe(self) -> NoReturn:
        raise NotImplementedError

    stats = describe


async def test_samples_of_a_caller_who_left_wait_for_no_collection() -> None:
    remote = Hung()
    batcher: Batcher[SpeakerItem, Any] = Batcher("m", Link("app", remote).infer, BatchPolicy())
    samples = np.zeros(16_000, np.int16).view(Samples)
    held = weakref.ref(samples)
    gc.collect()
    gc.disable()
    try:
        caller = asyncio.create_task(batcher.submit(SpeakerItem(samples)))
        del samples
        await remote.has_batch.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        del caller
        async with asyncio.timeout(10):
            while batcher.in_flight:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        assert held() is None
    finally:
        gc.enable()
