"""Which live sessions are let in, by made estimates of what the models' batches take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from deployments.catalogue.placements import Placement, Placements
from deployments.catalogue.selection import Fleet
from deployments.config.live import Live
from deployments.live.admission import LiveAdmission
from deployments.live.load import uses_of
from deployments.live.options import LiveOptions
from deployments.live.sessions import Sessions
from models.errors import Overloaded
from tests.support.clock import VirtualClock
from tests.support.live import SENSES, FakeModels
from tests.support.local import fake_config, fake_fleet

TEXT = LiveOptions(language="en", targets=("pt",))
SPOKEN = replace(TEXT, speaks=True)
# Seconds of a batch whatever its cost, and for a unit of cost.
QUICK = {"vad": (0.001, 0.001), "asr": (0.05, 0.1 / 6), "nmt": (0.01, 0.0001), "tts": (0.02, 0.001)}
GPU_THREADS = 0


async def fleet_of(
    times: Mapping[str, tuple[float, float]], *, replicas: int = 1, threads: int = GPU_THREADS
) -> Fleet:
    """A fleet whose models are known to take so long."""
    fleet = await fake_fleet(fake_config())
    of: dict[str, Placement] = {}
    for name, placement in fleet.placements().items():
        described = placement.description or fleet.follower.remote(name).description  # type: ignore[attr-defined]
        device = replace(described.device, threads=threads)
        of[name] = replace(
            placement, replicas=replicas, description=replace(described, device=device)
        )
    fleet.follower.placements = Placements((99, 0), of)
    for name, (fixed_s, s_a_cost) in times.items():
        line = [(cost, fixed_s + s_a_cost * cost) for cost in (10.0, 100.0)]
        fleet.get(name).batcher.learning.batch_time.seed(line)
    return fleet


def admission(
    fleet: Fleet, *opened: LiveOptions, max_load: float = 0.8, cores: int = 2
) -> LiveAdmission:
    return LiveAdmission(fleet, max_load, lambda: opened, cores)


async def test_each_second_of_a_session_asks_for_so_much() -> None:
    uses = uses_of(SPOKEN, await fleet_of({}))
    assert set(uses) == {"vad", "asr", "nmt", "tts"}
    assert {name: round(use.items * use.cost, 2) for name, use in uses.items()} == {
        "vad": 1.0,  # seconds
        "asr": 2.67,  # a window of 6 s each 1.8 s, of the 80 % that is speech
        "nmt": 12.0,  # characters
        "tts": 12.0,
    }


async def test_text_alone_needs_no_voice_and_no_target_no_translation() -> None:
    fleet = await fleet_of({})
    assert set(uses_of(TEXT, fleet)) == {"vad", "asr", "nmt"}
    assert set(uses_of(LiveOptions(), fleet)) == {"vad", "asr"}


@pytest.mark.parametrize(
    ("language", "hops"), [("en", 2), (None, 3)], ids=["named", "at worst by way of English"]
)
async def test_every_hop_to_every_target_is_counted(language: str | None, hops: int) -> None:
    uses = uses_of(LiveOptions(language=language, targets=("pt", "fr")), await fleet_of({}))
    assert uses["nmt"].items == pytest.approx(hops * 0.8 / 3)


async def test_sessions_are_let_in_until_a_models_time_is_taken() -> None:
    fleet = await fleet_of(QUICK)
    # Of a second: 0.0444 s each, and 0.05 s a batch, of which there are 0.44 or, of 8 items, more.
    most = 16
    assert admission(fleet).carries(TEXT) == most
    admission(fleet, *[TEXT] * (most - 1)).check(TEXT)
    with pytest.raises(Overloaded, match=rf"'asr'.*about {most} like this.*{most} are open"):
        admission(fleet, *[TEXT] * most).check(TEXT)


@pytest.mark.parametrize(("replicas", "carried"), [(1, 16), (2, 33)])
async def test_replicas_carry_their_part(replicas: int, carried: int) -> None:
    assert admission(await fleet_of(QUICK, replicas=replicas)).carries(TEXT) == carried


async def test_models_on_the_same_cores_share_them() -> None:
    alone = admission(await fleet_of(QUICK, threads=2), cores=8).carries(SPOKEN)
    shared = admission(await fleet_of(QUICK, threads=2), cores=2).carries(SPOKEN)
    assert shared < alone == 16


async def test_a_longer_delay_costs_less() -> None:
    found = admission(await fleet_of(QUICK))
    carried = [
        found.carries(replace(TEXT, delay=delay)) for delay in ("minimal", "medium", "xhigh")
    ]
    assert carried == sorted(carried)
    assert len(set(carried)) == 3


async def test_speech_is_refused_where_a_voice_is_too_slow_and_text_is_not() -> None:
    fleet = await fleet_of({**QUICK, "tts": (0.1, 0.13)})  # 2 s for a second of speech
    with pytest.raises(Overloaded, match=r"'tts' cannot keep pace.*without speech"):
        admission(fleet).check(SPOKEN)
    admission(fleet).check(TEXT)


async def test_a_model_that_is_not_asked_is_no_reason() -> None:
    fleet = await fleet_of({**QUICK, "tts": (0.1, 0.02)})
    most = admission(fleet).carries(SPOKEN)
    opened = [SPOKEN] * most
    with pytest.raises(Overloaded, match="'tts'"):
        admission(fleet, *opened).check(SPOKEN)
    admission(fleet, *opened).check(TEXT)


async def test_nothing_is_refused_before_anything_was_measured() -> None:
    admission(await fleet_of({}), *[SPOKEN] * 100).check(SPOKEN)


async def test_one_batch_that_was_measured_counts_by_its_cost() -> None:
    fleet = await fleet_of({})
    fleet.get("asr").batcher.learning.batch_time.seed([(6.0, 0.5)])
    assert admission(fleet).carries(TEXT) == 3  # 0.222 s of a second each


async def test_two_hundred_at_once_are_mostly_refused() -> None:
    clock, fleet = VirtualClock(), await fleet_of(QUICK)
    found = LiveAdmission(fleet, 0.8, lambda: [each.options for each in sessions], 2)
    sessions = Sessions(lambda: FakeModels(clock), SENSES, clock, Live(), found.check)
    refused = 0
    for _ in range(200):
        try:
            sessions.open(TEXT)
        except Overloaded:
            refused += 1
    assert (len(sessions), refused) == (16, 184)
    for session in [*sessions]:
        session.abort()
    sessions.open(TEXT).abort()
