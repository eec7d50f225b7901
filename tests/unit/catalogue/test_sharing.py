"""How many of a model's replicas other ingresses leave to one, by what the replicas have done."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from deployments.batching.forming import BATCHES_A_REPLICA
from deployments.catalogue.sharing import Sharing
from deployments.config.ingress import IngressConfig
from deployments.config.policy import BatchPolicy
from deployments.config.schema import ModelConfig
from deployments.telemetry.model_report import ReplicaStats
from models.types import SpeakerItem
from tests.support.clock import settle
from tests.support.fakes import SLEEP
from tests.support.local import LocalDirectory, fake_config, fake_fleet

LOOK_S, BATCH_S = 2.0, 0.4
Part = tuple[int, list[float], float]  # looks; how busy each replica is; and with own batches


def counts(busy_s: float, number: int, batch_s: float = BATCH_S) -> ReplicaStats:
    return ReplicaStats(busy_s=busy_s, batches=round(busy_s / batch_s), replica=str(number))


def after(parts: Sequence[Part], replicas: int) -> int:
    """What is left of so many replicas after looks at them, two seconds apart."""
    sharing, now, used_s, busy_s = Sharing(), 0.0, 0.0, dict[int, float]()
    for looks, busy, own in parts:
        for _ in range(looks):
            stats = [counts(s, number) for number, s in busy_s.items()]
            sharing.look(stats, used_s, now)
            now, used_s = now + LOOK_S, used_s + LOOK_S * own
            busy_s = {n: busy_s.get(n, 0.0) + LOOK_S * part for n, part in enumerate(busy)}
    return sharing.left(replicas)


LEFT: dict[str, tuple[list[Part], int, int]] = {
    "all, before the first look": ([], 3, 3),
    "all, where nobody else asks": ([(10, [1, 1, 1], 3)], 3, 3),
    "all, where nobody asks": ([(10, [0, 0, 0], 0)], 3, 3),
    "one of three ingresses": ([(10, [1, 1, 1], 1)], 3, 1),
    "one of two ingresses": ([(10, [1, 1, 1, 1], 2)], 4, 2),
    "one, where the others take all": ([(10, [1, 1], 0)], 2, 1),
    "all, where the others do little": ([(10, [0.2, 0.2, 0.2], 0.2)], 3, 3),
    "all, once the others have gone": ([(10, [1, 1, 1], 1), (10, [1, 1, 1], 3)], 3, 3),
    "one of three, soon": ([(10, [0, 0, 0], 0), (4, [1, 1, 1], 1)], 3, 1),
    "a replica that came since counts": ([(10, [1], 0.5), (10, [1, 1, 1], 1)], 3, 1),
    "never more than there are": ([(10, [0.5, 0.5], 1.5)], 2, 2),
}


@pytest.mark.parametrize(("parts", "replicas", "left"), LEFT.values(), ids=LEFT)
def test_what_others_leave(parts: list[Part], replicas: int, left: int) -> None:
    assert after(parts, replicas) == left


def test_a_replica_counts_from_the_second_look_at_it() -> None:
    sharing = Sharing()
    sharing.look([counts(0.0, 0)], 0.0, 0.0)
    sharing.look([counts(0.0, 0), counts(100.0, 1)], 0.0, 2.0)
    assert sharing.left(2) == 2


def test_long_batches_of_others_count_between_their_ends() -> None:
    """Three looks in four see none of them end."""
    sharing, left = Sharing(), set[int]()
    for look in range(80):
        sharing.look([counts(8.0 * (look // 4), n, 8.0) for n in range(2)], 0.0, LOOK_S * look)
        left |= {sharing.left(2)} if look > 40 else set()
    assert left == {1}


async def test_an_ingress_sends_what_the_others_leave_replicas_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for pause in ("POLL_S", "POLL_WARM_S"):
        monkeypatch.setattr(f"deployments.catalogue.serving.{pause}", 0.0)
    config = fake_config().model_copy(update={"ingress": IngressConfig(replicas=2)})
    config.models["speaker"] = ModelConfig(engine=SLEEP, replicas=3)
    remotes = LocalDirectory(config)
    looks, held = 0, asyncio.Event()

    async def busy_with_others() -> list[ReplicaStats]:
        nonlocal looks
        looks += 1
        now = asyncio.get_running_loop().time()
        return [counts(now, number) for number in range(3)]

    monkeypatch.setattr(remotes["speaker"], "stats", busy_with_others)
    remotes["speaker"].hold_all(held)
    fleet = await fake_fleet(config, remotes, speaker=BatchPolicy(max_batch_size=1))
    async with asyncio.timeout(10):
        while looks < 10:
            await asyncio.sleep(0)
    batcher = fleet.get("speaker").batcher
    item = SpeakerItem(np.ones(160, np.int16))
    asked = [asyncio.create_task(batcher.submit(item)) for _ in range(10)]
    await settle()
    assert batcher.in_flight == BATCHES_A_REPLICA
    held.set()
    await asyncio.gather(*asked)
