"""The figures of every ingress process as one of them knows them, so that sums never run backwards.

Each process counts what passed through its own queues. One that is asked for figures asks the
others, and remembers what those that have died had last told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deployments.batching.statistics import Figures, total
from deployments.telemetry import usage
from deployments.telemetry.log import logger
from deployments.telemetry.usage import DoorFigures

ASK_S = 2.0  # what the others may take to answer


@dataclass(frozen=True, slots=True)
class Page:
    """One process' figures, by model, as they were at ``taken_at`` (Unix time)."""

    ingress: str
    taken_at: float
    figures: Mapping[str, Figures]
    door: DoorFigures = field(default_factory=DoorFigures)


class Ledger:
    """The pages of all ingresses.

    Args:
        ingress: this process' own name among them.
        own: its figures now.
        ask: the pages that every ingress knows, this one's among them; None: it is alone.
        door: its figures of keys and of who was refused.
    """

    def __init__(
        self,
        ingress: str,
        own: Callable[[], Mapping[str, Figures]],
        ask: Callable[[], Awaitable[Sequence[Sequence[Page]]]] | None = None,
        door: DoorFigures | None = None,
    ) -> None:
        self._ingress = ingress
        self._door = door or DoorFigures()
        self._own = own
        self._ask = ask
        self._known: dict[str, Page] = {}
        self._living = {ingress}

    def pages(self) -> list[Page]:
        """What this process knows: its own page, and the last of the others."""
        own = Page(self._ingress, time.time(), self._own(), self._door)
        return [own, *(page for page in self._known.values() if page.ingress != self._ingress)]

    async def figures(self) -> dict[str, Figures]:
        """Each model's sum over all ingresses, living and dead. Of the dead nothing waits."""
        answers = await self._asked()
        if answers is not None:
            self._living = {self._ingress, *(pages[0].ingress for pages in answers if pages)}
        for pages in answers or ():
            for page in pages:
                known = self._known.get(page.ingress)
                if known is None or known.taken_at < page.taken_at:
                    self._known[page.ingress] = page
        pages_now = [
            page if page.ingress in self._living else _closed(page) for page in self.pages()
        ]
        names = dict.fromkeys(name for page in pages_now for name in page.figures)
        return {
            name: total(page.figures[name] for page in pages_now if name in page.figures)
            for name in names
        }

    def door(self) -> DoorFigures:
        """The sum over all ingresses, as the last call of ``figures`` found them."""
        return usage.total(page.door for page in self.pages())

    async def _asked(self) -> Sequence[Sequence[Page]] | None:
        """None where nobody can be asked, or not all answer in time."""
        if self._ask is None:
            return None
        try:
            async with asyncio.timeout(ASK_S):
                return await self._ask()
        except Exception as error:  # what they told before still holds
            logger.warning("not every ingress told its figures: %r", error)
            return None


def _closed(page: Page) -> Page:
    """The page of a process that has died: its counts remain."""
    return replace(
        page, figures={name: Figures(figures.statistics) for name, figures in page.figures.items()}
    )
