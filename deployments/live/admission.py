"""Let live sessions have what the models can carry, by their measured pace."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from deployments.catalogue.selection import Fleet
from deployments.live.demand import Demand
from deployments.live.load import Loads, Use, uses_of
from models.devices.threads import usable_cores
from models.errors import DragomanError, Overloaded

MOST = 4096  # sessions that are counted up to


class LiveAdmission:
    """Refuse what would leave the open sessions without their pace.

    Args:
        fleet: the models.
        max_load: the most share of a model's time, or of the cores, that live sessions take.
        opened: what is wanted now of the sessions that are open.
        cores: of this machine.
    """

    def __init__(
        self,
        fleet: Fleet,
        max_load: float,
        opened: Callable[[], Iterable[Demand]],
        cores: int | None = None,
    ) -> None:
        self._fleet, self._max_load, self._opened = fleet, max_load, opened
        self._cores = cores or usable_cores()

    def check(self, demand: Demand, before: Demand | None = None) -> None:
        """Take what is to be asked of a session.

        Args:
            demand: of the session from now on.
            before: what is asked of it now, which it keeps in any case; None: it is to be opened.

        Raises:
            Overloaded: a model cannot carry it; the message tells which, and what it carries.
            DragomanError: no model does what is asked for.
        """
        more = self._more(demand, before)
        if not more:
            return
        loads, sessions = Loads(self._fleet, self._cores), Counter(self._opened())
        sessions[demand] += 1
        if before is not None:
            sessions[before] -= 1
        for each, count in sessions.items():
            loads.add(self._taken(each), count)
        blamed = loads.heaviest(more)
        if loads.share(blamed) <= self._max_load:
            return
        if before is not None:
            raise Overloaded(
                f"model {blamed!r} cannot keep pace with this change of a live session; it goes "
                "on as it was"
            )
        raise self._refusal(demand, blamed, sessions.total() - 1)

    def carries(self, demand: Demand) -> int:
        """Return how many sessions like this are carried where no other is open."""
        share = partial(self._share, uses_of(demand, self._fleet))
        return bisect_right(range(1, MOST), self._max_load, key=share)

    def carries_one(self, demand: Demand) -> bool:
        """Tell whether one session like this is carried where no other is open."""
        return self._share(uses_of(demand, self._fleet), 1) <= self._max_load

    def _share(self, uses: Mapping[str, Use], sessions: int) -> float:
        loads = Loads(self._fleet, self._cores)
        loads.add(uses, sessions)
        return max([loads.share(name) for name in uses])

    def _more(self, demand: Demand, before: Demand | None) -> list[str]:
        """Return the models that are asked for more than before."""
        now = uses_of(demand, self._fleet)
        had = {} if before is None else self._taken(before)
        return [name for name, use in now.items() if name not in had or use.work > had[name].work]

    def _taken(self, demand: Demand) -> dict[str, Use]:
        """Return what an open session asks of each model: nothing where one of them is gone."""
        try:
            return uses_of(demand, self._fleet)
        except DragomanError:
            return {}

    def _refusal(self, demand: Demand, blamed: str, opened: int) -> Overloaded:
        carried = self.carries(demand)
        if carried:
            return Overloaded(
                f"model {blamed!r} cannot keep pace with one more live session: about {carried} "
                f"like this are carried, and {opened} are open"
            )
        text = " without speech, or" if demand.options.speaks else ""
        return Overloaded(
            f"model {blamed!r} cannot keep pace with a live session like this; ask for one"
            f"{text} with a longer delay or fewer languages"
        )
