"""Let live speech go before all other work of a model, which goes on beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployments.config.policy import BatchPolicy

# The priorities of live speech: no request over HTTP can ask for them. An update shows text sooner;
# it goes behind what the end of a turn waits for.
LIVE = -(1 << 31)
UPDATE = LIVE + 1
BACKGROUND = 1 << 30  # of work that nobody waits for: behind all others
OTHERS_PART = 0.25  # of the time of live batches: what other work has, where it waits meanwhile


def level_of(asked: int, policy: BatchPolicy) -> int:
    """Return the level asked for; as in Triton, the default for one that there is not."""
    is_level = 1 <= asked <= policy.priority_levels or is_live(asked) or asked == BACKGROUND
    return asked if is_level else policy.default_priority


def is_live(priority: int) -> bool:
    """Tell whether an item is of live speech."""
    return priority <= UPDATE


class LiveWork:
    """Count the live sessions that use a model, and what their items owe to other work.

    While others wait, each live batch adds a part of its time to what they are owed. Once that is
    enough for one of their batches, it has its turn.
    """

    __slots__ = ("_changed", "_owed_s", "sessions")

    def __init__(self, changed: Callable[[], None]) -> None:
        self.sessions = 0
        self._owed_s = 0.0
        self._changed = changed

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Keep the batches of other work short for as long as the block runs."""
        self.sessions += 1
        try:
            yield
        finally:
            self.sessions -= 1
            if not self.sessions:
                self._owed_s = 0.0
            self._changed()

    def is_others_turn(self, takes_s: float) -> bool:
        """Tell whether other work, which would take so long, goes before live items now."""
        return 0 < takes_s <= self._owed_s

    def sent(self, took_s: float, live_part: float, *, others_wait: bool) -> None:
        """Count the time that a batch will take; ``live_part`` of its rows are live.

        Others may owe as much as their batch takes: it may be longer than what they were owed.
        """
        if not others_wait:
            self._owed_s = 0.0
            return
        owed_s = self._owed_s + took_s * (OTHERS_PART * live_part - (1 - live_part))
        self._owed_s = max(-took_s, owed_s)
