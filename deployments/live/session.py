"""One live session: samples in, events out, to all who listen, each language made once."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deployments.batching.clock import Clock
from deployments.batching.concurrency import detached
from deployments.config.live import Live
from deployments.live.clauses import RULES, ClauseCutter
from deployments.live.demand import Admit, Demand, admit_all
from deployments.live.events import Closed, Event, TranscriptDelta, TurnDone, TurnFailed
from deployments.live.expiry import Expiry
from deployments.live.heard_audio import HeardAudio
from deployments.live.lag import Lag, Stage
from deployments.live.languages import Languages
from deployments.live.listeners import Audience, Listener
from deployments.live.models import LiveModels
from deployments.live.options import LiveOptions
from deployments.live.senses import Converter, Senses
from deployments.telemetry import usage
from deployments.telemetry.log import logger
from models.errors import DragomanError, InternalError, InvalidRequest
from models.types import SAMPLE_RATE_HZ

RATE_HZ = 24_000  # of samples whose rate nobody names
FLUSH_S = 10.0  # that a session may take which is ended by another than its caller


def _nothing(*_: object) -> None:
    pass


class Session:
    """Hears, translates and speaks one stream. Close it with ``finish``, or with ``abort``.

    Args:
        models: the session's own door to the models.
        options: what it is asked for.
        clock: what its times are told by.
        senses: how it hears.
        limits: of sessions.
        owner: the key that opened it; "" where there are no keys.
        name: by which others find it.
        admit: refuses languages or options that the models could not carry.
        on_lag: told of each event's lag.
        on_close: told when it is over.

    Attributes:
        id: unique on this server.
        opened_at: Unix seconds.
        lag: of the last minute.

    Raises:
        DragomanError: no model here does what the options ask for.
    """

    def __init__(
        self,
        models: LiveModels,
        options: LiveOptions,
        clock: Clock,
        senses: Senses,
        limits: Live | None = None,
        *,
        owner: str = "",
        name: str | None = None,
        admit: Admit = admit_all,
        on_lag: Callable[[Stage, float], None] = _nothing,
        on_close: Callable[[Session], None] = _nothing,
    ) -> None:
        self.id = f"sess_{secrets.token_hex(12)}"
        self.owner, self.name, self.options = owner, name, options
        self.opened_at, self.lag = time.time(), Lag(clock, on_lag)
        self._models, self._clock, self._on_close = models, clock, on_close
        self._limits = limits or Live()
        self._audience = Audience(self._limits, admit)
        self._audience.check_options(options)
        models.prepare(options)
        self._samples, self._heard = 0, HeardAudio(models)
        self._cutter = ClauseCutter(RULES[options.delay])
        self._languages = Languages(models, self._heard, self._tell, clock, self._fault)
        self._converter = Converter(senses.resampler)
        self._hearing = senses.hearing(models, options, self._hear, clock)
        for task in self._hearing.tasks:
            task.add_done_callback(self._watch)
        self._ending: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._expiry = Expiry(clock, self._limits, self._end)
        self._settle()

    @property
    def heard_s(self) -> float:
        """Return how much audio was received: the place in the source."""
        return self._samples / SAMPLE_RATE_HZ

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    @property
    def listeners(self) -> tuple[Listener, ...]:
        return tuple(self._audience.listeners)

    @property
    def wanted(self) -> dict[str, bool]:
        """Return every language that anybody wants, and whether anybody wants it spoken."""
        return self._audience.wanted(self.options)

    @property
    def demand(self) -> Demand:
        return Demand.of(self.options, self.wanted)

    # ---- what goes in ----------------------------------------------------------------

    async def add(self, samples: NDArray[np.int16], rate_hz: int = RATE_HZ) -> None:
        """Take mono samples; wait while more than a bound of audio is unheard.

        Raises:
            InvalidRequest: the session is closing, or the rate is none of audio.
        """
        self._check_open()
        self._expiry.touch()
        converted = self._converter.add(samples, rate_hz)
        usage.heard(len(samples) / rate_hz)
        await self._take(converted)
        self.lag.taken(self.heard_s)

    def commit(self) -> None:
        """End the turn here. Raises InvalidRequest: there is too little audio, or it is closing."""
        self._check_open()
        self._hearing.commit()

    def clear(self) -> None:
        """Forget the audio of the open turn. Raises InvalidRequest: the session is closing."""
        self._check_open()
        self._hearing.clear()

    def update(self, options: LiveOptions) -> None:
        """Go on with other options; where they are refused, nothing changes.

        A language that is no more asked for ends with the sentence that is open; a new one begins
        with the next.

        Raises:
            InvalidRequest: the session is closing.
            DragomanError: no model here does what the options ask for, or has time to.
        """
        self._check_open()
        self._audience.check_options(options, before=self.options)
        for target, speaks in self._audience.wanted(options).items():
            self._models.prepare_target(target, options.voice_of(target), speaks=speaks)
        self._models.prepare(options)
        self.options = options
        self._cutter.rules = RULES[options.delay]
        self._hearing.update(options)
        self._settle()

    async def finish(self) -> None:
        """Send all that is still to come of what was said; the last event is ``Closed``."""
        self._end(None)
        await self._over.wait()

    async def end(self, error: DragomanError, within_s: float = FLUSH_S) -> None:
        """Flush within a bounded time, and close with a reason."""
        timer = self._clock.call_at(self._clock.time() + within_s, self.abort, error)
        self._end(error)
        await self._over.wait()
        timer.cancel()

    def abort(self, error: DragomanError | None = None) -> None:
        """Stop at once: what is still to come is lost."""
        if self._ending is not None:
            self._ending.cancel()
        self._close(error)

    # ---- who listens -----------------------------------------------------------------

    def listen(
        self,
        targets: tuple[str, ...] | None = None,
        *,
        speaks: bool | None = None,
        max_bytes: int | None = None,
        follows: bool = False,
    ) -> Listener:
        """Return an iterator of the events from now on.

        Args:
            targets: languages whose translations it wants, which nobody else needs to have asked
                for; None: those that the session asks for.
            speaks: whether it wants them spoken; None: as the session asks.
            max_bytes: of events that may wait for it; None: as the limits say.
            follows: it only reads along.

        Raises:
            InvalidRequest: the session is closing.
            Unprocessable: too many listen, or too many languages are asked for.
            DragomanError: nothing here translates to such a language, speaks it, or has time to.
        """
        self._check_open()
        is_spoken = self.options.speaks if speaks is None else speaks
        self._audience.check_listener(self.options, dict.fromkeys(targets or (), is_spoken))
        for target in targets or ():
            self._models.prepare_target(target, self.options.voice_of(target), speaks=is_spoken)
        bound = self._limits.listener_bytes if max_bytes is None else max_bytes
        listener = Listener(targets, speaks, bound, self._left, follows=follows)
        self._audience.listeners.append(listener)
        self._settle()
        return listener

    def lag_s(self, event: Event) -> float | None:
        """Return how late an event is that was told just now; None: it tells of no audio."""
        return self.lag.of(event)

    def _left(self, listener: Listener) -> None:
        """Forget a listener; languages that only it wanted end at once."""
        if listener not in self._audience.listeners:
            return
        before = self.wanted
        self._audience.listeners.remove(listener)
        for target in before.keys() - self.wanted.keys():
            self._languages.drop(target)
        if not self.is_over:
            self._settle()

    def _settle(self) -> None:
        """Start the languages that are wanted now, and end the others."""
        self._languages.want(self.wanted, self.options.voice_of, is_between=self._cutter.is_between)

    # ---- what comes out --------------------------------------------------------------

    async def _take(self, samples: NDArray[np.int16]) -> None:
        if len(samples):
            self._samples += len(samples)
            self.lag.received(self.heard_s)
            self._heard.add(samples, keeps=any(self.wanted.values()))
            self._hearing.add(samples)
            await self._hearing.until_heard(self._limits.max_unheard_s)

    def _hear(self, event: Event) -> None:
        """Tell what was heard, and have it translated."""
        self._tell(event)
        if isinstance(event, TranscriptDelta | TurnDone | TurnFailed):
            for clause in self._cutter.take(event):
                self._languages.take(clause)

    def _tell(self, event: Event) -> None:
        self.lag.told(event)
        self._audience.tell(event, self.options, self._languages.leaving)

    # ---- how it ends -----------------------------------------------------------------

    def _check_open(self) -> None:
        if self._ending is not None or self.is_over:
            raise InvalidRequest("the session is closing, and takes nothing more", param="type")

    def _end(self, error: DragomanError | None) -> None:
        if self._ending is None and not self.is_over:
            self._ending = detached(self._flush(error))

    async def _flush(self, error: DragomanError | None) -> None:
        try:
            await self._take(self._converter.flush())
            await self._hearing.finish()
            for clause in self._cutter.flush():
                self._languages.take(clause)
            await self._languages.finish()
        except DragomanError as failed:
            self._close(error or failed)
        except Exception as fault:
            self._fault(fault)
        else:
            self._close(error)

    def _watch(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (fault := task.exception()) is not None:
            self._fault(fault)

    def _fault(self, fault: BaseException) -> None:
        """End a session for which something failed that nobody foresaw."""
        logger.error("live session %s failed", self.id, exc_info=fault)
        self._close(InternalError(repr(fault)))

    def _close(self, error: DragomanError | None) -> None:
        if self.is_over:
            return
        self._over.set()
        self._expiry.cancel()
        self._hearing.abort()
        self._languages.abort()
        self._models.close()
        self._audience.tell(Closed(error), self.options, ())
        self._on_close(self)
