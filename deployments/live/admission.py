"""Let a live session in if the models can carry what it asks for, by their measured pace."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable

from deployments.catalogue.selection import Fleet
from deployments.live.load import Loads, uses_of
from deployments.live.options import LiveOptions
from models.devices.threads import usable_cores
from models.errors import Overloaded

MOST = 4096  # sessions that are counted up to


class LiveAdmission:
    """Refuse a session that would leave those that are open without their pace.

    Args:
        fleet: the models.
        max_load: the most share of a model's time, or of the cores, that live sessions take.
        opened: the options of the sessions that are open.
        cores: of this machine.
    """

    def __init__(
        self,
        fleet: Fleet,
        max_load: float,
        opened: Callable[[], Iterable[LiveOptions]],
        cores: int | None = None,
    ) -> None:
        self._fleet, self._max_load, self._opened = fleet, max_load, opened
        self._cores = cores or usable_cores()

    def check(self, options: LiveOptions) -> None:
        """Take the options of a session that is to be opened.

        Raises:
            Overloaded: a model cannot carry it; the message tells which, and how many it carries.
            DragomanError: no model does what they ask for.
        """
        loads, sessions = Loads(self._fleet, self._cores), Counter([*self._opened(), options])
        for each, count in sessions.items():
            loads.add(uses_of(each, self._fleet), count)
        uses = uses_of(options, self._fleet)
        blamed = loads.heaviest(uses)
        if loads.share(blamed) <= self._max_load:
            return
        carried = self.carries(options)
        if not carried:
            text = " without speech, or" if options.speaks else ""
            raise Overloaded(
                f"model {blamed!r} cannot keep pace with a live session like this; ask for one"
                f"{text} with a longer delay or fewer languages"
            )
        raise Overloaded(
            f"model {blamed!r} cannot keep pace with one more live session: about {carried} like "
            f"this are carried, and {sessions.total() - 1} are open"
        )

    def carries(self, options: LiveOptions) -> int:
        """Return how many sessions like this are carried where no other is open."""
        uses = uses_of(options, self._fleet)

        def share(sessions: int) -> float:
            loads = Loads(self._fleet, self._cores)
            loads.add(uses, sessions)
            return max([loads.share(name) for name in uses])

        return bisect_right(range(1, MOST), self._max_load, key=share)
