"""The tuner's search over a rig whose figures are arithmetic: what it measures, in what time."""

from __future__ import annotations

from collections import Counter
from itertools import count

from tests.support.tuning import NAME, RELOAD_S, SLO_MS, STEP_S, FakeRig, Figures, one, sleeping
from tuning.search import FINALISTS, Budget, Search
from tuning.space import Candidate, Settings, Space, Values

SPACE: Space = {NAME: Values((1, 4, 16, 32), (0.0, 5.0), ((1, 1), (2, 1)))}
FAST = SLO_MS / 2


def searched(rig: FakeRig, space: Space = SPACE, turns: int = 2, budget_s: float = 1e9) -> Search:
    search = Search(rig, space, Budget(budget_s, rig.clock), turns)
    search.run(one())
    return search


def best(search: Search) -> Candidate:
    return max(search.trials.values(), key=lambda trial: (trial.meets, trial.goodput_rps)).candidate


def test_the_fullest_batch_of_the_most_replicas_is_found() -> None:
    settings = best(searched(FakeRig())).of(NAME)
    assert (settings.max_batch_size, settings.replicas) == (32, 2)


def test_the_present_settings_are_measured_first() -> None:
    rig = FakeRig()
    searched(rig)
    assert rig.measured[0] == one()


def test_only_the_best_is_measured_again_before_each_setting() -> None:
    rig = FakeRig()
    searched(rig, turns=0)
    again = Counter(rig.measured) - Counter(set(rig.measured))
    assert list(again) == [one(32), one(32, replicas=2)]


def test_a_machine_that_gets_slower_does_not_favour_what_was_measured_first() -> None:
    """A rig that has a tenth less with each measurement, and 30 % more with two replicas."""
    numbers = count()

    def drifting(candidate: Candidate) -> Figures:
        settings = candidate.of(NAME)
        gain = (1.4 if settings.max_batch_size == 32 else 1.0) * (1 + 0.3 * (settings.replicas - 1))
        return 1000.0 * gain * 0.9 ** next(numbers), FAST

    delays_ms = (0.0, 2.0, 5.0, 10.0)  # they change nothing
    search = searched(FakeRig(drifting), {NAME: Values((1, 32), delays_ms, ((1, 1), (2, 1)))})
    assert one(32, replicas=2) in search.rounds[0]


def test_it_takes_about_the_sum_of_the_values_not_their_product() -> None:
    sizes, delays = tuple(range(1, 21)), tuple(float(ms) for ms in range(20))
    instances = tuple((1, threads) for threads in range(1, 21))
    rig = FakeRig()
    searched(rig, {NAME: Values(sizes, (*delays, 5.0), instances)}, turns=0)
    assert len(rig.measured) <= 2 * 60  # of 8,000


def test_a_batch_of_one_has_no_delays_to_try() -> None:
    rig = FakeRig(lambda candidate: (100.0 / candidate.of(NAME).max_batch_size, FAST))
    searched(rig, turns=0)
    assert {c.of(NAME).max_queue_delay_ms for c in rig.measured} == {5.0}


def test_a_setting_that_cannot_be_measured_is_passed_over() -> None:
    def bounded(candidate: Candidate) -> Figures | str:
        too_many = candidate.of(NAME).max_batch_size > 4
        return "speaker takes at most 4 rows" if too_many else sleeping(candidate)

    assert best(searched(FakeRig(bounded))).of(NAME).max_batch_size == 4


def test_a_setting_that_loses_requests_is_no_finalist() -> None:
    """It answers the most, but refuses some."""
    rig = FakeRig(overloaded={one(32): 1})
    search = searched(rig, {NAME: Values((1, 16, 32), (5.0,), ((1, 1),))})
    assert search.finalists(one()) == [one(), one(16)]


def test_a_tie_goes_on_from_fewer_replicas() -> None:
    """Two replicas serve no more than one: the values after it are tried with one."""
    rig = FakeRig(lambda candidate: (1.0 * candidate.of(NAME).max_batch_size, FAST))
    start = one(replicas=2)
    search = Search(rig, SPACE, Budget(1e9, rig.clock), 0)
    search.run(start)
    assert one(32) in search.finalists(start)


def test_where_nothing_meets_the_objective_the_search_goes_where_latency_falls() -> None:
    rig = FakeRig(lambda candidate: (10.0, SLO_MS * 100 / candidate.of(NAME).max_batch_size))
    search = searched(rig, turns=2)
    assert (search.finalists(one()), search.rounds) == ([], [])
    assert one(32, delay_ms=0.0) in search.trials  # the delays were tried with the largest batch


def test_turns_measure_every_finalist_as_often_and_go_back_and_forth() -> None:
    rig = FakeRig()
    search = searched(rig, turns=3)
    finalists = list(search.rounds[0])
    assert len(finalists) <= FINALISTS + 1
    back = finalists[::-1]
    assert rig.measured[len(search.history) :] == [*finalists, *back, *finalists]
    assert [set(turn) for turn in search.rounds] == [set(finalists)] * 3


def test_the_budget_is_kept() -> None:
    rig = FakeRig()
    budget_s = 8 * STEP_S + 2 * RELOAD_S
    search = searched(rig, budget_s=budget_s)
    assert rig.now_s <= budget_s
    assert search.skipped


def test_the_budget_leaves_time_for_the_turns() -> None:
    rig = FakeRig()
    search = searched(rig, budget_s=8 * STEP_S + 2 * RELOAD_S, turns=1)
    assert len(search.rounds) == 1


def test_the_busiest_replicas_model_comes_first_and_idle_ones_are_left_alone() -> None:
    settings = Settings(1, 5.0, 1, 1)
    start = Candidate((("vad", settings), ("asr", settings), ("tts-en", settings)))
    space = dict.fromkeys(("vad", "asr", "tts-en"), Values((1, 2), (5.0,), ((1, 1),)))
    numbers = count(100)
    rig = FakeRig(lambda _: (50 + next(numbers) / 1e6, FAST), busy_s={"vad": 0.1, "asr": 4.0})
    Search(rig, space, Budget(1e9, rig.clock), 0).run(start)
    changed = [n for c in rig.measured[1:] for n, s in c.models if s != settings]
    assert changed == ["asr", "vad"]


def test_a_server_that_answers_nothing_ends_the_search() -> None:
    rig = FakeRig(lambda _: (0.0, FAST))
    assert [trial.candidate for trial in searched(rig).history] == [one()]
