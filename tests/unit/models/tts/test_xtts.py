"""Options of XTTS."""

from __future__ import annotations

from typing import Any

import pytest

from models.tts.xtts.options import Options


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"temperature": 0.0}, "temperature: above 0", id="temperature"),
        pytest.param({"top_k": 0}, "top_k: above 0", id="top_k"),
        pytest.param({"top_p": 1.5}, "top_p: at most 1", id="top_p"),
        pytest.param({"max_chars": 0}, "max_chars", id="chars"),
        pytest.param({"min_reference_s": 0.1}, "min_reference_s", id="short clip"),
        pytest.param({"max_reference_s": 0.5}, "min_reference_s", id="long clip"),
    ],
)
def test_a_wrong_option_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Options(**given)
