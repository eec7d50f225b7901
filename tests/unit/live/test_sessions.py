"""The open sessions of a process: how many, whose, by which name, and how they end together."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.config.live import Live
from deployments.live.demand import Demand
from deployments.live.options import LiveOptions
from deployments.live.sessions import Sessions
from models.errors import NameTaken, Overloaded, TooManyRunning, UnknownSession, UnsupportedPair
from tests.support.clock import VirtualClock
from tests.support.live import SENSES, FakeModels, samples

OPTIONS = LiveOptions(targets=("pt",))


def sessions(clock: VirtualClock | None = None, **limits: Any) -> Sessions:
    clock = clock or VirtualClock()
    return Sessions(lambda: FakeModels(clock), SENSES, clock, Live(**limits))


async def test_names_are_of_their_owner_alone() -> None:
    open_ = sessions()
    mine, theirs = open_.open(OPTIONS, "me", "talk"), open_.open(OPTIONS, "you", "talk")
    assert open_.find("talk", "me") is mine
    assert open_.find("talk", "you") is theirs
    assert open_.find(mine.id, "me") is mine
    with pytest.raises(NameTaken):
        open_.open(OPTIONS, "me", "talk")
    with pytest.raises(UnknownSession):
        open_.find(mine.id, "you")
    with pytest.raises(UnknownSession):
        open_.find("talk")  # nobody's name is everybody's
    assert open_.find(mine.id) is mine
    mine.abort()
    with pytest.raises(UnknownSession):
        open_.find("talk", "me")
    assert open_.open(OPTIONS, "me", "talk").name == "talk"


async def test_two_hundred_at_once_are_let_in_up_to_the_bound() -> None:
    open_ = sessions(max_sessions=150)
    refused = 0
    for _ in range(200):
        try:
            open_.open(OPTIONS)
        except Overloaded:
            refused += 1
    assert (len(open_), refused) == (150, 50)
    assert open_.figures().sessions == 150
    assert open_.figures().refusals == {"overloaded": 50}
    for session in list(open_):
        session.abort()
    assert open_.figures().sessions == len(open_) == 0


async def test_one_key_has_its_own_bound() -> None:
    open_ = sessions(max_sessions=10, max_sessions_per_key=2)
    first = open_.open(OPTIONS, "greedy")
    open_.open(OPTIONS, "greedy")
    with pytest.raises(TooManyRunning):
        open_.open(OPTIONS, "greedy")
    open_.open(OPTIONS, "other")
    first.abort()
    open_.open(OPTIONS, "greedy")
    assert open_.figures().refusals == {"too_many_running": 1}


async def test_what_models_cannot_do_is_counted_as_a_refusal() -> None:
    open_ = sessions()
    with pytest.raises(UnsupportedPair):
        open_.open(LiveOptions(targets=("tlh",)))
    assert open_.figures().refusals == {"unsupported_language_pair": 1}
    assert not len(open_)


async def test_a_session_that_would_not_keep_pace_is_refused_by_who_admits() -> None:
    def admit(demand: Demand, _before: Demand | None) -> None:
        if demand.options.speaks:
            raise Overloaded("speech would not keep pace")

    clock = VirtualClock()
    open_ = Sessions(lambda: FakeModels(clock), SENSES, clock, Live(), admit)
    open_.open(OPTIONS)
    with pytest.raises(Overloaded, match="pace"):
        open_.open(LiveOptions(targets=("pt",), speaks=True))


async def test_operators_see_who_listens_in_which_language_and_how_late_it_is() -> None:
    clock = VirtualClock()
    open_ = sessions(clock)
    session = open_.open(OPTIONS, "me", "talk")
    session.listen(("fr",), speaks=True, follows=True)
    await session.add(samples(1.0))
    await clock.advance(0.5)
    session._hearing.say("Hello there.")  # type: ignore[attr-defined]
    await clock.advance(1.0)
    figures = open_.figures()
    (shown,) = figures.open
    assert (shown.id, shown.name, shown.owner) == (session.id, "talk", "me")
    assert (shown.targets, shown.speaks, shown.listeners) == (("pt", "fr"), True, 1)
    assert shown.heard_s == 1.0
    assert shown.lag["recognised"].p95_s == pytest.approx(0.5)
    assert figures.lag_p95_s("recognised") == pytest.approx(0.5)
    assert figures.lag_p95_s("unheard") is None
    assert sum(figures.lags["translated"].counts) == 2  # one a language
    session.abort()
