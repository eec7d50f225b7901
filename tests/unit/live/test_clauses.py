"""Speech is cut into clauses while it is written down: what each holds, and when."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from deployments.live.clauses import RULES, Clause, ClauseCutter, ClauseRules
from deployments.live.events import TranscriptDelta, TurnDone, TurnFailed
from models.errors import QueueFull
from models.types import AnswerWarning

WORD_S = 0.5
RULE = ClauseRules(min_words=4, max_words=10, max_s=30.0)


def heard(
    text: str, language: str = "en", rules: ClauseRules = RULE, words: int = 1
) -> list[tuple[float, Clause]]:
    """Say a text in pieces of so many words; return each clause with when it was cut."""
    cutter, found, at_s = ClauseCutter(rules), list[tuple[float, Clause]](), 0.0
    pieces = re.findall(rf"(?:\s*\S+){{1,{words}}}", text)
    for piece in pieces:
        end_s = at_s + WORD_S * len(piece.split())
        delta = TranscriptDelta(0, piece, at_s, end_s, language)
        found += [(end_s, clause) for clause in cutter.take(delta)]
        at_s = end_s
    done = TurnDone(0, text, 0.0, at_s, language, 1.0, at_s, -0.1)
    return [*found, *((at_s, clause) for clause in cutter.take(done))]


def texts(found: Sequence[tuple[float, Clause]]) -> list[str]:
    return [clause.text for _, clause in found]


@pytest.mark.parametrize(
    ("text", "language", "clauses"),
    [
        pytest.param("One. Two.", "en", ["One.", "Two."], id="sentences"),
        pytest.param("Hello Mr. Smith. Sit.", "en", ["Hello Mr. Smith.", "Sit."], id="title"),
        pytest.param("Falei com o Dr. Silva.", "pt", ["Falei com o Dr. Silva."], id="title pt"),
        pytest.param(
            "It costs 1,000 yen or 3.5 dollars. Yes.",
            "en",
            ["It costs 1,000 yen or 3.5 dollars.", "Yes."],
            id="numbers",
        ),
        pytest.param(
            "When it works as it should, we all go home.",
            "en",
            ["When it works as it should,", "we all go home."],
            id="mark",
        ),
        pytest.param("Yes, we all go home.", "en", ["Yes, we all go home."], id="short"),
        pytest.param(
            "We go to the house of my friend because it rains there every day.",
            "en",
            ["We go to the house of my friend", "because it rains there every day."],
            id="conjunction",
        ),
        pytest.param(
            "We would all like to make a good connection to the house of friends.",
            "en",
            ["We would all like to make a good connection", "to the house of friends."],
            id="not behind what leads on",
        ),
        pytest.param(
            "a b c d e f g New York City today and more",
            "en",
            ["a b c d e f g New York City", "today and more"],
            id="name",
        ),
        pytest.param(
            "a b c d e f g h k 10 000 people came",
            "en",
            ["a b c d e f g h k", "10 000 people came"],
            id="groups of digits",
        ),
        pytest.param("Am I… here", "en", ["Am I… here"], id="ellipsis at the end"),
        pytest.param("今日は暑いです。明日も。", "ja", ["今日は暑いです。", "明日も。"], id="ja"),
    ],
)
def test_clauses(text: str, language: str, clauses: list[str]) -> None:
    assert texts(heard(text, language)) == clauses


def test_a_sentence_ends_with_its_last_word_and_waits_for_no_more() -> None:
    found = heard("It is done. Next one")
    assert found[0] == (1.5, Clause(0, "It is done.", 0.0, 1.5, "en"))


def test_a_clause_is_cut_at_its_mark_with_its_times() -> None:
    found = heard("When it works as it should, we all go home.")
    assert found == [
        (3.0, Clause(0, "When it works as it should,", 0.0, 3.0, "en", starts=True, ends=False)),
        (5.0, Clause(0, "we all go home.", 3.0, 5.0, "en", starts=False, ends=True)),
    ]


def test_what_comes_at_once_is_not_cut_within_a_sentence() -> None:
    """Nobody waits for the end any more: a whole sentence is translated best."""
    found = heard("When it works as it should, we go home.", words=9)
    assert texts(found) == ["When it works as it should, we go home."]


def test_slow_speech_is_cut_by_its_seconds() -> None:
    found = heard("one two three four five six seven eight", rules=ClauseRules(None, 99, 2.0))
    assert [clause.end_s - clause.start_s <= 2.5 for _, clause in found] == [True] * len(found)
    assert " ".join(texts(found)) == "one two three four five six seven eight"


def test_no_word_is_lost_or_said_twice_whatever_the_pieces() -> None:
    text = (
        "In 1967, Edward Jones and Victor Harris gathered a group of students and asked them: "
        "who is right? Nobody knew, so Mr. Jones, who had waited, said that 3.5 of 10 had. The end"
    )
    for rules in RULES.values():
        for words in (1, 2, 3, 7, 50):
            assert " ".join(texts(heard(text, rules=rules, words=words))) == text


def test_a_change_of_language_or_turn_ends_a_sentence() -> None:
    cutter = ClauseCutter(RULE)
    assert cutter.take(TranscriptDelta(0, "Half of", 0.0, 1.0, "en")) == []
    (first,) = cutter.take(TranscriptDelta(0, " uma frase", 1.0, 2.0, "pt"))
    assert (first.text, first.language, first.ends) == ("Half of", "en", True)
    (second,) = cutter.take(TranscriptDelta(1, "outra", 2.0, 3.0, "pt"))
    assert (second.text, second.turn, second.ends) == ("uma frase", 0, True)


def test_a_turn_that_fails_ends_what_was_sure_of_it() -> None:
    cutter = ClauseCutter(RULE)
    cutter.take(TranscriptDelta(0, "So far", 0.0, 1.0, "en"))
    (clause,) = cutter.take(TurnFailed(0, QueueFull("full")))
    assert (clause.text, clause.ends) == ("So far", True)


def test_doubts_of_a_turn_come_with_its_last_clause() -> None:
    cutter, doubt = ClauseCutter(RULE), AnswerWarning("unsure_text", "may be something else")
    cutter.take(TranscriptDelta(0, "Maybe", 0.0, 1.0, "en"))
    done = TurnDone(0, "Maybe", 0.0, 1.0, "en", 1.0, 1.0, -2.0, (doubt,))
    assert [clause.warnings for clause in cutter.take(done)] == [(doubt,)]


def test_a_sentence_that_ended_with_a_clause_mark_is_closed_at_the_turns_end() -> None:
    found = heard("When it works as it should,")
    assert [(clause.text, clause.ends) for _, clause in found] == [
        ("When it works as it should,", False),
        ("", True),
    ]


@pytest.mark.parametrize("text", ["It is 3.", "I think...", "I think…", "He is a Dr."])
def test_what_may_go_on_waits_for_its_next_word(text: str) -> None:
    cutter = ClauseCutter(RULE)
    assert cutter.take(TranscriptDelta(0, text, 0.0, 1.0, "en")) == []
    assert [clause.text for clause in cutter.flush()] == [text]


def test_a_mark_that_comes_behind_its_word_goes_with_it() -> None:
    cutter = ClauseCutter(ClauseRules(3, 5, 30.0))
    found = []
    for number, piece in enumerate(["a b c", " d e", " f", ",", " go home", "."]):
        found += cutter.take(TranscriptDelta(0, piece, number, number + 1.0, "en"))
    assert [clause.text for clause in found] == ["a b c d e", "f, go home."]


def test_silence_between_words_is_part_of_no_clause() -> None:
    cutter = ClauseCutter(RULE)
    (first,) = cutter.take(TranscriptDelta(0, "One.", 0.0, 1.0, "en"))
    (second,) = cutter.take(TranscriptDelta(0, " Two.", 3.0, 4.0, "en"))
    assert [(c.start_s, c.end_s) for c in (first, second)] == [(0.0, 1.0), (3.0, 4.0)]
