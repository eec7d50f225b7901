"""The endurance bench tells an answer that is another request's from one that is its own."""

from __future__ import annotations

import numpy as np
import pytest

from bench.endurance_cases import Case, Content, is_own


def own(kind: str, content: Content, mine: Content, *others: Content) -> bool:
    cases = [Case(str(number), kind, "", {}, lambda _: 0.0) for number in range(1 + len(others))]
    return is_own(cases[0], content, dict(zip(cases, (mine, *others), strict=True)))


A, B, C = "the train leaves at noon", "the train leaves at noon today", "an apple a day"
E1, E2 = np.eye(4, dtype=np.float32)[:2]


@pytest.mark.parametrize(
    ("content", "expected", "is_right"),
    [
        pytest.param(A, (A, B, C), True, id="the same text"),
        pytest.param("the trains leave at noon", (A, C), True, id="a word of it differs"),
        pytest.param(B, (A, B), False, id="another's text, which is like it"),
        pytest.param("zzz", (A, C), False, id="a text like none"),
        pytest.param(A, (A, A), True, id="another has the same text"),
        pytest.param(E1, (E1, E2), True, id="the same embedding"),
        pytest.param(E2, (E1, E2), False, id="another's embedding"),
        pytest.param((E1 + E2) / 2, (E1, E2), False, id="an embedding like none"),
        pytest.param(2.2, (2.0, 4.0), True, id="speech of about the length"),
        pytest.param(4.1, (2.0, 4.0), False, id="speech of another's length"),
    ],
)
def test_whose_an_answer_is(
    content: Content, expected: tuple[Content, ...], is_right: bool
) -> None:
    assert own("k", content, *expected) == is_right


def test_answers_of_another_kind_are_not_compared() -> None:
    mine, other = (Case("a", kind, "", {}, lambda _: 0.0) for kind in ("speech", "text"))
    assert is_own(mine, 2.0, {mine: 2.1, other: 2.0})
