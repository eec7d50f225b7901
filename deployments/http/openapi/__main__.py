"""Write ``docs/openapi.json``: ``python -m deployments.http.openapi``."""

from __future__ import annotations

import json
from pathlib import Path

from deployments.http.openapi.document import document

FILE = Path(__file__).parents[3] / "docs" / "openapi.json"


def text() -> str:
    """Return the description as the file has it."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
