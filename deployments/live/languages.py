"""Keep one interpreter for each language that anybody wants, however many want it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from deployments.batching.clock import Clock
from deployments.batching.concurrency import detached
from deployments.catalogue.voices import NamedVoice
from deployments.live.clauses import Clause
from deployments.live.events import Event
from deployments.live.heard_audio import HeardAudio
from deployments.live.interpreter import Interpreter
from deployments.live.models import LiveModels
from deployments.live.spoken import SpeechOrder


@dataclass(slots=True, eq=False)
class _Line:
    """A language that is worked on.

    Attributes:
        waits: it begins with the next sentence.
        leaves: it ends with the sentence that is open.
        is_ending: it takes nothing more.
        has_taken: it was given a clause.
    """

    interpreter: Interpreter
    task: asyncio.Task[None]
    waits: bool
    leaves: bool = False
    is_ending: bool = False
    has_taken: bool = False

    @property
    def target(self) -> str:
        return self.interpreter.target

    def end(self) -> None:
        """Take nothing more, and end once all is told: at once, where there is nothing."""
        self.is_ending = True
        self.interpreter.finish()
        if not self.has_taken:
            self.task.cancel()


class Languages:
    """The interpreters of one session.

    Args:
        models: those of the session.
        heard: its last audio.
        emit: takes each event of each language.
        clock: the session's.
        on_fault: told of an error that no interpreter foresees.
    """

    def __init__(
        self,
        models: LiveModels,
        heard: HeardAudio,
        emit: Callable[[Event], None],
        clock: Clock,
        on_fault: Callable[[BaseException], None],
    ) -> None:
        self._models = models
        self._heard = heard
        self._emit = emit
        self._clock = clock
        self._on_fault = on_fault
        self._lines: list[_Line] = []

    @property
    def leaving(self) -> frozenset[str]:
        """Return the languages that end, of which something is still to come."""
        return frozenset(line.target for line in self._lines if line.leaves)

    def want(
        self,
        wanted: Mapping[str, bool],
        voice_of: Callable[[str], NamedVoice],
        *,
        is_between: bool,
    ) -> None:
        """Start what is wanted now; what is not ends, each between two sentences.

        Args:
            wanted: each language, and whether it is spoken.
            voice_of: tells its voice.
            is_between: nothing of an open sentence is translated yet.
        """
        active = {line.target: line for line in self._lines if not line.is_ending}
        for target, line in active.items():
            if target not in wanted and not line.leaves:
                line.leaves = True
                if is_between or line.waits:
                    line.end()
        going = {target: line for target, line in active.items() if not line.is_ending}
        for target, speaks in wanted.items():
            line = going.get(target) or self._started(target, waits=not is_between)
            line.leaves = False
            line.interpreter.speech.voice = voice_of(target)
            line.interpreter.speech.want(speaks)

    def drop(self, target: str) -> None:
        """End a language at once, as nobody is left who would read it."""
        for line in self._lines:
            if line.target == target:
                line.end()
                line.task.cancel()

    def take(self, clause: Clause) -> None:
        """Hand a clause to every language."""
        for line in self._lines:
            if line.is_ending or (line.waits and not clause.starts):
                continue
            line.waits, line.has_taken = False, True
            line.interpreter.take(clause)
            if line.leaves and clause.ends:
                line.end()

    async def finish(self) -> None:
        """Wait until everything is translated and spoken."""
        for line in self._lines:
            line.end()
        while self._lines:
            await asyncio.wait([line.task for line in self._lines])

    def abort(self) -> None:
        """Stop at once."""
        for line in self._lines:
            line.end()
            line.task.cancel()

    def _started(self, target: str, *, waits: bool) -> _Line:
        speech = SpeechOrder(target, None, self._models, self._heard, self._emit, self._clock)
        interpreter = Interpreter(target, self._models, self._emit, self._clock, speech)
        before = [line.task for line in self._lines if line.target == target]
        line = _Line(interpreter, detached(_run(interpreter, before)), waits)
        self._lines.append(line)
        line.task.add_done_callback(lambda task: self._ended(line, task))
        return line

    def _ended(self, line: _Line, task: asyncio.Task[None]) -> None:
        self._lines.remove(line)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_fault(error)


async def _run(interpreter: Interpreter, before: Collection[asyncio.Task[None]]) -> None:
    """Run an interpreter once those of its language that end have told all."""
    if before:
        await asyncio.wait(before)
    await interpreter.run()
