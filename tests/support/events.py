"""Server-sent events of an answer that is there as a whole."""

from __future__ import annotations

import json
from typing import Any

DONE = "[DONE]"


def events_of(text: str) -> list[dict[str, Any]]:
    """Return the events of a stream that ends in order."""
    *found, last = [part.removeprefix("data: ") for part in text.strip().split("\n\n")]
    assert last == DONE
    return [json.loads(each) for each in found]
