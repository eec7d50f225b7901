"""The real graph and batchers on a virtual clock: models sleep, everything else takes no time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from bench.graph_waste.profiles import Profile
from bench.virtual_time import VirtualClock, VirtualLoop
from deployments.batching.batch import BatchReply
from deployments.config.policy import BatchPolicy
from deployments.config.schema import AppConfig, ModelConfig
from deployments.graph.codecs import Caller, Codecs, Work
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import TranslateOptions
from models.audio.steps import finished
from models.types import SAMPLE_RATE_HZ, Audio
from tests.support.fakes import FAKE_ASR, FAKE_NMT, FAKE_TTS, FAKE_VAD, SLEEP
from tests.support.local import LocalDirectory, LocalRemote, fake_fleet

ENGINES = {"vad": FAKE_VAD, "asr": FAKE_ASR, "nmt": FAKE_NMT, "tts": FAKE_TTS, "speaker": SLEEP}
UTTERANCE_S = 4
LOUDNESS = 1000
ANSWER_S = 3600
DELAY_MS = 50
ROUNDS = 12  # of all callers
JITTER = 0.1  # of a batch's time: without it callers would keep step for ever


class InLoop(Codecs):
    """Do the codecs' work at once."""

    async def run(self, work: Work[Any], deadline: float, caller: Caller | None = None) -> Any:
        return work() if callable(work) else finished(work)


class Sleeping(LocalRemote):
    """A replica on the virtual clock, which runs one batch after another."""

    def __init__(self, name: str, profile: Profile) -> None:
        super().__init__(name, ModelConfig(engine=ENGINES[name]))
        self._stage = profile[name]
        self._random = Random(name)
        self._free_at = 0.0
        self.busy_s = 0.0

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        self.batches.append(len(items))
        now = asyncio.get_running_loop().time()
        took_s = self._stage.batch_s(len(items)) * self._random.uniform(1 - JITTER, 1 + JITTER)
        waited_s = max(0.0, self._free_at - now)
        self._free_at = now + waited_s + took_s
        self.busy_s += took_s
        await asyncio.sleep(waited_s + took_s)
        return BatchReply(self._runtime.run(items), took_s, waited_s)


def utterance() -> NDArray[np.int16]:
    """Make what the fake recogniser hears two sentences of some length in."""
    return np.full(UTTERANCE_S * SAMPLE_RATE_HZ, LOUDNESS, np.int16)


def policies(profile: Profile) -> dict[str, BatchPolicy]:
    return {
        name: BatchPolicy(max_batch_size=stage.rows, max_queue_delay_ms=DELAY_MS)
        for name, stage in profile.items()
    }


async def measure(
    profile: Profile, callers: int, utterances: int
) -> tuple[float, dict[str, float]]:
    """Return the utterances/s of so many callers, and the mean batch of each stage."""
    config = AppConfig(models={name: ModelConfig(engine=e) for name, e in ENGINES.items()})
    directory = LocalDirectory(config)
    remotes = {name: Sleeping(name, profile) for name in ENGINES}
    directory.update(remotes)
    fleet = await fake_fleet(config, directory, **policies(profile))
    loop = asyncio.get_running_loop()
    audio = Audio(utterance())
    ended: list[float] = []
    with InLoop(1) as codecs:
        pipeline = Pipeline(fleet, config, codecs)
        options = TranslateOptions("pt", source_language="en", embed=True)
        plan = pipeline.planner.speech_translation(options)

        async def caller(number: int) -> None:
            await asyncio.sleep(number / callers)
            while len(ended) < utterances:
                context = Context(loop.time() + ANSWER_S)
                await pipeline.translate_speech(audio, plan, context)
                ended.append(loop.time())

        await asyncio.gather(*(caller(n) for n in range(callers)))
    begin = utterances // 3
    rate = (utterances - 1 - begin) / (ended[utterances - 1] - ended[begin])
    mean = {n: sum(r.batches) / len(r.batches) for n, r in remotes.items()}
    return rate, mean


def run(profile: Profile, callers: int) -> tuple[float, dict[str, float]]:
    """Measure on a loop of its own."""
    with (
        patch("deployments.batching.batcher.LoopClock", VirtualClock),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        return runner.run(measure(profile, callers, ROUNDS * (callers + 2)))
