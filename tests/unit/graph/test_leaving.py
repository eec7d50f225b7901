"""A caller that leaves, at whatever turn of the event loop: nothing goes on without them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from typing import Any, TypeAlias

import numpy as np
import pytest

from deployments.batching.batch import BatchReply
from deployments.graph.context import Context
from deployments.graph.pipeline import Pipeline
from deployments.graph.plan import TranslateOptions
from models.types import SAMPLE_RATE_HZ, SOURCE_VOICE, Audio, SpeechSpan, VadResult
from tests.support.clock import settle
from tests.support.local import LocalRemote, fake_config, fake_fleet, fake_remotes

SECOND = SAMPLE_RATE_HZ
SPANS = (SpeechSpan(0.0, 1.0), SpeechSpan(14.0, 15.0))  # too far apart for one window
RECORDING = Audio(np.full(15 * SECOND, 700, np.int16))
TEXT = "One is one. Two is two. Three is three."


class AtOnce(LocalRemote):
    """Answers on the event loop, so that each run takes the same turns."""

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        await asyncio.sleep(0)
        return BatchReply(self._runtime.run(items), 0.0)


class TwoSpans(AtOnce):
    """Finds speech at the beginning and at the end."""

    async def infer(self, items: Sequence[Any]) -> BatchReply[Any]:
        none = np.zeros(0, np.float32)
        frames = np.ones(len(RECORDING.samples) // 512, np.float32)
        return BatchReply([VadResult(SPANS, frames, none) for _ in items], 0.0)


class InlineCodecs:
    """Runs work on the event loop, so that each run takes the same turns."""

    async def run(self, work: Any, deadline: float, caller: object = None) -> Any:
        await asyncio.sleep(0)
        if callable(work):
            return work()
        try:
            while True:
                next(work)
        except StopIteration as end:
            return end.value


async def translated(pipeline: Pipeline, context: Context) -> None:
    options = TranslateOptions("pt", voice=SOURCE_VOICE, embed=True)
    plan = pipeline.planner.speech_translation(options)
    (answer,) = await pipeline.run([RECORDING], [plan], context)
    assert len(answer.sentences) == 4
    assert answer.voice_similarity is not None


async def texts(pipeline: Pipeline, context: Context) -> None:
    route = pipeline.planner.text_translation("pt", "fr")
    assert len(await pipeline.texts.translate([TEXT, TEXT], route, context)) == 2


async def spoken(pipeline: Pipeline, context: Context) -> None:
    plan = pipeline.planner.speech(None, "pt")
    parts = pipeline.synthesiser.speak_in_turn(TEXT.split(". "), plan, context)
    async with aclosing(parts):
        assert len([part async for part in parts]) == 3


async def embedded(pipeline: Pipeline, context: Context) -> None:
    plan = pipeline.planner.embedding(pipeline.planner.model("speaker"))
    assert (await pipeline.voices.embed(RECORDING, plan, context)).speech_s


Work: TypeAlias = Callable[[Pipeline, Context], Coroutine[Any, Any, None]]


@pytest.mark.parametrize("work", [translated, texts, spoken, embedded], ids=lambda w: w.__name__)
async def test_nothing_goes_on_without_a_caller_that_leaves_at_any_turn(work: Work) -> None:
    config = fake_config()
    remotes = fake_remotes(config)
    for name, model in config.models.items():
        remotes[name] = (TwoSpans if name == "vad" else AtOnce)(name, model)
    fleet = await fake_fleet(config, remotes)
    pipeline = Pipeline(fleet, config, InlineCodecs())  # type: ignore[arg-type]
    idle = asyncio.all_tasks()

    async def leave_after(turns: int) -> bool:
        """Tell whether the work was done before."""
        deadline = asyncio.get_running_loop().time() + 60
        caller = asyncio.create_task(work(pipeline, Context(deadline)))
        for _ in range(turns):
            await asyncio.sleep(0)
        was_done = caller.done()
        caller.cancel()
        with suppress(asyncio.CancelledError):
            await caller
        alone = asyncio.all_tasks() - idle
        assert {_name(task) for task in alone} <= {"Dispatcher.run"}, turns
        await settle()
        assert asyncio.all_tasks() - idle == set(), turns
        assert not any(fleet.get(name).batcher.waiting for name in config.models), turns
        return was_done

    turns = 0
    while not await leave_after(turns):
        turns += 1
    assert turns > 10


def _name(task: asyncio.Task[Any]) -> str:
    coroutine: Any = task.get_coro()
    return str(coroutine.__qualname__)
