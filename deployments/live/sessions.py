"""The open sessions of one ingress process: who has which, and which may be found by whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from deployments.batching.clock import Clock
from deployments.config.live import Live
from deployments.live.demand import Admit, Demand, admit_all
from deployments.live.models import LiveModels
from deployments.live.options import LiveOptions
from deployments.live.senses import Senses
from deployments.live.session import Session
from deployments.telemetry.live_figures import LiveFigures, OpenSession
from models.errors import (
    DragomanError,
    NameTaken,
    Overloaded,
    TooManyRunning,
    UnknownSession,
)


class Sessions:
    """Opens sessions, within the limits, and finds them again.

    Args:
        models: makes a session's own door to the models.
        senses: how sessions hear.
        clock: what they are timed by.
        limits: of sessions.
        admit: refuses what the models could not carry.
    """

    def __init__(
        self,
        models: Callable[[], LiveModels],
        senses: Senses,
        clock: Clock,
        limits: Live,
        admit: Admit = admit_all,
    ) -> None:
        self._figures = LiveFigures()
        self._models, self._senses, self._clock = models, senses, clock
        self._limits, self._admit = limits, admit
        self._open: dict[str, Session] = {}

    def open(self, options: LiveOptions, owner: str = "", name: str | None = None) -> Session:
        """Open a session.

        Args:
            options: what it is asked for.
            owner: the key that opens it; "" where there are no keys.
            name: by which its owner, and who has the owner's leave, finds it.

        Raises:
            Overloaded: as many are open as this process takes, or the models cannot carry it.
            TooManyRunning: as many of the owner's are open as one key may have.
            NameTaken: another of the owner's open sessions has that name.
            DragomanError: no model here does what the options ask for.
        """
        models = self._models()
        try:
            self._check_room(options, owner, name)
            session = Session(
                models,
                options,
                self._clock,
                self._senses,
                self._limits,
                owner=owner,
                name=name,
                admit=self._admit,
                on_lag=self._figures.note_lag,
                on_close=self._closed,
            )
        except DragomanError as error:
            models.close()
            self._figures.note_refusal(error.code)
            raise
        self._open[session.id] = session
        return session

    def figures(self) -> LiveFigures:
        """Return what is counted, and the sessions that are open now."""
        open_now = [shown(session) for session in self]
        return LiveFigures(open_now, self._figures.lags, self._figures.refusals)

    def find(self, id_or_name: str, owner: str | None = None) -> Session:
        """Return an open session by its id, or by the name that it has among its owner's.

        ``owner``: whose it must be; None: anybody's, and then it is found by its id alone.

        Raises:
            UnknownSession: there is none, or it is another's.
        """
        for session in self._open.values():
            is_owned = owner is None or session.owner == owner
            if is_owned and (
                session.id == id_or_name or (owner is not None and session.name == id_or_name)
            ):
                return session
        raise UnknownSession(f"there is no open session {id_or_name[:80]!r}", param="session")

    def __iter__(self) -> Iterator[Session]:
        return iter(self._open.values())

    def __len__(self) -> int:
        return len(self._open)

    def _check_room(self, options: LiveOptions, owner: str, name: str | None) -> None:
        if len(self._open) >= self._limits.max_sessions:
            raise Overloaded(f"{self._limits.max_sessions} live sessions are open, the most here")
        most = self._limits.max_sessions_per_key
        if most is not None and owner and sum(each.owner == owner for each in self) >= most:
            raise TooManyRunning(
                f"{most} live sessions of this key are open, the most that it may have"
            )
        if name is not None and any((s.owner, s.name) == (owner, name) for s in self):
            raise NameTaken(f"a session named {name[:80]!r} is open already", param="name")
        self._admit(Demand.of(options), None)

    def _closed(self, session: Session) -> None:
        self._open.pop(session.id, None)


def shown(session: Session) -> OpenSession:
    """Return what operators see of a session."""
    wanted = session.wanted
    return OpenSession(
        session.id,
        session.name,
        session.owner,
        session.opened_at,
        round(session.heard_s, 3),
        session.options.language,
        tuple(wanted),
        any(wanted.values()),
        len(session.listeners),
        dict(session.lag.figures()),
    )
