"""When requests arrive in an open loop: independent of how fast the server answers."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Literal, TypeAlias

Process: TypeAlias = Literal["poisson", "uniform"]


def arrivals_s(rate_rps: float, process: Process, seed: int) -> Iterator[float]:
    """Seconds from a step's start at which its requests arrive, without end.

    ``poisson`` draws exponential gaps, as many callers who know nothing of each other make
    them; ``uniform`` has gaps of ``1 / rate_rps``. Of one seed, two rates have the same pattern
    at another speed, so that the steps of a sweep can be compared.
    """
    if process == "uniform":
        for number in itertools.count():
            yield number / rate_rps
    chance = random.Random(seed)
    now_s = 0.0
    while True:
        now_s += chance.expovariate(rate_rps)
        yield now_s
