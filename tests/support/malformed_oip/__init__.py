"""Malformed requests of the Open Inference Protocol, by the thousand, at random from a seed.

Each is a valid request with one thing wrong, or asks for what there is not: only a 4xx is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from tests.support.malformed_oip import bodies, entries, targets
from tests.support.malformed_oip.valid import Malformed

# What is wrong, and how such a request is made. Each kind is as likely as any other.
MUTATIONS = {**entries.MUTATIONS, **bodies.MUTATIONS, **targets.MUTATIONS}


def malformed_requests(seed: int, count: int) -> Iterator[Malformed]:
    """``count`` malformed requests, the same for the same seed."""
    rng = Random(seed)
    kinds = list(MUTATIONS)
    for number in range(count):
        kind = rng.choice(kinds)
        draft = MUTATIONS[kind](rng)
        yield draft.finished(f"{number} {draft.model} {kind}")
