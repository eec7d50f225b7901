"""Sum the figures of every ingress process, so that no sum runs backwards when one dies.

Each process counts what passed through its own queues. A process that is asked for figures asks
the others, and remembers the last figures of those that have died.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from deployments.batching.statistics import Figures, total
from deployments.telemetry import live_figures, usage
from deployments.telemetry.live_figures import LiveFigures
from deployments.telemetry.log import logger
from deployments.telemetry.usage import AccessFigures

ASK_S = 2.0  # for the others to answer


@dataclass(frozen=True, slots=True)
class IngressFigures:
    """One process' figures, by model, as they were at ``taken_at`` (Unix time)."""

    ingress: str
    taken_at: float
    figures: Mapping[str, Figures]
    access: AccessFigures = field(default_factory=AccessFigures)
    live: LiveFigures = field(default_factory=LiveFigures)


class ClusterFigures:
    """The figures of all ingresses, as one of them knows them.

    Args:
        ingress: this process' own name among them.
        own: returns its figures.
        ask: asks every ingress for the figures that it knows; None: there is no other.
        access: its figures of keys and refusals.
    """

    def __init__(
        self,
        ingress: str,
        own: Callable[[], Mapping[str, Figures]],
        ask: Callable[[], Awaitable[Sequence[Sequence[IngressFigures]]]] | None = None,
        access: AccessFigures | None = None,
    ) -> None:
        self._ingress = ingress
        self._access = access or AccessFigures()
        self._live: Callable[[], LiveFigures] = LiveFigures
        self._own = own
        self._ask = ask
        self._known: dict[str, IngressFigures] = {}
        self._living = {ingress}

    def count_live(self, figures: Callable[[], LiveFigures]) -> None:
        """Count the live sessions of this process, too."""
        self._live = figures

    def known(self) -> list[IngressFigures]:
        """Return this process' own figures now, and the last of the others."""
        own = IngressFigures(self._ingress, time.time(), self._own(), self._access, self._live())
        return [own, *(each for each in self._known.values() if each.ingress != self._ingress)]

    async def figures(self) -> dict[str, Figures]:
        """Add up each model's figures over all ingresses.

        Those that have died keep their counts, and have no requests that wait.
        """
        answers = await self._asked()
        if answers is not None:
            self._living = {self._ingress, *(known[0].ingress for known in answers if known)}
        for each in chain.from_iterable(answers or ()):
            before = self._known.get(each.ingress)
            if before is None or before.taken_at < each.taken_at:
                self._known[each.ingress] = each
        now = [each if each.ingress in self._living else _counts_of(each) for each in self.known()]
        names = dict.fromkeys(name for each in now for name in each.figures)
        return {
            name: total(each.figures[name] for each in now if name in each.figures)
            for name in names
        }

    def access(self) -> AccessFigures:
        """Add up the figures of keys and refusals that the last call of ``figures`` found."""
        return usage.total(each.access for each in self.known())

    def live(self) -> LiveFigures:
        """Add up the figures of live sessions that the last call of ``figures`` found."""
        return live_figures.total(
            each.live if each.ingress in self._living else each.live.counts()
            for each in self.known()
        )

    async def _asked(self) -> Sequence[Sequence[IngressFigures]] | None:
        """Ask the other ingresses; None if there is none, or not all answer in time."""
        if self._ask is None:
            return None
        try:
            async with asyncio.timeout(ASK_S):
                return await self._ask()
        except Exception as error:  # the figures before still count
            logger.warning("not every ingress told its figures: %r", error)
            return None


def _counts_of(dead: IngressFigures) -> IngressFigures:
    """Keep the counts of a process that has died, and nothing that waits."""
    figures = {name: Figures(each.statistics) for name, each in dead.figures.items()}
    return replace(dead, figures=figures, live=dead.live.counts())
