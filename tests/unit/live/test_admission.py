"""Which live sessions are let in, by made estimates of what the models' batches take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from deployments.catalogue.placements import Placement, Placements
from deployments.catalogue.selection import Fleet
from deployments.config.live import Live
from deployments.live.admission import LiveAdmission
from deployments.live.demand import Demand
from deployments.live.fleet_sessions import speaks_in_time
from deployments.live.load import uses_of
from deployments.live.options import LiveOptions
from deployments.live.sessions import Sessions
from models.errors import Overloaded
from tests.support.clock import VirtualClock
from tests.support.live import SENSES, FakeModels
from tests.support.local import fake_config, fake_fleet

IN_TEXT = LiveOptions(language="en", targets=("pt",))
TEXT = Demand.of(IN_TEXT)
SPOKEN = Demand.of(replace(IN_TEXT, speaks=True))
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
        fleet.get(name).batcher.learning.seed(line)
    return fleet


def admission(
    fleet: Fleet, *opened: Demand, max_load: float = 0.8, cores: int = 2
) -> LiveAdmission:
    return LiveAdmission(fleet, max_load, lambda: opened, cores)


def sessions_over(fleet: Fleet) -> Sessions:
    """Open sessions that this fleet is measured for."""
    clock = VirtualClock()
    found = LiveAdmission(fleet, 0.8, lambda: [each.demand for each in sessions], 2)
    sessions = Sessions(lambda: FakeModels(clock), SENSES, clock, Live(), found.check)
    return sessions


async def test_each_second_of_a_session_asks_for_so_much() -> None:
    uses = uses_of(SPOKEN, await fleet_of({}))
    assert set(uses) == {"vad", "asr", "nmt", "tts"}
    assert {name: round(use.items * use.cost, 2) for name, use in uses.items()} == {
        "vad": 1.0,  # seconds
        "asr": 1.6,  # a window of 6 s each 3 s, of the 80 % that is speech
        "nmt": 12.0,  # characters
        "tts": 12.0,
    }


async def test_text_alone_needs_no_voice_and_no_target_no_translation() -> None:
    fleet = await fleet_of({})
    assert set(uses_of(TEXT, fleet)) == {"vad", "asr", "nmt"}
    assert set(uses_of(Demand.of(LiveOptions()), fleet)) == {"vad", "asr"}


@pytest.mark.parametrize(
    ("language", "hops"), [("en", 2), (None, 3)], ids=["named", "at worst by way of English"]
)
async def test_every_hop_to_every_target_is_counted(language: str | None, hops: int) -> None:
    options = LiveOptions(language=language, targets=("pt", "fr"))
    uses = uses_of(Demand.of(options), await fleet_of({}))
    assert uses["nmt"].items == pytest.approx(hops * 0.8 / 3)


async def test_sessions_are_let_in_until_a_models_time_is_taken() -> None:
    fleet = await fleet_of(QUICK)
    # Of a second: 0.0444 s each, and 0.05 s a batch, of which there are 0.44 or, of 8 items, more.
    most = 28
    assert admission(fleet).carries(TEXT) == most
    admission(fleet, *[TEXT] * (most - 1)).check(TEXT)
    with pytest.raises(Overloaded, match=rf"'asr'.*about {most} like this.*{most} are open"):
        admission(fleet, *[TEXT] * most).check(TEXT)


@pytest.mark.parametrize(("replicas", "carried"), [(1, 28), (2, 56)])
async def test_replicas_carry_their_part(replicas: int, carried: int) -> None:
    assert admission(await fleet_of(QUICK, replicas=replicas)).carries(TEXT) == carried


async def test_models_on_the_same_cores_share_them() -> None:
    alone = admission(await fleet_of(QUICK, threads=2), cores=8).carries(SPOKEN)
    shared = admission(await fleet_of(QUICK, threads=2), cores=2).carries(SPOKEN)
    assert shared < alone == 28


async def test_a_longer_delay_costs_less() -> None:
    found = admission(await fleet_of(QUICK))
    carried = [
        found.carries(Demand.of(replace(IN_TEXT, delay=delay)))
        for delay in ("minimal", "medium", "xhigh")
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
    fleet.get("asr").batcher.learning.seed([(6.0, 0.5)])
    assert admission(fleet).carries(TEXT) == 5  # 0.133 s of a second each


async def test_two_hundred_at_once_are_mostly_refused() -> None:
    sessions = sessions_over(await fleet_of(QUICK))
    refused = 0
    for _ in range(200):
        try:
            sessions.open(IN_TEXT)
        except Overloaded:
            refused += 1
    assert (len(sessions), refused) == (28, 172)
    for session in [*sessions]:
        session.abort()
    sessions.open(IN_TEXT).abort()


# ---- what an open session wants now --------------------------------------------------------

# Seconds for 12 characters, as each second of one language has: 0.3 and 0.5.
SLOW_NMT = {**QUICK, "nmt": (0.01, 0.025)}
SLOWER_NMT = {**QUICK, "nmt": (0.01, 0.042)}


async def test_a_followers_languages_are_counted_for_the_next_session() -> None:
    sessions = sessions_over(await fleet_of(SLOW_NMT))
    session = sessions.open(IN_TEXT)
    follower = session.listen(("fr",), follows=True)
    with pytest.raises(Overloaded, match=r"'nmt'.*2 like this are carried, and 1 are open"):
        sessions.open(IN_TEXT)
    follower.close()
    sessions.open(IN_TEXT).abort()
    session.abort()


async def test_a_follower_is_refused_a_language_that_is_too_much_and_told_why() -> None:
    session = sessions_over(await fleet_of(SLOWER_NMT)).open(IN_TEXT)
    with pytest.raises(Overloaded, match=r"'nmt' cannot keep pace with this change.*as it was"):
        session.listen(("fr",), follows=True)
    assert (session.wanted, session.listeners) == ({"pt": False}, ())
    session.abort()


@pytest.mark.parametrize("targets", [None, ("pt",)], ids=["the session's", "one that is made"])
async def test_a_follower_of_what_is_made_already_costs_nothing(
    targets: tuple[str, ...] | None,
) -> None:
    session = sessions_over(fleet := await fleet_of(QUICK)).open(IN_TEXT)
    fleet.get("asr").batcher.learning.seed([(10.0, 100.0), (100.0, 1000.0)])
    session.listen(targets, speaks=False, follows=True)
    session.abort()


async def test_a_follower_that_wants_speech_is_counted_by_the_voice() -> None:
    fleet = await fleet_of({**QUICK, "tts": (0.1, 0.13)})
    session = sessions_over(fleet).open(IN_TEXT)
    session.listen(("pt",), speaks=False, follows=True)
    with pytest.raises(Overloaded, match="'tts'"):
        session.listen(("pt",), speaks=True, follows=True)
    session.abort()


async def test_a_change_that_is_too_much_is_refused_and_nothing_changes() -> None:
    session = sessions_over(await fleet_of(SLOWER_NMT)).open(IN_TEXT)
    with pytest.raises(Overloaded, match="'nmt' cannot keep pace with this change"):
        session.update(replace(IN_TEXT, targets=("pt", "fr")))
    assert session.options == IN_TEXT
    session.update(replace(IN_TEXT, targets=("fr",)))
    session.abort()


async def test_who_asks_for_less_is_never_refused() -> None:
    session = sessions_over(fleet := await fleet_of(QUICK)).open(IN_TEXT)
    fleet.get("asr").batcher.learning.seed([(10.0, 100.0), (100.0, 1000.0)])
    less = replace(IN_TEXT, targets=(), delay="high")
    session.update(less)
    assert session.options == less
    session.abort()


async def test_a_session_whose_model_is_gone_takes_no_time_and_may_do_without_it() -> None:
    fleet = await fleet_of(QUICK)
    gone = Demand.of(replace(IN_TEXT, recogniser="gone"))
    admission(fleet, gone).check(TEXT)
    admission(fleet, gone).check(TEXT, before=gone)


@pytest.mark.parametrize(
    ("s_a_char", "in_time"), [(0.06, True), (0.07, False)], ids=["quick", "slow"]
)
async def test_a_language_is_spoken_in_time_if_its_voice_carries_a_session(
    s_a_char: float, in_time: bool
) -> None:
    fleet = await fleet_of({**QUICK, "tts": (0.0, s_a_char)})  # 12 characters a second, at 0.8
    assert speaks_in_time(fleet, fake_config(), "pt") is in_time


async def test_a_language_without_a_voice_or_a_bound_is_told_apart() -> None:
    fleet, config = await fleet_of({**QUICK, "tts": (0.0, 1.0)}), fake_config()
    unbounded = config.model_copy(update={"live": Live(max_load=None)})
    assert [speaks_in_time(fleet, each, "pt") for each in (config, unbounded)] == [False, True]
    assert not speaks_in_time(fleet, config, "fr")
