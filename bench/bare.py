"""The limit of a stage: its runtime called in a process of its own, without a server."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from multiprocessing import get_context
from typing import Any

from deployments.config.environment import SETTINGS
from deployments.config.schema import ModelConfig
from models.devices.device import DeviceRequest
from models.registry import find_engine
from models.runtime import ItemError, Runtime, RuntimeSettings

_loaded: Runtime[Any, Any]  # in the process of its own


@contextmanager
def own_process(begin: Any, *arguments: Any) -> Iterator[Executor]:
    """Start a process that calls ``begin``, and that keeps memory as a replica does."""
    keeping = {name: value for name, value in SETTINGS.items() if name.startswith("MALLOC_")}
    os.environ.update(keeping)  # glibc reads them when the process starts
    with ProcessPoolExecutor(1, get_context("spawn"), begin, arguments) as process:
        yield process


@dataclass(frozen=True)
class Bare:
    """One loaded, warm runtime with the threads that a replica of the server has."""

    process: Executor

    def rate(self, items: Sequence[Any], batch_size: int, counted: int) -> float:
        """Return the items a second, the items in turn, in batches as they come."""
        return self.process.submit(_rate, items, batch_size, counted).result()


@contextmanager
def bare(name: str, config: ModelConfig) -> Iterator[Bare]:
    with own_process(_load, config.engine, config.settings(name)) as process:
        yield Bare(process)


def loaded(
    stack: ExitStack, engine: str, weights: str, threads: int, **options: Any
) -> Runtime[Any, Any]:
    """Open a warm runtime on the CPU, until the stack is closed."""
    settings = RuntimeSettings(engine, weights, DeviceRequest("cpu", threads=threads), options)
    runtime: Runtime[Any, Any] = find_engine(engine).create(settings)
    runtime.load()
    stack.callback(runtime.close)
    runtime.warm_up()
    return runtime


def answers(runtime: Runtime[Any, Any], items: Sequence[Any]) -> list[Any]:
    """Run a batch; raise the error of an item that has one."""
    results = runtime.run(items)
    for result in results:
        if isinstance(result, ItemError):
            raise result.error
    return results


def _load(engine: str, settings: RuntimeSettings) -> None:
    global _loaded
    _loaded = find_engine(engine).create(settings)
    _loaded.load()
    _loaded.warm_up()


def _rate(items: Sequence[Any], batch_size: int, counted: int) -> float:
    source = cycle(items)
    batches = [list(islice(source, batch_size)) for _ in range(-(-counted // batch_size))]
    started_s = time.perf_counter()
    count = sum(len(answers(_loaded, batch)) for batch in batches)
    return count / (time.perf_counter() - started_s)
