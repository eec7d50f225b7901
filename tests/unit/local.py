"""The whole application in this process, on fakes: no Ray, no weights, no socket."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from deployments.batcher import BatchReply
from deployments.config import AppConfig, BatchPolicy, Limits, ModelConfig
from deployments.fleet import Fleet
from deployments.remote import Description, ReplicaStats
from deployments.wire import Packed
from models.engines import ENGINES
from models.errors import Unavailable

FAKES = {
    "vad": "fake-vad",
    "asr": "fake-asr",
    "nmt": "fake-nmt",
    "tts": "fake-tts",
    "speaker": "sleep",
}


class LocalRemote:
    """One replica of a runtime, on a thread of this process; batches cross by pickle."""

    def __init__(self, name: str, config: ModelConfig) -> None:
        self._runtime = ENGINES[config.engine].create(config.settings(name))
        self._description = Description(*self._runtime.load())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self.batches: list[int] = []
        self.is_loading = False

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        self.batches.append(len(items))
        sent = pickle.dumps(Packed(items))
        results = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, sent)
        return BatchReply(pickle.loads(results), 0.0)

    async def describe(self) -> Sequence[Description]:
        if self.is_loading:
            raise Unavailable("no replica answers")
        return [self._description]

    async def stats(self) -> Sequence[ReplicaStats]:
        return [ReplicaStats(items=sum(self.batches), batches=len(self.batches))]

    async def failure(self) -> str | None:
        return None

    def _run(self, sent: bytes) -> bytes:
        return pickle.dumps(Packed(self._runtime.run(pickle.loads(sent))))


def fake_config(**limits: Any) -> AppConfig:
    """Every kind of model, fake; ``limits`` other than the default."""
    return AppConfig(
        models={name: ModelConfig(engine=engine) for name, engine in FAKES.items()},
        aliases={"whisper-1": "asr", "tts-1": "tts"},
        limits=Limits(**limits),
    )


async def fake_fleet(config: AppConfig, **policies: BatchPolicy) -> Fleet:
    """A fleet of fakes that is ready."""
    fleet = Fleet(config, fake_remotes(config))
    fleet.reconfigure(policies)
    fleet.start()
    await fleet.warm.wait()
    return fleet


def fake_remotes(config: AppConfig) -> dict[str, LocalRemote]:
    return {name: LocalRemote(name, model) for name, model in config.models.items()}
