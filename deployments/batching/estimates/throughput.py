"""Estimate how fast one model works its queue off, and so which requests would wait in vain."""

from __future__ import annotations

MEMORY = 0.9  # of what was learned before, at each batch: about the last ten count
STARTS_S = 1.0  # a way to a replica that takes longer was a wait for one to start
HEADROOM = 1.25  # of an estimate, where a request is let in: what is let in should be answered


class Throughput:
    """Measure seconds a unit of cost, over all replicas together, by full batches.

    A batch is full if it could not be larger, by its policy or by its deadlines. One that had room
    says nothing of a full one's speed, except where it was faster than the full ones. So an
    estimate that is too high does not stay so because no full batches come any more.
    Until a full batch has run, the last ``guess`` tells. Before that nothing is known, and nothing
    is expected to take time.
    """

    __slots__ = (
        *("_batches", "_costs", "_in_flight", "_items", "_sent", "_since"),
        *("_times_s", "_usual_cost", "_usual_others", "s_a_cost"),
    )

    def __init__(self) -> None:
        self._sent = 0  # batches that are not back
        self._in_flight = 0.0  # their cost
        self._since = 0.0  # when the work began that the next batch to come back stands for
        # Sums over the batches that were learned from, fading; and what they tell.
        self._times_s = self._costs = self._items = self._batches = 0.0
        self.s_a_cost = 0.0  # 0: not known
        self._usual_cost = self._usual_others = 0.0  # of an item, and of those beside it

    @property
    def is_guessed(self) -> bool:
        """Tell whether no full batch has run yet."""
        return not self._batches

    def guess(self, took_s: float, cost: float, items: int) -> None:
        """Learn what a full batch would take; the first that runs takes the place of this."""
        self.s_a_cost = took_s / cost
        self._usual_cost = cost / items
        self._usual_others = cost - self._usual_cost

    def sent(self, cost: float, now: float) -> None:
        """Count a batch that left."""
        if not self._sent:
            self._since, self._in_flight = now, 0.0  # without what rounding has left
        self._sent += 1
        self._in_flight += cost

    def reached_a_replica(self, at: float) -> None:
        """Leave the wait for a replica to start out of the time of the batch that came back.

        A shorter way there, and what else keeps a replica waiting under load, counts.
        """
        if at - self._since > STARTS_S:
            self._since = at

    def came_back(
        self, cost: float, items: int, *, is_full: bool, now: float, ran_s: float = 0.0
    ) -> None:
        """Learn from a batch that was answered, after a run of ``ran_s`` at the least.

        Where not even half of that has passed since another batch came back, both ran together.
        """
        took_s, self._since = now - self._since, now
        self.given_up(cost)
        if took_s < ran_s / 2:
            return
        if is_full or (not self.is_guessed and took_s < self.s_a_cost * cost):
            self._learn(cost, items, took_s)

    def hung(self, cost: float, items: int, now: float) -> None:
        """Learn from a full batch that was given up while it ran: it takes at least that long."""
        took_s, self._since = now - self._since, now
        self.given_up(cost)
        if took_s >= self.s_a_cost * cost:
            self._learn(cost, items, took_s)

    def given_up(self, cost: float) -> None:
        """Count a batch as in flight no more, and learn nothing from it."""
        self._sent -= 1
        self._in_flight -= cost

    def _learn(self, cost: float, items: int, took_s: float) -> None:
        self._times_s = MEMORY * self._times_s + took_s
        self._costs = MEMORY * self._costs + cost
        self._items = MEMORY * self._items + items
        self._batches = MEMORY * self._batches + 1
        if self._costs:  # items may have no length at all
            self.s_a_cost = self._times_s / self._costs
            self._usual_cost = self._costs / self._items
            self._usual_others = self._costs / self._batches - self._usual_cost

    def ahead_s(self, now: float) -> float:
        """Return the time until all that is in flight is done."""
        return max(0.0, self._in_flight * self.s_a_cost - (now - self._since))

    def needs_s(self, cost: float, now: float) -> float:
        """Return the time until so much more work is done, after all that is in flight."""
        return self.ahead_s(now) + cost * self.s_a_cost

    def wait_s(self, before: float, own: float | None, now: float) -> float:
        """Return the time until an item that comes now is answered, behind the cost ``before``.

        Where many wait, others will share its batch and end with it. ``own`` is the item's cost;
        None: the usual one.
        """
        others = min(before, self._usual_others)
        own = self._usual_cost if own is None else own
        return self.needs_s(before + others + own, now)


def is_too_long(expected_s: float, left_s: float) -> bool:
    """Tell whether a request would wait in vain; never where nothing is expected to take time."""
    return expected_s > 0 and expected_s * HEADROOM > left_s
