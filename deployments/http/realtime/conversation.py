"""Run one live session over one channel, whatever protocol it speaks, to its right end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from numpy import int16
from numpy.typing import NDArray

from deployments.http.errors import as_ours
from deployments.http.middleware.admission import STOPPING, Admission
from deployments.http.realtime.channel import Channel, ClientEvent
from deployments.http.realtime.sound import PIECE_S
from deployments.live.events import Closed, Event
from deployments.live.listeners import Listener
from deployments.live.session import Session
from deployments.telemetry import usage
from deployments.telemetry.log import request_ids
from models.errors import (
    DragomanError,
    Draining,
    QuotaUsed,
    ReaderTooSlow,
    SessionEnded,
    Unavailable,
    is_fault,
    told,
)

NORMAL, POLICY, INTERNAL, RESTART, LATER = 1000, 1008, 1011, 1012, 1013
MAX_REASON_CHARS = 120  # a close frame has room for 123 bytes
DRAIN_MARGIN_S = 1.0  # of the drain's time, for the socket to close


class Ends(Protocol):
    """An object that tells a client that all was sent."""

    def end(self) -> None:
        """Tell it, where the protocol has an event for it."""
        ...


class Dialogue(Ends, Protocol):
    """One protocol's side of a session: what events mean, and how they are written."""

    def begin(self) -> None:
        """Tell that the session is there."""
        ...

    async def take(self, event: ClientEvent) -> None:
        """Do what a client's event asks. Raises DragomanError: it cannot be done."""
        ...

    def show(self, event: Event) -> None:
        """Write what the session tells."""
        ...


async def converse(channel: Channel, session: Session, dialogue: Dialogue, at: Admission) -> None:
    """Carry events both ways until the session is over, and close the socket with its code."""
    listener = session.listen()
    dialogue.begin()
    others = [
        asyncio.create_task(each)
        for each in (
            _read(channel, session, dialogue),
            _end_on(channel.too_slow, session),
            _end_on(channel.gone, session),
            end_in_drain(at, session),
        )
    ]
    try:
        error = await _show(listener, dialogue, channel)
    finally:
        for task in others:
            task.cancel()
        if not session.is_over:
            session.abort()
        await asyncio.gather(*others, return_exceptions=True)
    await finish(channel, error, dialogue, at)


async def finish(
    channel: Channel, error: DragomanError | None, dialogue: Ends, at: Admission
) -> None:
    """Tell how a session ended, and close its socket, before a drain's time is over."""
    if channel.too_slow.is_set():
        error = ReaderTooSlow("the events of the session were not read")
    code = close_code(error)
    if error is not None and code != RESTART:  # a client that sees an error does not come again
        channel.refuse(error, None)
    if error is None or isinstance(error, SessionEnded | QuotaUsed):
        dialogue.end()
    reason = "" if error is None else told(error)
    told_why = reason.encode("ascii", "replace").decode()[:MAX_REASON_CHARS]
    await channel.close(code, told_why, until=at.ends_at)


def close_code(error: DragomanError | None) -> int:
    """Return the close code by which clients know whether to come again."""
    if error is None:
        return NORMAL
    if isinstance(error, Draining):
        return RESTART
    if isinstance(error, Unavailable):
        return LATER
    return INTERNAL if is_fault(error) else POLICY


async def hear(session: Session, samples: NDArray[int16], rate_hz: int) -> None:
    """Give a session what a client appended, as fast as it hears it.

    Raises:
        QuotaUsed: the client's key has no more audio today.
    """
    step = round(PIECE_S * rate_hz)
    for start in range(0, len(samples), step):
        usage.check_quotas()
        await session.add(samples[start : start + step], rate_hz)


async def _show(listener: Listener, dialogue: Dialogue, channel: Channel) -> DragomanError | None:
    """Write all that a session tells; return what it ended with."""
    try:
        async for event in listener:
            if isinstance(event, Closed):
                return event.error
            dialogue.show(event)
            if channel.too_slow.is_set():
                break
    except Exception as error:
        return as_ours(error, request_ids.get().get("request_id", ""))
    return None


async def _read(channel: Channel, session: Session, dialogue: Dialogue) -> None:
    """Take what the client sends; a client who leaves ends its session."""
    async for event in channel.events():
        try:
            await dialogue.take(event)
        except QuotaUsed as error:
            in_background(session.end(error))
        except DragomanError as error:
            channel.refuse(error, event.id)
        except Exception as error:
            fault = as_ours(error, request_ids.get().get("request_id", ""))
            session.abort(fault)
    session.abort()


async def _end_on(happened: asyncio.Event, session: Session) -> None:
    await happened.wait()
    session.abort()


async def end_in_drain(at: Admission, session: Session) -> None:
    """Flush when the server stops, as far as its time goes."""
    await at.stopping.wait()
    stopping = Draining(STOPPING)
    left_s = at.ends_at - asyncio.get_running_loop().time() - DRAIN_MARGIN_S
    await session.end(stopping, max(0.0, left_s))


class Ender:
    """Waits until the time of a drain is over, for those who only listen.

    Attributes:
        task: done then.
        error: why, then.
    """

    def __init__(self, at: Admission) -> None:
        self.error: DragomanError | None = None
        self.task = asyncio.create_task(self._wait(at))

    async def _wait(self, at: Admission) -> None:
        await at.stopping.wait()
        left_s = at.ends_at - asyncio.get_running_loop().time() - DRAIN_MARGIN_S
        await asyncio.sleep(max(0.0, left_s))
        self.error = Draining(STOPPING)


_running: set[asyncio.Task[Any]] = set()  # the event loop itself holds no task


def in_background(work: Coroutine[Any, Any, None]) -> None:
    """Let work go on while the client is listened to."""
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)
