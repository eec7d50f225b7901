"""A batcher with a scripted model behind it and a clock that only moves when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.batching.batch import BatchReply
from deployments.batching.batcher import Batcher
from deployments.batching.queue import Outcome
from deployments.batching.response_cache import ResponseCache
from deployments.config.policy import BatchPolicy
from tests.support.clock import VirtualClock, settle


@dataclass(frozen=True)
class Piece:
    """An item with a name to be recognised by."""

    name: str
    length: float = 1.0
    key: str | None = None


@dataclass
class Model:
    """Stands behind the batcher: records the batches, and answers when its gate opens."""

    clock: VirtualClock
    batches: list[str] = field(default_factory=list)
    gates: list[asyncio.Event] = field(default_factory=list)
    answer: Callable[[Sequence[Piece]], list[Any]] = lambda batch: [p.name for p in batch]
    execution_s: float = 0.0

    async def __call__(self, batch: Sequence[Piece]) -> BatchReply[str]:
        self.batches.append(" ".join(piece.name for piece in batch))
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()
        return BatchReply(self.answer(batch), self.execution_s)

    async def finish(self, *numbers: int) -> None:
        """Let the batches of these numbers (in order of their start) be answered."""
        for number in numbers:
            self.gates[number].set()
            await settle()


@dataclass
class Bench:
    """A batcher with its model and clock, and the callers that wait at it."""

    clock: VirtualClock
    model: Model
    batcher: Batcher[Piece, str]
    callers: dict[str, asyncio.Task[Outcome[str]]] = field(default_factory=dict)

    async def arrive(self, *pieces: str | Piece, **options: Any) -> None:
        for piece in pieces:
            item = Piece(piece) if isinstance(piece, str) else piece
            self.callers[item.name] = asyncio.create_task(self.batcher.submit(item, **options))
        await settle()

    async def result(self, name: str) -> str:
        return (await self.callers[name]).result


def bench(
    dispatch: Callable[[Sequence[Piece]], Awaitable[BatchReply[str]]] | None = None,
    *,
    replicas: int = 1,
    buckets: Sequence[float] = (),
    cache: ResponseCache | None = None,
    **policy: Any,
) -> Bench:
    """A batcher on a clock of its own, before the recording model or another ``dispatch``."""
    policy = {"max_batch_size": 4, "max_queue_delay_ms": 10.0, "max_padding": 0.9, **policy}
    clock = VirtualClock()
    model = Model(clock)
    batcher: Batcher[Piece, str] = Batcher(
        "m",
        dispatch or model,
        BatchPolicy(**policy),
        replicas=replicas,
        length_buckets=buckets,
        key=lambda piece: piece.key,
        cache=cache,
        clock=clock,
    )
    return Bench(clock, model, batcher)


async def finish_all(b: Bench) -> None:
    """Open every gate until nobody waits: no test leaves a task behind."""
    while not all(task.done() for task in b.callers.values()):
        for gate in b.model.gates:
            gate.set()
        await b.clock.advance(1.0)
    await asyncio.gather(*b.callers.values(), return_exceptions=True)
