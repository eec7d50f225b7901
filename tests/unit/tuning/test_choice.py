"""The tuner's choice: the most goodput within the objective, and of equals the cheapest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from load.figures import StepFigures
from tests.support.tuning import SLO_MS, FakeRig, figures, one, trial
from tuning.choice import Choice, choose
from tuning.report import verdict
from tuning.search import Budget, Search
from tuning.space import Candidate
from tuning.trial import Trial

SLOW = SLO_MS * 2
START = one()


def measured(turns: Mapping[Candidate, Sequence[Trial]]) -> Search:
    """A search that is over: the trials of each candidate, the first of them the search's own."""
    search = Search(FakeRig(), {}, Budget(1.0), turns=len(turns[START]) - 1)
    search.history = [trials[0] for trials in turns.values()]
    search.rounds = [
        {candidate: trials[turn] for candidate, trials in turns.items()}
        for turn in range(1, len(turns[START]))
    ]
    return search


def chosen(**rates_rps: tuple[Candidate, Sequence[float]]) -> Choice:
    """Make a search of candidates and their answers a second, all in time."""
    turns = {
        candidate: [trial(candidate, rate) for rate in (rates[0], *rates)]
        for candidate, rates in rates_rps.values()
    }
    return choose(measured(turns), START)


def test_the_most_goodput_is_chosen_with_its_ratio_turn_by_turn() -> None:
    choice = chosen(present=(START, [100, 100, 100]), large=(one(16), [150, 210, 190]))
    assert (choice.outcome, choice.chosen) == ("better", one(16))
    assert str(choice.gain) == "1.90 (1.50 to 2.10 in 3 turns)"


def test_of_equals_the_one_of_fewer_replicas_is_chosen() -> None:
    choice = chosen(
        present=(START, [100, 100, 100]),
        two=(one(16, replicas=2), [205, 200, 210]),
        single=(one(16), [200, 206, 204]),
    )
    assert choice.chosen == one(16)


def test_of_equals_the_one_of_fewer_threads_is_chosen() -> None:
    choice = chosen(
        present=(START, [100, 100]),
        two=(one(16, threads=2), [201, 200]),
        single=(one(16), [200, 201]),
    )
    assert choice.chosen == one(16)


def test_of_equals_the_present_settings_stay() -> None:
    choice = chosen(present=(START, [100, 101, 100]), large=(one(16), [101, 100, 102]))
    assert (choice.outcome, choice.chosen, choice.gain) == ("present", START, None)


def test_of_equals_the_one_with_the_fewest_changes_is_chosen() -> None:
    """Although the other's batches are smaller."""
    choice = chosen(
        present=(START, [100, 100]),
        two=(one(8, delay_ms=0.0), [200, 201]),
        single=(one(16), [201, 200]),
    )
    assert choice.chosen == one(16)


def test_a_difference_within_the_margin_is_none() -> None:
    choice = chosen(present=(START, [100, 100]), large=(one(16), [102, 102]))
    assert choice.outcome == "present"


def test_a_lucky_moment_of_the_search_does_not_decide() -> None:
    """The search saw 500/s of it; the turns do not."""
    turns = {
        START: [trial(START, rate) for rate in (100, 100, 100)],
        one(16): [trial(one(16), rate) for rate in (500, 90, 91)],
    }
    assert choose(measured(turns), START).outcome == "present"


def test_what_loses_a_request_in_one_turn_is_not_chosen() -> None:
    losing = Trial(one(16), figures(300, SLO_MS / 2, overloaded=1))
    turns = {
        START: [trial(START, 100)] * 3,
        one(16): [trial(one(16), 300), trial(one(16), 300), losing],
    }
    assert choose(measured(turns), START).outcome == "present"


def test_what_is_mostly_too_slow_is_not_chosen() -> None:
    slow = trial(one(16), 300, SLOW)
    turns = {START: [trial(START, 100)] * 4, one(16): [trial(one(16), 300)] * 2 + [slow] * 2}
    assert choose(measured(turns), START).outcome == "present"


def test_without_turns_the_search_decides() -> None:
    search = measured({START: [trial(START, 100)], one(16): [trial(one(16), 200)]})
    choice = choose(search, START)
    assert (choice.chosen, str(choice.gain)) == (one(16), "2.00")


def test_present_settings_that_serve_nothing_in_time_have_no_ratio() -> None:
    slow = trial(START, 100, SLOW)
    choice = choose(measured({START: [slow] * 2, one(16): [trial(one(16), 200)] * 2}), START)
    assert (choice.chosen, choice.gain) == (one(16), None)


def missed() -> Search:
    return measured({START: [trial(START, 10, 900.0)], one(16): [trial(one(16), 20, 300.0)]})


def test_where_nothing_meets_the_objective_the_nearest_is_told() -> None:
    choice = choose(missed(), START)
    assert (choice.outcome, choice.chosen) == ("missed", one(16))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(figures(90, 200.0, overloaded=1), id="one was refused"),
        pytest.param(figures(90, 301.0), id="its p99 is higher"),
    ],
)
def test_a_few_answers_in_time_are_not_near(other: StepFigures) -> None:
    some = Trial(START, replace(other, goodput_rps=1.0))
    choice = choose(measured({START: [some], one(16): [trial(one(16), 20, 300.0)]}), START)
    assert choice.chosen == one(16)


SAYS = {
    "missed": (
        missed(),
        "at 32 callers no setting that was tried answers every request with a p99 within 100 ms; "
        "the nearest is batch 16, delay 5 ms, 1 x 1 thread: p99 300 ms",
    ),
    "present": (
        measured({START: [trial(START, 100)], one(16): [trial(one(16), 100)]}),
        "nothing beats the present settings (batch 1, delay 5 ms, 1 x 1 thread): they stay",
    ),
    "better": (
        measured({START: [trial(START, 100)] * 3, one(16): [trial(one(16), 200)] * 3}),
        "chosen: batch 16, delay 5 ms, 1 x 1 thread; 2.00 (2.00 to 2.00 in 2 turns) times the "
        "goodput of the present settings",
    ),
    "nothing before": (
        measured({START: [trial(START, 9, SLOW)], one(16): [trial(one(16), 200)]}),
        "the present settings answer nothing within 100 ms",
    ),
    "refused": (
        measured({START: [Trial(START, replace(figures(0, 0, overloaded=5), latency_ms=None))]}),
        "within 100 ms: 5 not answered",
    ),
}


@pytest.mark.parametrize(("search", "says"), SAYS.values(), ids=SAYS)
def test_the_choice_is_said_in_words(search: Search, says: str) -> None:
    choice = choose(search, START)
    trials = list(search.trials.values())
    load = figures(1, 1).load
    assert says in verdict(choice, START, trials, load, SLO_MS)
