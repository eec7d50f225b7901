"""When a replica is no good any more: stuck in a batch, or failing on every one."""

from __future__ import annotations

import pytest

from deployments.serve.replica_health import FAILED_IN_A_ROW, STUCK_S, Health


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def after(*batches: bool) -> Health:
    """True: the batch failed as a whole."""
    health = Health("asr")
    for failed in batches:
        health.begin()
        health.end(failed=failed)
    return health


ROWS = {
    "fresh": [],
    "one too few": [True] * (FAILED_IN_A_ROW - 1),
    "one that worked between": [True, True, False, True, True],
    "worked again": [*[True] * FAILED_IN_A_ROW, False],
}


@pytest.mark.parametrize("batches", ROWS.values(), ids=ROWS)
def test_a_replica_that_still_works_is_kept(batches: list[bool]) -> None:
    after(*batches).check()


def test_a_replica_that_fails_on_every_batch_is_given_up() -> None:
    with pytest.raises(RuntimeError, match="model 'asr' failed on 3 batches in a row"):
        after(*[True] * FAILED_IN_A_ROW).check()


@pytest.mark.parametrize("ends", [True, False], ids=["has ended", "runs"])
def test_a_batch_that_never_ends_gives_the_replica_up(ends: bool) -> None:
    clock = Clock()
    health = Health("asr", clock)
    health.begin()
    if ends:
        health.end(failed=False)
    clock.now_s += STUCK_S + 1
    if ends:
        health.check()
    else:
        with pytest.raises(RuntimeError, match="stuck in one batch"):
            health.check()
