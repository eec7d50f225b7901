"""Models of a live session in this process, on a clock that moves by what each call costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.asr.decoding import window_capacities_s
from models.asr.options import Options
from models.runtime import ItemError, Runtime
from models.types import (
    AsrItem,
    Transcript,
    VadItem,
    VadResult,
)
from tests.support.clock import VirtualClock

MOST_ROWS = 8  # of a batch, as the server's policy has it
VAD_S = 0.003  # the way to the VAD and back
Cost = Callable[[Sequence[AsrItem], Sequence[str], float], float]  # items, texts, seconds


def window_s(item: AsrItem) -> float:
    """Return the window that an item needs."""
    options = Options()
    capacities_s = window_capacities_s(options.windows_s, options.margin_s)
    return next(w for w, c in zip(options.windows_s, capacities_s, strict=True) if item.length <= c)


def measured(scale: float) -> Cost:
    """Let a batch cost the processor time that it took, times a scale."""
    return lambda items, texts, took_s: took_s * scale


def modelled(items: Sequence[AsrItem], texts: Sequence[str], took_s: float) -> float:
    """Let a batch cost what Whisper base takes on one idle thread: encoder, steps, alignment."""
    rows, longest_s = len(items), max(map(window_s, items))
    encoder_s = 0.072 * rows * longest_s / 10
    beams = sum(1.0 if item.beam_size == 1 else 2.1 for item in items)
    whole = ((item.prefix or "") + text for item, text in zip(items, texts, strict=True))
    steps = 4 + max(map(len, whole)) / 4.2
    words_s = sum(0.02 for item in items if item.word_timestamps)
    languages_s = sum(0.011 for item in items if item.language is None)
    return encoder_s + steps * (0.002 + 0.002 * beams) + words_s + languages_s


@dataclass(slots=True)
class _Waiting:
    item: AsrItem
    answer: asyncio.Future[Transcript]


class Replicas:
    """One recogniser that takes batches of one window, and a VAD that is always free."""

    def __init__(
        self,
        vad: Runtime[VadItem, VadResult],
        asr: Runtime[AsrItem, Transcript],
        clock: VirtualClock,
        cost: Cost,
    ) -> None:
        self._vad, self._asr, self._clock, self._cost = vad, asr, clock, cost
        self._queue: list[_Waiting] = []
        self._is_busy = False
        self.takes_prefix = self.takes_prompt = True  # as Whisper does
        self.busy_s = 0.0
        self.calls = 0

    async def hear(self, item: VadItem) -> VadResult:
        (found,) = self._vad.run([item])
        await self._passed(VAD_S)
        if isinstance(found, ItemError):
            raise found.error
        return found

    async def recognise(self, item: AsrItem) -> Transcript:
        waiting = _Waiting(item, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if not self._is_busy:
            self._start()
        return await waiting.answer

    def _start(self) -> None:
        """Run the head of the queue, and what has its window."""
        self._is_busy = bool(self._queue)
        if not self._queue:
            return
        own_s = window_s(self._queue[0].item)
        batch = [each for each in self._queue if window_s(each.item) == own_s][:MOST_ROWS]
        self._queue = [each for each in self._queue if each not in batch]
        items = [each.item for each in batch]
        started_s = time.process_time()
        results = self._asr.run(items)
        took_s = time.process_time() - started_s
        texts = ["" if isinstance(result, ItemError) else result.text for result in results]
        took_s = self._cost(items, texts, took_s)
        self.busy_s += took_s
        self.calls += len(batch)
        self._clock.call_at(self._clock.time() + took_s, self._end, batch, results)

    def _end(self, batch: Sequence[_Waiting], results: Sequence[Transcript | ItemError]) -> None:
        for each, result in zip(batch, results, strict=True):
            if each.answer.done():
                continue
            if isinstance(result, ItemError):
                each.answer.set_exception(result.error)
            else:
                each.answer.set_result(result)
        self._start()

    async def _passed(self, duration_s: float) -> None:
        over = asyncio.get_running_loop().create_future()
        self._clock.call_at(self._clock.time() + duration_s, over.set_result, None)
        await over
